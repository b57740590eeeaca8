"""Bytes to text, whatever encoding they came in."""

import re
from pathlib import Path

from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.text.clean import storable

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def text_of(path: str) -> str:
    """The text of a file. Raises InvalidInput when its encoding is not recognised, or OSError."""
    return decoded(Path(path).read_bytes())


def decoded(raw: bytes) -> str:
    """The bytes as text that the database can store. Raises InvalidInput when the encoding is not recognised."""
    try:
        return storable(raw.decode(_encoding(raw)).replace("\x00", " "))
    except UnicodeError as error:
        raise InvalidInput(_("Its text encoding is not known. Save it as UTF-8.")) from error


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
