"""What is taken: looked at before anything is stored, and refused with what is wrong and what would do."""

import contextlib
import hashlib
import io
import zlib
from pathlib import Path
from typing import IO, cast
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile, ZipInfo

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.exceptions import InvalidInput
from agents.ingest.decoding import is_text
from agents.ingest.kinds import DOCUMENTS, MEDIA_TYPES, OPEN, media_type_of
from agents.text.media_types import EXPORT
from memweb import history

# Members of a ZIP file that tell what it is; of OpenDocument it is the content of one.
INSIDE = {"word/": ".docx", "ppt/": ".pptx", "xl/": ".xlsx", "META-INF/container.xml": ".epub"}
OPEN_DOCUMENTS = (".odt", ".odp", ".ods")
ZIPS = (*INSIDE.values(), *OPEN_DOCUMENTS)
UNPACKED_BYTES = 200 * 1024 * 1024
TREE_BYTES = 50 * 1024 * 1024  # of XML that is held as a tree, which takes ten times as much and more
RATIO, RATIO_FROM = 200, 10 * 1024 * 1024  # Office's XML packs to a twentieth, a bomb to a thousandth
MEMBERS = 10_000
HEAD = 1024
PROLOG = 64 * 1024  # a comment that goes on for megabytes takes its parser the square of them
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
BROKEN_ZIP = (BadZipFile, zlib.error, EOFError, ValueError, LookupError, NotImplementedError, RuntimeError, OSError)


class WholeFiles(FileSystemStorage):
    """Keeps a file whole or not at all: what a full disk cut short is taken away again."""

    def _save(self, name: str, content: "File[bytes]") -> str:
        try:
            kept: str = super()._save(name, content)  # type: ignore[misc]  # the stubs leave it out
        except OSError:
            with contextlib.suppress(OSError):
                Path(self.path(name)).unlink()
            raise
        return kept


def check_upload(file: "UploadedFile[bytes]") -> str:
    """The media type of an upload that can be taken. Raises InvalidInput with what is wrong and what would do."""
    name, size = file.name or "", file.size or 0
    suffix = Path(name).suffix.lower()
    if size == 0:
        raise InvalidInput(_("“%(name)s” is empty.") % {"name": name})
    if size > settings.MAX_UPLOAD_BYTES:
        reason = _("“%(name)s” has %(size)s MB; a file may have at most %(limit)s MB.")
        if history.is_export(cast(IO[bytes], file)):
            reason = _(
                "“%(name)s” has %(size)s MB, and here at most %(limit)s MB are taken. At a terminal an export may have "
                "any size: memweb load %(name)s --archive NAME"
            )
        limit = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
        raise InvalidInput(reason % {"name": name, "size": f"{size / 1048576:,.1f}", "limit": limit})
    if history.is_export(cast(IO[bytes], file)):
        return EXPORT
    try:
        if suffix not in MEDIA_TYPES and not _is_plain(file.read(HEAD)):
            kinds = ", ".join(DOCUMENTS)
            reason = _(
                "“%(name)s” is not a kind of file memweb reads. It reads %(kinds)s, and any text or source code."
            )
            raise InvalidInput(reason % {"name": name, "kinds": kinds})
        file.seek(0)
        _check_content(file, name, suffix)
    finally:
        file.seek(0)
    return media_type_of(name)


