"""Exports of ChatGPT and Claude, whole or packed, read one conversation after the other. Knows nothing of the house.

Both services write a list of conversations, `conversations.json`; a large one of ChatGPT's is in several files,
`conversations-000.json` and on. What is in a conversation is for `agents.ingest.conversations` to know.
"""

import json
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from jiter import from_json

Conversation = dict[str, Any]

PACKED = b"PK\x03\x04"
MEMBER = re.compile(r"(?:.*/)?conversations(?:[-_]\d+)?\.json")
MARKS = {"mapping", "chat_messages"}  # what a conversation of ChatGPT's has, and one of Claude's
HEADS = (1024, 8 * 1024, 64 * 1024)  # bytes
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST = 16 * 1024 * 1024  # bytes of one conversation
UNPACKED = 4 * 1024**3  # bytes of all
PART = 8 * 1024 * 1024  # bytes of a part of an export; below what an upload may have
CHUNK = 256 * 1024
DECODER = json.JSONDecoder(strict=False)
SIGN = re.compile(r"\S")
BROKEN_ZIP = (BadZipFile, zlib.error, EOFError, LookupError, NotImplementedError, RuntimeError, ValueError, OSError)


class BadExport(Exception):
    """Why an export cannot be read: a sentence with places for `values`, to be translated by who tells it."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence % values)
        self.sentence, self.values = sentence, values


def _(sentence: str) -> str:
    """Marks a sentence for the catalogue."""
    return sentence


def is_export(file: IO[bytes]) -> bool:
    """Whether a file is an export, by its content. It is at its beginning afterwards."""
    try:
        head = file.read(HEADS[-1])
        return _has_members(file) if head.startswith(PACKED) else _begins_as_one(head)
    finally:
        file.seek(0)


def _has_members(file: IO[bytes]) -> bool:
    with suppress(*BROKEN_ZIP), ZipFile(file) as packed:
        return bool(_members(packed))
    return False


def _members(packed: ZipFile) -> list[ZipInfo]:
    found = [member for member in packed.infolist() if MEMBER.fullmatch(member.filename)]
    return sorted(found, key=lambda member: member.filename)


def _begins_as_one(head: bytes) -> bool:
    """Whether it is a list, and the first of it has what a conversation has."""
    head = head.removeprefix(BYTE_ORDER_MARK)
    if not head.lstrip().startswith(b"["):
        return False
    for size in HEADS:  # it may be broken further on
        with suppress(ValueError):
            begun = from_json(head[:size], partial_mode=True)
            if begun and isinstance(begun[0], dict) and MARKS & begun[0].keys():
                return True
    return False


def conversations(path: str | Path) -> Iterator[Conversation]:
    """All of an export, one by one: no more than one is held. Raises BadExport, or OSError."""
    with ExitStack() as opened:
        file = opened.enter_context(Path(path).open("rb"))
        if file.read(len(PACKED)) != PACKED:
            file.seek(0)
            yield from _listed(file)
            return
        try:
            packed = opened.enter_context(ZipFile(file))
            yield from _unpacked(packed)
        except BROKEN_ZIP as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reason = _("The ZIP file is damaged or was cut off on its way (%(reason)s). Download the export again.")
            raise BadExport(reason, reason=error) from error


def _unpacked(packed: ZipFile) -> Iterator[Conversation]:
    members = _members(packed)
    if not members:
        raise BadExport(_("There is no conversations.json in it, as exports of ChatGPT and Claude have one."))
    if any(member.flag_bits & 1 for member in members):
        raise BadExport(_("It is protected by a password. Save a copy without one and take that."))
    if sum(member.file_size for member in members) > UNPACKED:
        raise _too_large()
    for member in members:
        with packed.open(member) as file:  # gives no more than its header says
            yield from _listed(file)


def _listed(file: IO[bytes]) -> Iterator[Conversation]:
    for number, item in enumerate(_items(file), start=1):
        if not isinstance(item, dict) or not MARKS & item.keys():
            reason = _("Entry %(number)s of the list is no conversation as ChatGPT or Claude writes it.")
            raise BadExport(reason, number=f"{number:,}")
        yield item


class _Text:
    """What was read of a file; `at` is how far it was taken."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoded = getincrementaldecoder("utf-8-sig")("replace")
        self.held, self.at = "", 0
        self.is_whole = False  # nothing is left to be read

    def read_on(self) -> None:
        """At least as much again as is left: what is tried over and over is tried few times."""
        left = self.held[self.at :]
        raw = self._file.read(max(CHUNK, len(left)))
        self.is_whole = not raw
        self.held, self.at = left + self._decoded.decode(raw, final=not raw), 0

    def next_sign(self) -> str:
        """The next character that is no white space, which is left; nothing at the end."""
        while True:
            if found := SIGN.search(self.held, self.at):
                self.at = found.start()
                return found.group()
            self.at = len(self.held)
            if self.is_whole:
                return ""
            self.read_on()

    def value(self) -> Any:
        """The value that begins here, taken."""
        while True:
            try:
                value, self.at = DECODER.raw_decode(self.held, self.at)
            except json.JSONDecodeError as error:  # as it is where the rest is still to be read
                if self.is_whole:
                    raise _broken(error.msg) from error
            except RecursionError as error:
                raise _too_nested() from error
            else:
                return value
            if len(self.held) - self.at > LARGEST:
                reason = _("One conversation in it has more than %(most)s MB, or is not valid JSON.")
                raise BadExport(reason, most=LARGEST // 1024**2)
            self.read_on()


def _items(file: IO[bytes]) -> Iterator[Any]:
    """What a list holds, one value after the other. The file is read as far as each takes."""
    text = _Text(file)
    if text.next_sign() != "[":
        raise BadExport(_("It is not a list of conversations, as ChatGPT and Claude write it."))
    text.at += 1
    begun = False
    while (sign := text.next_sign()) != "]":
        if begun and sign != ",":
            raise _broken(f"“{sign or '…'}”")
        text.at += begun
        if text.next_sign():
            yield text.value()
        begun = True
    text.at += 1
    if after := text.next_sign():
        raise _broken(f"“{after}”")


def _broken(reason: str) -> BadExport:
    sentence = _("It is not valid JSON, or was cut off on its way (%(reason)s). Download the export again.")
    return BadExport(sentence, reason=reason)


def _too_large() -> BadExport:
    reason = _("Its conversations would unpack to more than %(most)s GB, which is too much. It was not unpacked.")
    return BadExport(reason, most=UNPACKED // 1024**3)


def _too_nested() -> BadExport:
    return BadExport(_("Its parts are nested too deeply in one another for an export of a chat."))


def split(path: str | Path, folder: Path) -> tuple[list[Path], int]:
    """The export as smaller ones in `folder`, and how many conversations it has. Raises as `conversations`, and of
    `folder` OSError."""
    parts: list[Path] = []
    count, size = 0, PART
    for conversation in conversations(path):
        text = json.dumps(conversation).encode()
        if size + len(text) > PART:
            _end(parts)
            parts.append(folder / f"{Path(path).stem}-{len(parts):03}.json")
            size = 0
        with parts[-1].open("ab") as part:
            part.write((b",\n" if size else b"[") + text)
        size += len(text) + 2
        count += 1
    _end(parts)
    return parts, count


def _end(parts: list[Path]) -> None:
    if parts:
        with parts[-1].open("ab") as part:
            part.write(b"]\n")
