"""Text from elsewhere, fit for a terminal: nothing in it moves the cursor, colours, rings or turns words round."""

import re
import unicodedata

# What a terminal carries out: control sequences, operating system commands and other strings with their ends, the rest.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_LINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
TAB = "    "


def safe(text: str) -> str:
    """`text` with its lines, and without anything that a terminal would carry out."""
    lines = _LINES.sub("\n", _SEQUENCES.sub("", text)).replace("\t", TAB)
    return "".join(character for character in lines if character == "\n" or not _is_control(character))


def one_line(text: str) -> str:
    """`text` as one line."""
    return " ".join(safe(text).split())


def _is_control(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in ("Cc", "Cs")