def sha256_of(file: "UploadedFile[bytes]") -> str:
    """The checksum in hexadecimal digits; the file is back at its beginning afterwards."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _check_content(file: "UploadedFile[bytes]", name: str, suffix: str) -> None:
    head = file.read(HEAD)
    if suffix == ".zip" and head.startswith(b"PK"):
        raise InvalidInput(
            _(
                "“%(name)s” is no export of ChatGPT or Claude: there is no conversations.json in it. Unpack other "
                "ZIP files and upload what is in them."
            )
            % {"name": name}
        )
    is_zip, packed = suffix in (*ZIPS, ".zip"), head.startswith(b"PK\x03\x04")
    if is_zip and head.startswith(OLE):
        _refuse_old_office(file, name, suffix)
    if is_zip and packed:
        _check_zip(file, name, suffix)
        return
    is_pdf, shown = suffix == ".pdf", head.lstrip().startswith(b"%PDF")
    if is_zip or packed or is_pdf != shown:
        raise _mistaken(name, _looks_like(head))
    if not is_pdf and b"\x00" in head and not is_text(head):
        raise _mistaken(name, _("not text"))


def _is_plain(head: bytes) -> bool:
    return not head.lstrip().startswith((b"%PDF", b"PK\x03\x04", b"{\\rtf")) and is_text(head)


def _refuse_old_office(file: "UploadedFile[bytes]", name: str, suffix: str) -> None:
    """Office wraps a file with a password into the container its formats before 2007 had."""
    file.seek(0)
    if ENCRYPTED in file.read():
        reason = _("“%(name)s” is protected by a password. Save a copy without one and upload that.")
    else:
        reason = _("“%(name)s” is of an Office before 2007. Open it, save it as %(kind)s, and upload that.")
    raise InvalidInput(reason % {"name": name, "kind": suffix})


def _check_zip(file: "UploadedFile[bytes]", name: str, suffix: str) -> None:
    try:
        file.seek(0)
        with ZipFile(cast(IO[bytes], file)) as archive:
            members = archive.infolist()
            _check_members(members, name, suffix, _kinds(archive))
            if suffix != ".epub":  # a book's pages are read as HTML, which has none
                _refuse_entities(archive, name)
    except BROKEN_ZIP as error:
        reason = _("“%(name)s” is damaged or was cut off on its way: it cannot be unpacked (%(reason)s).")
        raise InvalidInput(reason % {"name": name, "reason": error}) from error


def _kinds(archive: ZipFile) -> set[str]:
    """The endings of what it may be."""
    names = archive.namelist()
    declared = archive.read("mimetype")[:100].decode("latin-1") if "mimetype" in names else ""
    if declared.startswith(OPEN):
        return {suffix for suffix in OPEN_DOCUMENTS if declared.startswith(MEDIA_TYPES[suffix])}
    return {kind for start, kind in INSIDE.items() if any(member.startswith(start) for member in names)}


def _check_members(members: list[ZipInfo], name: str, suffix: str, kinds: set[str]) -> None:
    if len(members) > MEMBERS:
        reason = ngettext(
            "“%(name)s” holds more than %(limit)s file. It was not unpacked.",
            "“%(name)s” holds more than %(limit)s files. It was not unpacked.",
            MEMBERS,
        )
        raise InvalidInput(reason % {"name": name, "limit": f"{MEMBERS:,}"})
    if suffix not in kinds:
        raise _mistaken(name, _kind_name(kinds))
    if any(member.flag_bits & 1 for member in members):
        reason = _("“%(name)s” is protected by a password. Save a copy without one and upload that.")
        raise InvalidInput(reason % {"name": name})
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members) or 1
    text = sum(member.file_size for member in members if member.filename.endswith((".xml", ".xhtml", ".html")))
    if (
        size > UNPACKED_BYTES
        or (size > RATIO_FROM and size > RATIO * packed)
        or (suffix != ".xlsx" and text > TREE_BYTES)  # sheets are read row by row
    ):
        reason = _("“%(name)s” would unpack to %(size)s MB, which is too much. It was not unpacked.")
        raise InvalidInput(reason % {"name": name, "size": f"{size / 1048576:,.0f}"})


def _refuse_entities(archive: ZipFile, name: str) -> None:
    """Office never declares XML entities; a few of them inside one another fill any memory."""
    for member in archive.infolist():
        with archive.open(member) as content:
            try:
                head = io.BytesIO(content.read(PROLOG))
                next(iterparse(head, events=("start",)), None)  # up to the root: they are declared before it
            except DefusedXmlException as error:
                reason = _("“%(name)s” is not a normal Office file: its XML declares entities. It was not read.")
                raise InvalidInput(reason % {"name": name}) from error
            except ParseError:
                continue  # a picture, or damaged, which reading it will tell


def _mistaken(name: str, content: str) -> InvalidInput:
    reason = _("“%(name)s” is not what its name says: the content is %(content)s.")
    return InvalidInput(reason % {"name": name, "content": content})


def _kind_name(kinds: set[str]) -> str:
    names = {
        ".docx": _("a Word document"),
        ".pptx": _("a PowerPoint presentation"),
        ".xlsx": _("an Excel workbook"),
        ".epub": _("an EPUB book"),
        ".odt": _("an OpenDocument text"),
        ".odp": _("an OpenDocument presentation"),
        ".ods": _("an OpenDocument spreadsheet"),
    }
    return next((names[kind] for kind in names if kind in kinds), _("a ZIP file"))


def _looks_like(head: bytes) -> str:
    if head.lstrip().startswith(b"%PDF"):
        return _("a PDF")
    if head.startswith(b"PK"):
        return _("a ZIP or Office file")
    if head.startswith(OLE):
        return _("an old or protected Office file")
    return _("something else")
