"""An exported file becomes a new agent: all of it, or nothing at all."""

import io
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.db import DataError, IntegrityError, transaction
from django.utils.translation import gettext as _

from agents import quotas
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.llm.gateway import model_config
from agents.main_context import fifo_queue, working_context
from agents.models import Agent, Archive, Block, BlockRevision, Checkpoint, Document, Message, Passage
from agents.services.agent_files import CheckpointFile, DocumentFile, Head, MessageFile, PassageFile, RevisionFile
from agents.services.agent_parts import (
    BATCH,
    BATCH_LENGTH,
    BlockPart,
    Character,
    Queue,
    agent_make,
    aware,
    functions_on,
    keep_times,
    undone_files,
)
from agents.services.agent_reading import OpenedFile, opened, refused
from agents.services.archives import archive_attach, archive_create, document_bring
from agents.services.blocks import BlockSettings
from agents.services.model_choice import LONGEST_MODEL, ModelChoice, model_named
from agents.text.clean import storable
from agents.text.media_types import CONVERSATION

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Editor = BlockRevision.Editor
# What fits the form and cannot be kept.
NOT_KEPT = (ValueError, TypeError, OverflowError, DataError, IntegrityError, SuspiciousOperation)


def agent_import(
    *, owner: "User", raw: bytes | IO[bytes], name: str = "", suffix: str = "", messages: bool = True
) -> Agent:
    """A new agent from an exported file; `name` instead of the one in it, `suffix` behind it; without its `messages` if
    so wished. Raises InvalidInput; nothing is made then, and no file of a document is left."""
    file = io.BytesIO(raw) if isinstance(raw, bytes) else raw
    try:
        with opened(file) as source, undone_files() as written, transaction.atomic():
            head = source.head
            return agent_make(
                owner=owner,
                character=_character(owner, head, (name or storable(head.name)) + suffix),
                blocks=[_block_part(block) for block in head.core_memory],
                rows=_FileRows(source, written, messages=messages),
            )
    except NOT_KEPT as error:
        sentence = _("This file cannot be imported: %(reason)s.") % {"reason": str(error)[:200]}
        raise InvalidInput(sentence) from error


def _character(owner: "User", head: Head, name: str) -> Character:
    connection, model = model_named(owner, storable(head.model))
    if connection is None and model_config().local:  # whose server has no other than its own
        model = ""
    return Character(
        name=name,
        choice=ModelChoice(
            connection=connection,
            model=model[:LONGEST_MODEL],
            context_window=head.context_window,
            function_mode=head.function_mode,
        ),
        system_instructions=storable(head.system_instructions),
        functions=functions_on(head.functions_off, head.functions_on),
        ask_first=frozenset(head.functions_ask),
        own=_storable({"description": head.description, "tags": head.tags, "metadata": head.metadata}),
    )


def _block_part(block: Any) -> BlockPart:
    settings = BlockSettings(**block.model_dump(include={*BlockSettings.__dataclass_fields__}))
    return BlockPart(settings, block.value, _storable({"tags": block.tags, "metadata": block.metadata}))


class _FileRows:
    """The rows of a file, in the order in which it has them: no more than a batch of each kind is held."""

    def __init__(self, source: OpenedFile, written: list[str], *, messages: bool) -> None:
        """`written` gets the names of the documents' files."""
        self.source, self.written, self.with_messages = source, written, messages
        self.messages, self.passages = _Batch(Message), _Batch(Passage)
        self.archives: list[Archive] = []
        self.histories: dict[str, _History] = {}
        self.seq, self.queue_start = 0, 0
        self.agent: Agent

    def bring(self, agent: Agent, blocks: dict[str, Block]) -> Queue:
        self.agent = agent
        quotas.check_passages(agent.owner_id, self.source.counts["passages"])
        self._make_archives(self.source.head)
        self.histories = {label: _History(block, agent, self.source.head.name) for label, block in blocks.items()}
        take: dict[str, Callable[[Any], None]] = {
            "history": self._revision,
            "messages": self._message,
            "passages": self._passage,
            "documents": self._document,
            "checkpoints": self._checkpoint,
        }
        for name, entry in self.source.entries():
            take[name](entry)
        self.messages.write()
        self.passages.write()
        for history in self.histories.values():
            history.end()
        summary = storable(self.source.head.summary) if self.with_messages else ""
        return Queue(self.seq + 1, self.queue_start or self.seq + 1, summary)

    def _make_archives(self, head: Head) -> None:
        """Those that were attached become archives of the person's own."""
        self.archives = [self.agent.archive]
        for number, entry in enumerate(head.archives):
            if number:
                name = free_archive_name(self.agent.owner_id, storable(entry.name))
                archive = archive_create(owner=self.agent.owner, name=name)
                archive_attach(agent=self.agent, archive=archive)
                self.archives.append(archive)
            self.archives[number].description = storable(entry.description)
            self.archives[number].save(update_fields=["description"])

    def _archive(self, number: int) -> Archive:
        if number >= len(self.archives):
            raise refused(_("it has no archive number %(number)s") % {"number": number})
        return self.archives[number]

    def _revision(self, entry: RevisionFile) -> None:
        history = self.histories.get("_".join(storable(entry.block).split()))
        if history is None:
            raise refused(_("it has no block “%(label)s”") % {"label": entry.block[:40]})
        history.add(entry)

    def _message(self, entry: MessageFile) -> None:
        if not self.with_messages:
            return
        self.seq += 1
        if entry.in_window and not self.queue_start:
            self.queue_start = self.seq
        fields: dict[str, Any] = entry.model_dump(exclude={"kind", "time", "in_window"})
        message = Message(agent=self.agent, seq=self.seq, kind=entry.kind, created_at=aware(entry.time))
        for name, value in fields.items():
            setattr(message, name, _storable(value))
        message.utc_offset = entry.time.utcoffset() or None
        message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
        recall_storage.index_words(message)
        self.messages.add(message, len(message.content))

    def _passage(self, entry: PassageFile) -> None:
        row = archival_storage.build(self._archive(entry.archive), storable(entry.text))
        row.created_at, row.tags = aware(entry.time), _storable(entry.tags)
        self.passages.add(row, len(row.text))

    def _document(self, entry: DocumentFile) -> None:
        archive = self._archive(entry.archive)
        fields: dict[str, Any] = {
            "conversation": storable(entry.conversation),
            "said_at": entry.said_at and aware(entry.said_at),
        }
        name = (storable(entry.name).replace("/", "_").strip() or "document")[-255:]
        if entry.file:
            content, size = self.source.document(entry.file)
            with content, tempfile.TemporaryFile() as spool:
                shutil.copyfileobj(content, spool)
                spool.seek(0)
                upload: UploadedFile[bytes] = UploadedFile(spool, name, size=size)
                if entry.media_type == CONVERSATION:
                    fields["media_type"] = CONVERSATION
                document = document_bring(archive=archive, file=upload, name=name, **fields)
            self.written.append(document.file.name or "")
        else:
            document = _without_file(archive, name, entry, fields)
        keep_times(Document, [document], [aware(entry.time)])

    def _checkpoint(self, entry: CheckpointFile) -> None:
        if not self.with_messages:
            return
        row = Checkpoint.objects.create(
            agent=self.agent,
            name=storable(entry.name),
            system_instructions=storable(entry.system_instructions),
            blocks=[_storable(block.model_dump()) for block in entry.core_memory],
            last_seq=min(entry.messages, self.source.counts["messages"]),
            queue_start=min(entry.queue_start, self.source.counts["messages"] + 1),
            summary=storable(entry.summary),
        )
        keep_times(Checkpoint, [row], [aware(entry.time)])


