"""An export of another service's chats becomes documents, one a conversation, all of them or none.

A conversation that the archive has already, from an earlier export, stays as it is, or is read anew where it has grown.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from agents import dispatch, quotas
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage
from agents.ingest.reader_process import Unpacked, unpack
from agents.models import Archive, Document
from agents.text.media_types import CONVERSATION

BATCH = 500  # rows written at once, and conversations between two signs of life

Look = Callable[[], None]  # says that it is being worked on; raises where the export was deleted


def work(document: Document, look: Look) -> None:
    """Unpack an export. Raises InvalidInput, or OSError; nothing is stored then."""
    written: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        total = _spool(document, spool, look)
        try:
            made = _documents(document, spool, written, look)
            with transaction.atomic():
                look()
                _store(document, made, total)
        except BaseException:
            _delete_files(written)
            raise
    document.file.delete(save=False)


def _spool(document: Document, spool: IO[str], look: Look) -> int:
    """Write the conversations down and tell how many: an export may be broken at its end."""
    total = 0
    for total, found in enumerate(unpack(document.file.path, look), start=1):
        spool.write(json.dumps(found) + "\n")
        if total % BATCH == 0:
            look()
    if not total:
        raise InvalidInput(_("There is no conversation in it in which something was said."))
    return total


def _spooled(spool: IO[str]) -> Iterator[tuple[Unpacked, bytes, str]]:
    """Each with its content and the checksum of it."""
    spool.seek(0)
    for line in spool:
        found = Unpacked(*json.loads(line))
        raw = found.text.encode()
        yield found, raw, hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True)
class _Known:
    """What an archive has: until when each conversation goes in it, and contents by their checksums."""

    until: dict[str, datetime | None]
    contents: set[str]

    def has(self, key: str, until: datetime | None, sha256: str) -> bool:
        """The same, or more of it than in an older export."""
        there = self.until.get(key)
        return sha256 in self.contents or (there is not None and (until is None or until < there))


def _known(archive: Archive) -> _Known:
    rows = list(archive.documents.values_list("conversation", "said_at", "sha256"))
    return _Known({key: at for key, at, _sha256 in rows if key}, {sha256 for _key, _at, sha256 in rows})


def _documents(document: Document, spool: IO[str], written: list[str], look: Look) -> list[Document]:
    """Of what is new or has grown, unsaved, with their files. `written` gets the names of these."""
    known = _known(document.archive)
    new: dict[str, tuple[str, int]] = {}  # by conversation, of which an export may have several: content and size
    for found, raw, sha256 in _spooled(spool):
        if not known.has(found.key, _time(found), sha256):
            new[found.key] = sha256, len(raw)
    quotas.check_bytes(document.archive.owner_id, sum(size for _sha256, size in new.values()) - document.size)
    made: list[Document] = []
    for found, raw, sha256 in _spooled(spool):
        if new.get(found.key) != (sha256, len(raw)):
            continue
        del new[found.key]
        row = Document(
            archive=document.archive,
            name=found.title or _("Untitled conversation"),
            sha256=sha256,
            media_type=CONVERSATION,
            size=len(raw),
            conversation=found.key,
            said_at=_time(found),
        )
        name = default_storage.save(row.file.field.generate_filename(row, f"{sha256[:16]}.json"), ContentFile(raw))
        written.append(name)
        row.file.name = name
        made.append(row)
        if len(made) % BATCH == 0:
            look()
    return made


def _time(found: Unpacked) -> datetime | None:
    return None if found.until is None else datetime.fromtimestamp(found.until, UTC)


def _store(document: Document, made: list[Document], total: int) -> None:
    archive = Archive.objects.select_for_update(no_key=True).get(pk=document.archive_id)  # one export after the other
    known = _known(archive)
    late = [row for row in made if known.has(row.conversation, row.said_at, row.sha256)]
    _delete_files([str(row.file.name) for row in late])  # another export had them just now
    gone = {row.sha256 for row in late}
    rows = [row for row in made if row.sha256 not in gone]
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        for old in archive.documents.filter(conversation__in=[row.conversation for row in some]):
            old.delete()
        Document.objects.bulk_create(some)
    done = {"status": Document.Status.READY, "conversations": total, "added": len(rows), "file": "", "size": 0}
    Document.objects.filter(pk=document.pk).update(**done)
    dispatch.ingest()
    archival_storage.announce_document(document)
    archival_storage.announce(archive)


def _delete_files(names: list[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):
            default_storage.delete(name)
