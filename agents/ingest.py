"""Documents to passages: read, cut, embed, store, with progress, and again from where it stopped."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from agents import tokens
from agents.exceptions import InvalidInput, LLMError
from agents.external_context import archival_storage
from agents.models import Document
from agents.single import alone
from agents.text import storable

PASSAGE_TOKENS = 200
PAGES_A_REPORT = 20  # while a long PDF is read, so that the reaper sees somebody at it
BATCH = 8  # passages between two reports of progress
MEDIA_TYPES = {".txt": "text/plain", ".md": "text/markdown", ".pdf": "application/pdf"}
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# what pypdf meets broken files with
BROKEN_PDF = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError)

Status = Document.Status


@dataclass(frozen=True)
class Piece:
    position: int
    page: int | None
    text: str


def check_upload(file: "UploadedFile[bytes]") -> str:
    """The media type of an upload that can be taken. Raises InvalidInput with what is wrong and what would do."""
    name, size = file.name or "", file.size or 0
    media_type = MEDIA_TYPES.get(Path(name).suffix.lower())
    if media_type is None:
        raise InvalidInput(f"“{name}” is not a kind of file memweb reads. It reads {', '.join(MEDIA_TYPES)}.")
    if size == 0:
        raise InvalidInput(f"“{name}” is empty.")
    if size > settings.MAX_UPLOAD_BYTES:
        limit = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
        raise InvalidInput(f"“{name}” has {size / 1048576:,.1f} MB; a file may have at most {limit} MB.")
    head = file.read(1024)
    file.seek(0)
    if (media_type == "application/pdf") != head.lstrip().startswith(b"%PDF"):
        raise InvalidInput(f"“{name}” is not what its name says: the content is {_looks_like(head)}.")
    if media_type != "application/pdf" and b"\x00" in head and not head.startswith(UTF_16_MARKS):
        raise InvalidInput(f"“{name}” is not what its name says: the content is not text.")
    return media_type


def sha256_of(file: "UploadedFile[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


class _Deleted(Exception):
    """Somebody deleted the document while it was worked on."""


def work(document: Document) -> None:
    """Ingest `document`. What an earlier attempt stored is kept; a failure is written on it, in plain words."""
    with contextlib.suppress(_Deleted), alone(f"ingest {document.pk}") as first:
        if first:
            _work(document)


def _work(document: Document) -> None:
    try:
        _report(document, status=Status.READING, error="")
        pieces = list(cut(document))
        if not pieces:
            raise InvalidInput("No text was found in it. A scanned PDF has only pictures of text.")
        done = set(document.passages.values_list("position", flat=True))
        _report(document, status=Status.EMBEDDING, total=len(pieces), done=len(done))
        missing = [piece for piece in pieces if piece.position not in done]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            archival_storage.insert_pieces(document, [(p.position, p.page, p.text) for p in batch])
            _report(document, done=document.done + len(batch))
        _report(document, status=Status.READY)
        archival_storage.announce(document.archive)
    except (InvalidInput, LLMError) as error:
        _report(document, status=Status.FAILED, error=str(error))
    except OSError as error:
        reason = f"The uploaded file cannot be read any more ({error.strerror}). Delete this entry and upload it again."
        _report(document, status=Status.FAILED, error=reason)
    except _Deleted:
        raise
    except Exception as error:  # our own fault: said to the person, then raised for the log
        _report(
            document, status=Status.FAILED, error=f"memweb itself failed: {type(error).__name__}. The log says more."
        )
        raise


def cut(document: Document) -> Iterator[Piece]:
    """The document's text in passages of about 200 tokens, cut where sentences and paragraphs end."""
    kind = MarkdownSplitter if document.media_type == "text/markdown" else TextSplitter
    splitter = kind.from_callback(tokens.count, (PASSAGE_TOKENS // 2, PASSAGE_TOKENS))
    position = 0
    for page, text in _pages(document):
        for piece in splitter.chunks(text):
            yield Piece(position, page, piece)
            position += 1


def _pages(document: Document) -> Iterator[tuple[int | None, str]]:
    if document.media_type != "application/pdf":
        yield None, _decode(Path(document.file.path).read_bytes())
        return
    try:
        reader = PdfReader(document.file.path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidInput("It is protected by a password. Save a copy without one and upload that.")
        _report(document, pages=len(reader.pages))
        for number, page in enumerate(reader.pages, start=1):
            if number % PAGES_A_REPORT == 0:
                _report(document)
            yield number, storable(page.extract_text().replace("\x00", " "))
    except BROKEN_PDF as error:
        raise InvalidInput(f"The PDF cannot be read: it may be damaged ({error}).") from error


def _decode(raw: bytes) -> str:
    try:
        return storable(raw.decode(_encoding(raw)).replace("\x00", " "))
    except UnicodeError as error:
        raise InvalidInput("Its text encoding is not known. Save it as UTF-8.") from error


def _encoding(raw: bytes) -> str:
    """A guess. UTF-16 only if marked: nearly any bytes are UTF-16 of something."""
    if raw.startswith(UTF_16_MARKS):
        return "utf-16"
    try:
        raw.decode()
    except UnicodeDecodeError:
        runs = re.findall(rb"[\x80-\xff]+", raw)  # single accented letters in Western text, pairs in Chinese
        return "cp1252" if 2 * sum(len(run) % 2 for run in runs) > len(runs) else "gb18030"
    return "utf-8-sig"


def _report(document: Document, **fields: object) -> None:
    """Write progress down and tell the pages; with no fields, only that somebody is still at it."""
    for name, value in fields.items():
        setattr(document, name, value)
    if not Document.objects.filter(pk=document.pk).update(**fields, worked_at=timezone.now()):
        raise _Deleted
    archival_storage.announce_document(document)


def _looks_like(head: bytes) -> str:
    if head.lstrip().startswith(b"%PDF"):
        return "a PDF"
    if head.startswith(b"PK"):
        return "a ZIP or Office file"
    return "something else"
