"""Exports of ChatGPT and Claude, whole or packed, read one conversation after the other. Knows nothing of the house.

Both services write a list of conversations, `conversations.json`; a large one of ChatGPT's is in several files,
`conversations-000.json` and on. What is in a conversation is for `agents.ingest.conversations` to know.
"""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from jiter import from_json

from memweb.history.streamed import BrokenJson, JsonText, TooLong, TooNested, entries

Conversation = dict[str, Any]

PACKED = b"PK\x03\x04"
MEMBER = re.compile(r"(?:.*/)?conversations(?:[-_]\d+)?\.json")
MARKS = {"mapping", "chat_messages"}  # what a conversation of ChatGPT's has, and one of Claude's
HEADS = (1024, 8 * 1024, 64 * 1024)  # bytes
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST = 16 * 1024 * 1024  # bytes of one conversation
UNPACKED = 4 * 1024**3  # bytes of all
PART = 8 * 1024 * 1024  # bytes of a part of an export; below what an upload may have
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


def _items(file: IO[bytes]) -> Iterator[Any]:
    """What a list holds, one value after the other."""
    text = JsonText(file, largest=LARGEST)
    if text.next_sign() != "[":
        raise BadExport(_("It is not a list of conversations, as ChatGPT and Claude write it."))
    try:
        yield from entries(text)
        text.end()
    except BrokenJson as error:
        raise _broken(str(error)) from error
    except TooNested as error:
        raise _too_nested() from error
    except TooLong as error:
        reason = _("One conversation in it has more than %(most)s MB, or is not valid JSON.")
        raise BadExport(reason, most=LARGEST // 1024**2) from error


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
