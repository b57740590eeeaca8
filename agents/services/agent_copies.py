"""A new agent from the rows of another, as that one is or was: copied inside the database, vectors and all."""

from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Model, Q, Sum
from django.utils import timezone

from agents import dispatch, quotas
from agents.external_context import recall_storage
from agents.main_context import fifo_queue, working_context
from agents.models import Agent, Block, BlockRevision, Checkpoint, Document, Message, Passage
from agents.services.agent_parts import BlockPart, Character, Queue, agent_make, functions_on, undone_files
from agents.services.blocks import BlockSettings
from agents.services.model_choice import ModelChoice

Status = Document.Status
# Documents whose passages are whole come with them; others are read anew.
PASSAGES_SQL = """
    INSERT INTO "agents_passage" ({columns}, "archive_id", "document_id", "step_id")
    SELECT {columns}, %s, given.copy, NULL FROM "agents_passage" AS passage
    JOIN unnest(%s::bigint[], %s::bigint[]) AS given(original, copy) ON passage.document_id = given.original
    WHERE passage.retracted_at IS NULL
"""


def agent_copy(*, agent: Agent, name: str) -> Agent:
    """A second agent that is what this one is now; it may go on meanwhile. Raises InvalidInput."""
    with transaction.atomic():
        moment = moment_of(agent)
    return agent_from(moment=moment, name=name)


def moment_of(agent: Agent) -> Checkpoint:
    """The agent as it is now, unsaved. In a transaction, which holds the agent's row: blocks and the last seq are of
    one moment."""
    agent.refresh_from_db(from_queryset=Agent.objects.select_for_update(no_key=True).select_related(None))
    blocks = working_context.prompt_blocks(working_context.blocks_of(agent))
    return Checkpoint(
        agent=agent,
        system_instructions=agent.system_instructions,
        blocks=[vars(block) for block in blocks],
        last_seq=agent.next_seq - 1,
        queue_start=agent.queue_start,
        summary=agent.summary.text if agent.summary else "",
        created_at=timezone.now(),
    )


def agent_from(*, moment: Checkpoint, name: str) -> Agent:
    """A new agent that is what the other one was then: core memory with its history, conversation, what it had filed,
    its own documents, earlier checkpoints. Raises InvalidInput.

    Model, functions and attached archives are those that the other has now. So is a passage that was edited since.
    """
    source = moment.agent
    with undone_files() as written:
        return agent_make(
            owner=source.owner,
            character=Character(
                name=name,
                choice=ModelChoice.of(source),
                system_instructions=moment.system_instructions,
                functions=functions_on(source.detached_functions, source.attached_functions),
                ask_first=frozenset(source.ask_first),
                own={"description": source.description, "tags": source.tags, "metadata": source.metadata},
            ),
            blocks=_block_parts(moment),
            rows=_CopiedRows(moment, written),
        )


def _block_parts(moment: Checkpoint) -> list[BlockPart]:
    there = {block.label: block for block in working_context.blocks_of(moment.agent)}
    parts = []
    for stored in moment.blocks:
        settings = BlockSettings(**{name: value for name, value in stored.items() if name != "value"})
        same = there.get(settings.label)
        own = {"tags": same.tags, "metadata": same.metadata} if same else {}
        parts.append(BlockPart(settings, stored["value"], own))
    return parts


