"""An exported agent's file, opened and looked through before anything is made of it. No more of it is held than its
head and one entry of a list; names in it are never used as paths."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import BaseModel, ValidationError

from agents.exceptions import InvalidInput
from agents.services.agent_files import FORMAT, STREAMED, VERSION, Head
from memweb.history.streamed import JsonFault, JsonText, TooLong, TooNested, entries, fields, skip

PACKED = b"PK\x03\x04"
AGENT = "agent.json"  # in a zip; all others are documents
DOCUMENT = re.compile(r"documents/[0-9]{1,9}/[^/\\\x00]+")
MEMBERS = STREAMED["documents"][1] + 1
LARGEST_DIRECTORY = 32 * 1024 * 1024  # bytes of a zip's list of what is in it, which is read in one go
RATIO, RATIO_FROM = 200, 10 * 1024 * 1024  # JSON packs to a twentieth, a bomb to a thousandth
UNPACKED = 4  # times what a file may have
LARGEST = 8 * 1024 * 1024  # characters of one entry
LARGEST_HEAD = 32 * 1024 * 1024  # characters
DAMAGED = (BadZipFile, zlib.error, EOFError, NotImplementedError)
NO_ZIP = (*DAMAGED, ValueError, OSError, RuntimeError, struct.error)  # raised before anything in it is read


class _Bounded(io.BufferedIOBase):
    """A file of which nothing large is read in one go."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise InvalidInput(_too_many_members())
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


class OpenedFile:
    """An agent's file that can be read. `counts` has the number of entries of each of its long lists."""

    def __init__(self, file: IO[bytes], packed: ZipFile | None) -> None:
        self._file, self._packed = file, packed
        self.counts = dict.fromkeys(STREAMED, 0)
        self.head = self._look_through()

    def _text(self) -> IO[bytes]:
        if self._packed:
            return self._packed.open(AGENT)
        self._file.seek(0)
        return self._file

    def _look_through(self) -> Head:
        """The whole file is read: what is wrong with it as JSON is known before anything is made of it."""
        gathered: dict[str, Any] = {}
        room = LARGEST_HEAD
        text = JsonText(self._text(), largest=LARGEST)
        for name in _fields(text):
            if name in gathered:
                raise refused(_("“%(name)s” is given twice") % {"name": name[:80]})
            began = text.taken
            if name in Head.model_fields:
                gathered[name] = text.value()
                room -= text.taken - began
            elif name in STREAMED:
                self._count(name, text)
                gathered[name] = None
            else:
                skip(text)
                gathered[name] = None
            if room < 0 or len(gathered) > 1000:
                raise refused(_("it says more of the agent than any export does"))
        return _head(gathered)

    def _count(self, name: str, text: JsonText) -> None:
        most = STREAMED[name][1]
        if text.next_sign() != "[":
            raise refused(_("%(where)s is no list") % {"where": name})
        for count, _entry in enumerate(entries(text), start=1):
            self.counts[name] = count
            if count > most:
                raise _too_many_entries(name, most)

    def entries(self) -> Iterator[tuple[str, BaseModel]]:
        """Everything in its long lists, each with the list's name. Raises InvalidInput for what does not fit."""
        text = JsonText(self._text(), largest=LARGEST)
        for name in _fields(text):
            if name not in STREAMED:
                skip(text)
                continue
            kind, _most = STREAMED[name]
            for number, value in enumerate(entries(text)):
                try:
                    yield name, kind.model_validate(value)
                except ValidationError as error:
                    raise _unfit(error, name, number) from error

    def document(self, name: str) -> tuple[IO[bytes], int]:
        """A document's content and its size. Raises InvalidInput if the file has none of that name."""
        try:
            if self._packed is None or not DOCUMENT.fullmatch(name):
                raise KeyError(name)
            return self._packed.open(name), self._packed.getinfo(name).file_size
        except KeyError as error:
            raise refused(_("the document “%(name)s” is not in it") % {"name": name[:80]}) from error


def refused(reason: str) -> InvalidInput:
    """For what is no agent's file, or a broken one."""
    return InvalidInput(_("This is not an agent exported by memweb: %(reason)s.") % {"reason": reason})


def _fields(text: JsonText) -> Iterator[str]:
    """The names in the file's object, to its end."""
    yield from fields(text)
    text.end()


