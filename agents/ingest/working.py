"""One document's way through a worker: read, cut, embed, store, with progress, and again from where it stopped."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import IO

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents import person, quotas
from agents.exceptions import InvalidInput, LLMError
from agents.external_context import archival_storage
from agents.external_context.archival_storage import Piece
from agents.ingest import unpacking
from agents.ingest.reader_process import read
from agents.locks import TRANSIENT, try_lock
from agents.models import Archive, Document
from agents.text.media_types import EXPORT

BATCH = 8  # passages between two reports of progress
MAX_ATTEMPTS = 3
PAGES_A_REPORT = 10

Status = Document.Status


class _Deleted(Exception):
    """Somebody deleted the document while it was worked on."""


def work(document: Document) -> None:
    """Ingest `document`. What an earlier attempt stored is kept; a failure is told in the owner's language."""
    with contextlib.suppress(_Deleted, Archive.DoesNotExist), try_lock(f"ingest {document.pk}") as acquired:
        if acquired:
            with person.works_for(person.person_of(document.archive.owner_id)):
                _work(document)


def _work(document: Document) -> None:
    try:
        _begin(document)
        if document.media_type == EXPORT:
            unpacking.work(document, lambda: _look(document))
            return
        with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
            total = _spool(document, spool)
            _store(document, _spooled(spool), total)
        _report(document, status=Status.READY)
        archival_storage.announce(document.archive)
    except (InvalidInput, LLMError) as error:
        _report(document, status=Status.FAILED, error=str(error))
    except OSError as error:
        reason = _("The uploaded file cannot be read any more (%(reason)s). Delete this entry and upload it again.")
        _report(document, status=Status.FAILED, error=reason % {"reason": error.strerror or error})
    except (_Deleted, *TRANSIENT):  # a database that was away is no fault of the file: the reaper has it taken up again
        raise
    except Exception as error:  # our own fault: said to the person, then raised for the log
        reason = _("memweb itself failed: %(fault)s. The log says more.") % {"fault": type(error).__name__}
        _report(document, status=Status.FAILED, error=reason)
        raise


def _spool(document: Document, spool: IO[str]) -> int:
    """Write the pieces down, however many they are, and tell how many. Nothing is stored of a file that turns out to be
    unreadable or too large at its end."""
    total = 0
    for piece in cut(document):
        spool.write(json.dumps(piece) + "\n")
        total = piece.position + 1
    if not total:
        raise InvalidInput(_nothing_in(document))
    spool.seek(0)
    return total


def _spooled(spool: IO[str]) -> Iterator[Piece]:
    return (Piece(*json.loads(line)) for line in spool)


def _store(document: Document, pieces: Iterator[Piece], total: int) -> None:
    done = set(document.passages.values_list("position", flat=True))
    quotas.check_passages(document.archive.owner_id, total - len(done))
    _report(document, status=Status.EMBEDDING, total=total, done=len(done))
    missing = (piece for piece in pieces if piece.position not in done)
    while batch := list(islice(missing, BATCH)):
        archival_storage.insert_pieces(document, batch)
        # It gets on: a worker that stops now and then is no reason to give the file up.
        _report(document, status=Status.EMBEDDING, done=document.done + len(batch), attempts=0)


def _begin(document: Document) -> None:
    """Count the attempt before it is made: a file that takes the worker's process down leaves nothing else behind."""
    if document.attempts >= MAX_ATTEMPTS:
        reason = ngettext(
            "Reading it has stopped the worker %(count)s time; it is damaged or too large for this computer's memory. "
            "Save it in another format or in parts, and upload that.",
            "Reading it has stopped the worker %(count)s times; it is damaged or too large for this computer's memory. "
            "Save it in another format or in parts, and upload that.",
            document.attempts,
        )
        raise InvalidInput(reason % {"count": document.attempts})
    _report(document, status=Status.READING, error="", done=0, total=0, attempts=document.attempts + 1)


def cut(document: Document) -> Iterator[Piece]:
    """The document's text in passages, the same ones at every attempt."""

    def tell(number: int, pages: int) -> None:
        """Page `number` comes next."""
        if number == 1:
            _report(document, pages=pages, done=0, total=pages)
        elif number % PAGES_A_REPORT == 0:
            _report(document, done=number - 1)

    for position, cut in enumerate(read(document.file.path, document.media_type, tell, lambda: _look(document))):
        yield Piece(position, *cut)


def _look(document: Document) -> None:
    """It still waits for the reader: no other worker is to take it up."""
    if not Document.objects.filter(pk=document.pk).update(worked_at=timezone.now()):
        raise _Deleted


def _nothing_in(document: Document) -> str:
    if document.media_type == "application/pdf":
        return _("No text was found in it. A scanned PDF has only pictures of text.")
    return _("No text was found in it.")


def _report(document: Document, **fields: object) -> None:
    """Write progress down and tell the pages."""
    for name, value in fields.items():
        setattr(document, name, value)
    if not Document.objects.filter(pk=document.pk).update(**fields, worked_at=timezone.now()):
        raise _Deleted
    archival_storage.announce_document(document)