class _CopiedRows:
    """The rows of another agent as they were at a moment."""

    def __init__(self, moment: Checkpoint, written: list[str]) -> None:
        """`written` gets the names of the documents' files."""
        self.moment, self.source, self.until, self.written = moment, moment.agent, moment.created_at, written

    def bring(self, agent: Agent, blocks: dict[str, Block]) -> Queue:
        agent.ask_first = self.source.ask_first  # none more, none less
        for block in working_context.blocks_of(self.source):
            if block.label in blocks:
                self._history(agent, block, blocks[block.label])
        self._messages(agent)
        self._passages(agent)
        self._documents(agent)
        agent.attached_archives.set(self.source.attached_archives.all())
        _copy(Checkpoint, {"agent_id": agent.pk}, "agent_id = %s AND created_at < %s", [self.source.pk, self.until])
        return Queue(self.moment.last_seq + 1, self.moment.queue_start, self.moment.summary)

    def _history(self, agent: Agent, original: Block, block: Block) -> None:
        """Up to the moment, if it led to what the block said then."""
        before = original.revisions.filter(created_at__lte=self.until)
        last = before.first()
        if last is None or last.value.strip() != block.value:
            return
        block.revisions.all().delete()  # the one that it was made with
        _copy(BlockRevision, {"block_id": block.pk}, "block_id = %s AND created_at <= %s", [original.pk, self.until])
        block.revisions.filter(agent=self.source).update(agent=agent)
        block.revision, block.value = last.number, last.value
        block.save(update_fields=["revision", "value"])

    def _messages(self, agent: Agent) -> None:
        """With their `seq`, and with the steps of the agent they come from, which show what those did."""
        _copy(
            Message,
            {"agent_id": agent.pk, "run_id": None, "retracted_at": None},
            "agent_id = %s AND seq <= %s AND (retracted_at IS NULL OR retracted_at > %s)",
            [self.source.pk, self.moment.last_seq, self.until],
        )
        for message in agent.messages.exclude(earlier=[]):  # those corrected since read as they did then
            fifo_queue.as_then(message, self.until)
            message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
            recall_storage.index_words(message)
            message.embedding_model = ""
            message.save()

    def _passages(self, agent: Agent) -> None:
        """What the agent or a person filed."""
        there = Q(retracted_at=None) | Q(retracted_at__gt=self.until)
        filed = Passage.objects.filter(there, archive=self.source.archive_id, created_at__lte=self.until)
        quotas.check_passages(agent.owner_id, filed.count())
        _copy(
            Passage,
            {"archive_id": agent.archive_id, "step_id": None, "retracted_at": None},
            "archive_id = %s AND document_id IS NULL AND created_at <= %s"
            " AND (retracted_at IS NULL OR retracted_at > %s)",
            [self.source.archive_id, self.until, self.until],
        )

    def _documents(self, agent: Agent) -> None:
        """Each with a file of its own. Its passages come along if it is ready; else it is read anew."""
        rows = self.source.archive.documents.filter(created_at__lte=self.until).order_by("pk")
        quotas.check_bytes(agent.owner_id, rows.aggregate(sum=Sum("size"))["sum"] or 0)
        where = "archive_id = %s AND created_at <= %s"
        _copy(Document, {"archive_id": agent.archive_id}, where, [self.source.archive_id, self.until])
        copies = dict(agent.archive.documents.values_list("sha256", "pk"))
        ready = []
        for row in rows.iterator():
            copy = Document.objects.filter(pk=copies[row.sha256])
            if row.file:
                copy.update(file=self._file(row))
            if row.status == Status.READY:
                ready.append((row.pk, copies[row.sha256]))
            elif row.status != Status.FAILED:
                copy.update(status=Status.QUEUED, attempts=0, done=0, total=0, worked_at=timezone.now())
        self._passages_of(agent, ready)
        dispatch.ingest()

    def _file(self, row: Document) -> str:
        try:
            with row.file.open() as content:
                name: str = default_storage.save(
                    row.file.field.generate_filename(row, Path(row.file.name or "").name), content
                )
        except FileNotFoundError:
            return ""
        self.written.append(name)
        return name

    def _passages_of(self, agent: Agent, ready: list[tuple[int, int]]) -> None:
        changed = {"archive_id", "document_id", "step_id"}
        fields = [f.column for f in Passage._meta.concrete_fields if not f.primary_key and f.column not in changed]
        statement = PASSAGES_SQL.format(columns=", ".join(f'"{name}"' for name in fields))
        with connection.cursor() as cursor:
            cursor.execute(statement, [agent.archive_id, [old for old, _new in ready], [new for _old, new in ready]])


def _copy(model: type[Model], changed: dict[str, Any], where: str, values: list[Any]) -> None:
    """Rows copied inside the database, vectors and all; columns in `changed` get that value instead."""
    same = [f.column for f in model._meta.concrete_fields if not f.primary_key and f.column not in changed]
    columns = ", ".join(f'"{name}"' for name in [*changed, *same])
    values_sql = ", ".join([*("%s" for _name in changed), *(f'"{name}"' for name in same)])
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({columns}) SELECT {values_sql} FROM "{table}" WHERE {where}',
            [*changed.values(), *values],
        )