def _without_file(archive: Archive, name: str, entry: DocumentFile, fields: dict[str, Any]) -> Document:
    """An export that was unpacked; or a document that is shown as failed until its file is uploaded, whose checksum
    tells that it is this one."""
    unpacked = {"conversations": entry.conversations, "added": entry.added, "status": Document.Status.READY}
    missing = {"error": _("Its file did not come along. Upload it again."), "status": Document.Status.FAILED}
    fields |= missing if entry.conversations is None else unpacked
    return Document.objects.create(
        archive=archive, name=name, sha256=entry.sha256, media_type=entry.media_type, size=0, **fields
    )


def free_archive_name(owner_id: int, name: str) -> str:
    """The name, with a number behind it if the person has an archive of that name."""
    taken = {known.lower() for known in Archive.objects.filter(owner=owner_id).values_list("name", flat=True)}
    names = [name, *(f"{name[:100]} ({number})" for number in range(2, len(taken) + 3))]
    return next(free for free in names if free.lower() not in taken)


class _Batch:
    """Rows that wait until there are enough of them, or they are long enough, to be written together. `times` are those
    at which they were made elsewhere, for a model that notes its own."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rows: list[Any] = []
        self.times: list[datetime] = []
        self.length = 0

    def add(self, row: Any, length: int, time: datetime | None = None) -> None:
        self.rows.append(row)
        self.times += [time] if time else []
        self.length += length
        if len(self.rows) == BATCH or self.length > BATCH_LENGTH:
            self.write()

    def write(self) -> None:
        self.model.objects.bulk_create(self.rows)
        if self.times:
            keep_times(self.model, self.rows, self.times)
        self.rows, self.times, self.length = [], [], 0


class _History:
    """What a block said before, on its way into the rows."""

    def __init__(self, block: Block, agent: Agent, exported_as: str) -> None:
        self.block, self.agent, self.exported_as = block, agent, exported_as
        self.numbers: dict[int, int] = {}  # as the file has them, to those here
        self.revisions = _Batch(BlockRevision)
        self.last = ""

    def add(self, entry: RevisionFile) -> None:
        if not self.numbers:
            self.block.revisions.all().delete()  # the one that it was made with
        if entry.number in self.numbers:
            raise refused(_("“%(name)s” is given twice") % {"name": f"{entry.block} #{entry.number}"})
        number = self.numbers[entry.number] = len(self.numbers) + 1
        # Names of others say nothing here.
        by_agent = entry.editor == Editor.AGENT and entry.by in ("", self.exported_as)
        by_owner = entry.editor != Editor.AGENT and entry.by == self.agent.owner.get_username()
        self.last = storable(entry.value)
        row = BlockRevision(
            block=self.block,
            number=number,
            value=self.last,
            editor=entry.editor,
            agent=self.agent if by_agent else None,
            user=self.agent.owner if by_owner else None,
            restores=self.numbers.get(entry.restores or 0),
        )
        self.revisions.add(row, len(self.last), aware(entry.time))

    def end(self) -> None:
        """The block is at its last revision, which says what it says."""
        self.revisions.write()
        if not self.numbers:
            return
        self.block.revision = len(self.numbers)
        if self.last.strip() == self.block.value and len(self.last) <= self.block.limit:
            self.block.value = self.last
        else:
            self.block.revision += 1
            working_context.record(self.block, working_context.Editor())
        self.block.save(update_fields=["value", "revision"])


def _storable(value: Any) -> Any:
    """Every text within it, as the database can hold it."""
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key) if isinstance(key, str) else key: _storable(item) for key, item in value.items()}
    return storable(value) if isinstance(value, str) else value