def _head(gathered: dict[str, Any]) -> Head:
    version = gathered.get("version")
    if gathered.get("format") == FORMAT and isinstance(version, int) and version > VERSION:
        sentence = _("This file was written by a newer memweb (version %(version)s); this one reads up to %(most)s.")
        raise InvalidInput(sentence % {"version": str(version)[:20], "most": VERSION})
    try:
        return Head.model_validate({name: value for name, value in gathered.items() if name not in STREAMED})
    except ValidationError as error:
        raise _unfit(error) from error


def _unfit(error: ValidationError, *place: str | int) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:80] for part in (*place, *first["loc"])) or "JSON"
    return refused(_("%(where)s, %(reason)s") % {"where": where, "reason": first["msg"]})


# Opened


def check_size(size: int, most: int) -> None:
    """Of a file, in bytes. Raises InvalidInput."""
    if size > most:
        raise InvalidInput(_("The file is too large: at most %(limit)d MB.") % {"limit": most // 1048576})


@contextmanager
def opened(file: IO[bytes]) -> Iterator[OpenedFile]:
    """Look through a file. Raises InvalidInput, also for what turns out to be damaged while it is read."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    check_size(size, settings.MAX_AGENT_FILE_BYTES)
    try:
        if file.read(len(PACKED)) != PACKED:
            yield OpenedFile(file, None)
            return
        with _zip(file) as packed:
            _check_members(packed.infolist())
            yield OpenedFile(file, packed)
    except DAMAGED as error:
        raise _damaged(error) from error
    except JsonFault as error:
        raise refused(_reason(error)) from error


def _zip(file: IO[bytes]) -> ZipFile:
    try:
        return ZipFile(_Bounded(file))
    except NO_ZIP as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> InvalidInput:
    return refused(_("the ZIP file is damaged or was cut off on its way (%(reason)s)") % {"reason": error})


def is_agent_file(file: IO[bytes]) -> bool:
    """Whether it says of itself that it is one of memweb's own, whatever else is wrong with it. It is at its beginning
    afterwards."""
    try:
        if file.read(len(PACKED)) == PACKED:
            return True
        file.seek(0)
        text = JsonText(file, largest=LARGEST)
        for name in fields(text):
            if name == "format":
                return bool(text.value() == FORMAT)
            skip(text)
    except JsonFault:
        return False
    finally:
        file.seek(0)
    return False


def _reason(error: JsonFault) -> str:
    if isinstance(error, TooNested):
        return _("its parts are nested too deeply in one another")
    if isinstance(error, TooLong):
        return _("one entry in it has more than %(most)s MB") % {"most": LARGEST // 1024**2}
    return _("it is not valid JSON, or was cut off on its way (%(reason)s)") % {"reason": error}


def _check_members(members: list[ZipInfo]) -> None:
    if len(members) > MEMBERS:
        raise InvalidInput(_too_many_members())
    names = [member.filename for member in members]
    if AGENT not in names:
        raise refused(_("there is no agent.json in it"))
    if len({*names}) < len(names):
        raise refused(_("it has two files of one name"))
    for member in members:
        if member.filename != AGENT and not DOCUMENT.fullmatch(member.filename):
            raise refused(_("it holds “%(name)s”, as no export does") % {"name": member.filename[:80]})
        if member.flag_bits & 1:
            raise refused(_("it is protected by a password"))
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise refused(_("it is packed as no export is"))
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if size > UNPACKED * settings.MAX_AGENT_FILE_BYTES or (size > RATIO_FROM and size > RATIO * packed):
        reason = _("The file would unpack to %(size)s MB, which is too much. It was not unpacked.")
        raise InvalidInput(reason % {"size": f"{size / 1048576:,.0f}"})


def _too_many_entries(name: str, most: int) -> InvalidInput:
    sentence = ngettext(
        "This file cannot be imported: %(what)s has more than %(most)s entry.",
        "This file cannot be imported: %(what)s has more than %(most)s entries.",
        most,
    )
    return InvalidInput(sentence % {"what": name, "most": f"{most:,}"})


def _too_many_members() -> str:
    sentence = ngettext(
        "The file holds more than %(limit)s file. It was not unpacked.",
        "The file holds more than %(limit)s files. It was not unpacked.",
        MEMBERS,
    )
    return sentence % {"limit": f"{MEMBERS:,}"}
