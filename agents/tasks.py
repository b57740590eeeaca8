"""Celery's doors into the services. Each may run twice or late: the rows decide what is left to do."""

from uuid import UUID

from celery import shared_task

from agents import dispatch, health, maintenance, services
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged
from agents.external_context import archival_storage, recall_storage, reindexing, vector_index
from agents.functions import installed, mcp_servers, toolset
from agents.ingest import turns
from agents.ingest.working import work
from agents.llm.gateway import summary_config_of
from agents.llm.types import Role
from agents.locks import PLACE_PAUSE, place_of
from agents.main_context import recursive_summary
from agents.models import Agent
from memweb.stack.backup import kept
from memweb.stack.env import env

EMBEDDINGS_AT_ONCE = 2  # of one person's agents


@shared_task
def run_agent(agent_id: str) -> None:
    """Work through the agent's queued runs."""
    while services.run_next(agent_id=UUID(agent_id)):
        pass


@shared_task
def summarize(agent_id: str, covers_to: int) -> None:
    """Write the recursive summary of everything below seq `covers_to`."""
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent:
        searches = toolset.of(agent).names(Role.SEARCHES_MEMORY)
        recursive_summary.write(agent, covers_to, config=summary_config_of(agent), searches=searches)


@shared_task
def embed_messages(agent_id: str) -> None:
    """Give an agent's new messages their vectors."""
    if agent := Agent.objects.filter(pk=agent_id).first():
        with place_of(agent.owner_id, "embedding", at_once=EMBEDDINGS_AT_ONCE) as free:
            if not free:
                dispatch.embed_messages_later(agent.pk, delay=PLACE_PAUSE)
            for _done in recall_storage.embed_missing(agent) if free else ():
                pass


@shared_task
def embed_passages() -> None:
    """Give passages without a vector one."""
    for _done in archival_storage.embed_missing():
        health.note_embedded()


@shared_task
def ingest() -> None:
    """Read documents into passages, by turns; one that failed waits for its Retry."""
    while document := turns.take():
        work(document)


@shared_task
def measure_embeddings(choice_id: int) -> None:
    """Write down what another embedding model would cost."""
    services.embeddings_measure(choice_id=choice_id)


@shared_task
def change_embeddings() -> None:
    """Make vectors by another embedding model, a while at a time."""
    services.embeddings_work()


@shared_task
def look_at_functions(agent_id: str) -> None:
    """Write down which functions the modules offer now."""
    installed.refresh()
    bus.publish(bus.agent_group(UUID(agent_id)), ContextChanged())


@shared_task
def look_at_server(source_id: int) -> None:
    """Write down what an MCP server offers now, and tell its owner's pages."""
    mcp_servers.look(source_id)


@shared_task
def look_at_connection(connection_id: int, model: str) -> None:
    """Write down which models a server has, and what one of them can do."""
    services.connection_look(connection_id=connection_id, model=model)


@shared_task
def index_vectors() -> None:
    """Make and drop the vector indexes of large stores."""
    vector_index.ensure()


@shared_task
def index_words() -> None:
    """Bring the index of words up to the present form, a while at a time."""
    if reindexing.work():
        dispatch.index_words()


@shared_task
def back_up() -> None:
    """Start the daily backup when it is due."""
    kept.start_if_due(env())


@shared_task
def reap() -> None:
    """Take up what no worker is at."""
    maintenance.reap()
