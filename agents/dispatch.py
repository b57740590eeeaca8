"""Enqueueing tasks by name, so that tasks can sit above services without a cycle.

Nothing depends on a publish: the rows say what is to be done, and the reaper enqueues what was missed.
"""

import logging
from uuid import UUID

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A long document must not hold up summaries, nor these the runs and the reaper.
QUEUES = {"run_agent": "runs", "look_at_server": "runs", "look_at_connection": "runs", "ingest": "ingest"}
EMBED_DELAY = 3  # seconds


def _enqueue(task: str, *arguments: object, delay: float | None = None) -> None:
    queue = QUEUES.get(task, "background")
    name = f"agents.tasks.{task}"
    try:
        current_app.send_task(name, args=arguments, queue=queue, ignore_result=True, countdown=delay)
    except (OperationalError, OSError) as error:
        logger.warning("The broker is away (%s): the reaper will start %s%s later.", error, task, arguments)


def _on_commit(task: str, *arguments: object, delay: float | None = None) -> None:
    transaction.on_commit(lambda: _enqueue(task, *arguments, delay=delay))


def run_agent(agent_id: UUID) -> None:
    """Have a worker look for queued runs of this agent."""
    _on_commit("run_agent", str(agent_id))


def summarize(agent_id: UUID, covers_to: int, *, delay: float | None = None) -> None:
    """Have everything below seq `covers_to` summarised; after `delay` seconds."""
    _on_commit("summarize", str(agent_id), covers_to, delay=delay)


def embed_messages(agent_id: UUID) -> None:
    """Have an agent's messages embedded that have no vector yet: a moment after the turn, in nobody's way, and once for
    turns that follow closely. Until then they are found by their words."""
    transaction.on_commit(lambda: _enqueue_embedding(str(agent_id)))


def embed_messages_later(agent_id: UUID, *, delay: float) -> None:
    """The same after `delay` seconds, where there was no place for it now."""
    _on_commit("embed_messages", str(agent_id), delay=delay)


def _enqueue_embedding(agent_id: str) -> None:
    try:
        first = cache.add(f"embedding-asked:{agent_id}", 1, EMBED_DELAY - 1)
    except RedisError:
        first = True
    if first:
        _enqueue("embed_messages", agent_id, delay=EMBED_DELAY)


def embed_passages() -> None:
    """Have passages embedded that have no vector yet."""
    _on_commit("embed_passages")


def measure_embeddings(choice_id: int) -> None:
    """Have a worker find out what another embedding model would cost."""
    _on_commit("measure_embeddings", choice_id)


def change_embeddings(*, delay: float | None = None) -> None:
    """Have vectors made by another embedding model, for a while."""
    _on_commit("change_embeddings", delay=delay)


def index_vectors() -> None:
    """Have the vector indexes of large stores made and dropped."""
    _on_commit("index_vectors")


def index_words() -> None:
    """Have rows indexed anew whose words are in an older form."""
    _on_commit("index_words")


def look_at_functions(agent_id: UUID) -> None:
    """Have a worker look at the modules of functions, and tell the agent's pages."""
    _on_commit("look_at_functions", str(agent_id))


def look_at_server(source_id: int) -> None:
    """Have a worker that calls functions ask an MCP server what it offers, or let go of one that is no more."""
    _on_commit("look_at_server", source_id)


def look_at_connection(connection_id: int, model: str) -> None:
    """Have a worker ask a model server what it has, and try one model: this one, or the first if it is empty."""
    _on_commit("look_at_connection", connection_id, model)


def ingest() -> None:
    """Have a worker look for documents to read into passages."""
    _on_commit("ingest")
