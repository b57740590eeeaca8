"""A new agent out of parts: the one way in which an imported file, a checkpoint and a copy become an agent.

They differ in where the rows come from (`Rows`): a file, or the rows of another agent.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from agents import dispatch
from agents.functions import registry
from agents.llm.types import SEND_MESSAGE
from agents.models import Agent, Block, Summary
from agents.services.agents import AgentDraft, agent_create, function_ask_first, functions_choose
from agents.services.blocks import BlockSettings, block_attach_new, block_note
from agents.services.model_choice import ModelChoice, agent_choose_model
from agents.text import tokens

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BATCH = 500  # rows written at once
BATCH_LENGTH = 1_000_000  # characters of their texts: then fewer
TIMES_SQL = """
    UPDATE "{table}" AS row SET created_at = given.created_at
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS given(id, created_at) WHERE row.id = given.id
"""


@dataclass(frozen=True, kw_only=True)
class Character:
    """What an agent is besides its rows. `functions` are all that are on, memweb's own and installed ones."""

    name: str
    choice: ModelChoice
    system_instructions: str
    functions: frozenset[str]
    ask_first: frozenset[str]
    own: dict[str, Any]  # description, tags and metadata, which nothing of memweb reads


@dataclass(frozen=True)
class BlockPart:
    """A block with its text; `own` are tags and metadata, which nothing of memweb reads."""

    settings: BlockSettings
    value: str
    own: dict[str, Any]


@dataclass(frozen=True)
class Queue:
    """Where the timeline goes on, where the window begins in it, and the summary of what was before that."""

    next_seq: int
    queue_start: int
    summary: str


class Rows(Protocol):
    """Where the rows of the new agent come from."""

    def bring(self, agent: Agent, blocks: dict[str, Block]) -> Queue:
        """Give it the history of its blocks, by their labels, its messages, archives and checkpoints."""
        ...


def agent_make(*, owner: "User", character: Character, blocks: Sequence[BlockPart], rows: Rows) -> Agent:
    """All of it or nothing. Raises InvalidInput."""
    with transaction.atomic():
        agent = agent_create(owner=owner, draft=AgentDraft(name=character.name, blocks=[]))
        agent_choose_model(agent=agent, choice=character.choice)
        agent.messages.all().delete()  # the greeting
        made = {}
        for part in blocks:
            block = block_attach_new(agent=agent, settings=part.settings, value=part.value)
            block_note(block=block, **part.own)
            made[block.label] = block
        functions_choose(agent=agent, names=character.functions | {SEND_MESSAGE})
        for function in sorted(
            character.ask_first & {*agent.attached_functions}
        ):  # besides those that ask by themselves
            function_ask_first(agent=agent, name=function, ask=True)
        agent.system_instructions = character.system_instructions
        for name, value in character.own.items():
            setattr(agent, name, value)
        _queue(agent, rows.bring(agent, made))
        agent.save()
        dispatch.embed_messages(agent.pk)
        dispatch.embed_passages()
    return agent


def _queue(agent: Agent, queue: Queue) -> None:
    agent.next_seq, agent.queue_start = queue.next_seq, queue.queue_start
    if queue.summary:
        agent.summary = Summary.objects.create(
            agent=agent, text=queue.summary, covers_to=queue.queue_start, tokens=tokens.count(queue.summary)
        )


def functions_on(detached: Sequence[str], attached: Sequence[str]) -> frozenset[str]:
    """All functions of an agent by what is off of memweb's own, and on of others."""
    return (frozenset(registry.registered()) - {*detached}) | {*attached}


def keep_times(model: type[Model], rows: Sequence[Any], times: Sequence[datetime]) -> None:
    """Give rows that were just written the times at which they were made elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute(TIMES_SQL.format(table=model._meta.db_table), [[row.pk for row in rows], [*times]])


@contextmanager
def undone_files() -> Iterator[list[str]]:
    """Gives a list for the names of files that are written on the way: they are gone again if it does not succeed."""
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for name in written:
            with suppress(OSError):
                default_storage.delete(name)
        raise


def aware(time: datetime) -> datetime:
    """In UTC. Raises OverflowError for one outside of the years that there are."""
    return (time if timezone.is_aware(time) else timezone.make_aware(time)).astimezone(UTC)
