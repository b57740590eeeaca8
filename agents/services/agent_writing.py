"""An agent is written into a file, with its documents if they are asked for, as it is at one moment."""

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from pydantic import BaseModel

from agents import selectors
from agents.main_context import working_context
from agents.models import Agent, Archive, Block, BlockRevision, Document, Passage
from agents.services.agent_files import (
    VERSION,
    ArchiveFile,
    BlockFile,
    CheckpointFile,
    DocumentFile,
    Head,
    OwnBlockFile,
    PassageFile,
    RevisionFile,
    character,
    message_file,
)
from agents.services.agent_reading import AGENT

ROWS = 100  # read at once: one may be long
PIECE = 256 * 1024  # bytes
UNSAFE = re.compile(r"[^\w .()+-]")


class WrittenFile:
    """A file that was written, whole: to be read piece by piece, awaited, then closed."""

    def __init__(self, file: IO[bytes], ending: str) -> None:
        self.file, self.ending = file, ending
        self.size = file.tell()
        file.seek(0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = sync_to_async(self.file.read, thread_sensitive=False)
        while piece := await read(PIECE):
            yield piece

    def close(self) -> None:
        """It is gone then."""
        self.file.close()


def agent_write(*, agent: Agent, documents: bool = False) -> WrittenFile:
    """All of the agent, as `agent_import` reads it: JSON, or with `documents` a zip. It is on disk, never in memory."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (whoever gets it closes it)
    try:
        with _one_moment():
            written = _Writing(Agent.objects.select_related("summary", "archive").get(pk=agent.pk))
            if documents:
                written.pack(file)
            else:
                file.writelines(written.pieces())
    except BaseException:
        file.close()
        raise
    return WrittenFile(file, "zip" if documents else "json")


@contextmanager
def _one_moment() -> Iterator[None]:
    """Every statement in it sees the database as it was at the first; within a transaction, what that one sees."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


class _Writing:
    """What goes into the file of one agent."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.blocks: list[Block] = working_context.blocks_of(agent)
        attached = agent.attached_archives.filter(owner=agent.owner_id).order_by("pk")
        self.archives: list[Archive] = [agent.archive, *attached]
        self.files: dict[int, str] = {}  # of documents, by their keys: what is beside it in the zip

    def pack(self, file: IO[bytes]) -> None:
        """As a zip. The documents first: the agent tells which are there."""
        with ZipFile(file, "w", ZIP_DEFLATED) as packed:
            for document in self._all_documents().exclude(file=""):
                self._pack_document(packed, document)
            with packed.open(AGENT, "w", force_zip64=True) as whole:
                for piece in self.pieces():
                    whole.write(piece)

    def _pack_document(self, packed: ZipFile, document: Document) -> None:
        try:
            content = document.file.open()
        except FileNotFoundError:  # it was deleted meanwhile
            return
        name = UNSAFE.sub("_", document.name)[-100:].strip(" .") or "document"
        self.files[document.pk] = f"documents/{len(self.files) + 1}/{name}"
        with content, packed.open(self.files[document.pk], "w", force_zip64=True) as target:
            shutil.copyfileobj(content, target)

    def pieces(self) -> Iterator[bytes]:
        """The JSON."""
        yield self._head().model_dump_json().removesuffix("}").encode()
        lists: dict[str, Iterator[BaseModel]] = {
            "history": self._history(),
            "checkpoints": self._checkpoints(),
            "documents": self._documents(),
            "passages": self._passages(),
            "messages": self._messages(),
        }
        for name, parts in lists.items():
            yield f',\n"{name}":['.encode()
            for number, part in enumerate(parts):
                yield (b",\n" if number else b"\n") + part.model_dump_json().encode()
            yield b"]"
        yield b"}\n"

    def _head(self) -> Head:
        agent = self.agent
        prompt_blocks = working_context.prompt_blocks(self.blocks)
        return Head(
            **character(agent),
            version=VERSION,
            function_mode=Agent.FunctionMode(agent.function_mode),
            description=agent.description,
            tags=agent.tags,
            metadata=agent.metadata,
            core_memory=[
                OwnBlockFile(**vars(shown), tags=block.tags, metadata=block.metadata)
                for shown, block in zip(prompt_blocks, self.blocks, strict=True)
            ],
            archives=[ArchiveFile(name=one.name, description=one.description) for one in self.archives],
        )

    def _history(self) -> Iterator[RevisionFile]:
        for block in self.blocks:
            rows = block.revisions.select_related("agent", "user").order_by("number")
            for row in rows.iterator(ROWS):
                yield RevisionFile(
                    block=block.label,
                    number=row.number,
                    value=row.value,
                    time=row.created_at,
                    editor=BlockRevision.Editor(row.editor),
                    by=str(row.agent or row.user or ""),
                    restores=row.restores,
                )

    def _checkpoints(self) -> Iterator[CheckpointFile]:
        timeline = selectors.timeline_from(self.agent, 0).order_by()
        for row in self.agent.checkpoints.order_by("created_at").iterator(ROWS):
            yield CheckpointFile(
                name=row.name,
                time=row.created_at,
                system_instructions=row.system_instructions,
                core_memory=[BlockFile(**block) for block in row.blocks],
                messages=timeline.filter(seq__lte=row.last_seq).count(),
                queue_start=timeline.filter(seq__lt=row.queue_start).count() + 1,
                summary=row.summary,
            )

    def _all_documents(self) -> Any:
        return Document.objects.filter(archive__in=self.archives).order_by("pk")

    def _documents(self) -> Iterator[DocumentFile]:
        places = {archive.pk: number for number, archive in enumerate(self.archives)}
        for row in self._all_documents().iterator(ROWS):
            yield DocumentFile(
                name=row.name,
                time=row.created_at,
                archive=places[row.archive_id],
                media_type=row.media_type,
                sha256=row.sha256,
                conversation=row.conversation,
                said_at=row.said_at,
                conversations=row.conversations,
                added=row.added,
                file=self.files.get(row.pk, ""),
            )

    def _passages(self) -> Iterator[PassageFile]:
        """What the agent or a person filed; those of documents are made anew of these."""
        for number, archive in enumerate(self.archives):
            rows = Passage.objects.filter(archive=archive, document=None, retracted_at=None).order_by("pk")
            for row in rows.only("text", "created_at", "tags").iterator(ROWS):
                yield PassageFile(text=row.text, time=row.created_at, archive=number, tags=row.tags)

    def _messages(self) -> Iterator[BaseModel]:
        rows = selectors.timeline_from(self.agent, 0).select_related(None)
        for row in rows.iterator(ROWS):
            yield message_file(self.agent, row)
