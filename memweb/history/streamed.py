"""JSON that is larger than memory, read from a file one value after the other.

text = JsonText(file, largest=1_000_000)
for name in fields(text):
    if name == "messages":
        for message in entries(text): ...
    else:
        value = text.value()
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import IO, Any

CHUNK = 256 * 1024
DECODER = json.JSONDecoder(strict=False)
SIGN = re.compile(r"\S")


class JsonFault(Exception):
    """Why it cannot be read."""


class BrokenJson(JsonFault):
    """It is not JSON, or ends before its end; `str()` says where it went wrong."""


class TooNested(JsonFault):
    """A value within values within values."""


class TooLong(JsonFault):
    """One value is larger than may be held."""


class JsonText:
    """What was read of a file; `at` is how far it was taken. No value may have more than `largest` characters."""

    def __init__(self, file: IO[bytes], *, largest: int) -> None:
        self._file, self._largest = file, largest
        self._decoded = getincrementaldecoder("utf-8-sig")("replace")
        self.held, self.at = "", 0
        self.before = 0  # characters that were held and are no more
        self.is_whole = False  # nothing is left to be read

    @property
    def taken(self) -> int:
        """How many characters so far."""
        return self.before + self.at

    def read_on(self) -> None:
        """As much again as is left: what is tried over and over is tried few times, and hardly beyond what may be."""
        left = self.held[self.at :]
        raw = self._file.read(max(CHUNK, min(len(left), self._largest - len(left))))
        self.is_whole = not raw
        self.before += self.at
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

    def take(self, sign: str) -> None:
        """Go past the next sign, which must be this one."""
        if (there := self.next_sign()) != sign:
            raise BrokenJson(f"“{there or '…'}”")
        self.at += 1

    def value(self) -> Any:
        """The value that begins here, taken."""
        self.next_sign()
        while True:
            try:
                value, end = DECODER.raw_decode(self.held, self.at)
            except ValueError as error:  # as it is where the rest is still to be read
                if self.is_whole:
                    raise BrokenJson(getattr(error, "msg", str(error))) from error
            except RecursionError as error:
                raise TooNested from error
            else:
                if end < len(self.held) or self.is_whole:  # else a number may go on
                    self.at = end
                    return value
            if len(self.held) - self.at > self._largest:
                raise TooLong
            self.read_on()

    def end(self) -> None:
        """Nothing may follow."""
        if after := self.next_sign():
            raise BrokenJson(f"“{after}”")


def entries(text: JsonText) -> Iterator[Any]:
    """What the list that begins here holds, one value after the other. The file is read as far as each takes."""
    text.take("[")
    begun = False
    while text.next_sign() != "]":
        if begun:
            text.take(",")
        yield text.value()
        begun = True
    text.at += 1


def fields(text: JsonText) -> Iterator[str]:
    """The names in the object that begins here. Take the value of each before the next: whole, or its `entries`."""
    text.take("{")
    begun = False
    while text.next_sign() != "}":
        if begun:
            text.take(",")
        name = text.value()
        if not isinstance(name, str):
            raise BrokenJson(f"“{str(name)[:20]}”")
        text.take(":")
        yield name
        begun = True
    text.at += 1


def skip(text: JsonText) -> int:
    """Go past the value that begins here; tells how many entries it has if it is a list."""
    if text.next_sign() == "[":
        return sum(1 for _entry in entries(text))
    text.value()
    return 0
