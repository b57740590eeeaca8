"""Text from outside, made fit to be kept: the one place that knows what PostgreSQL and UTF-8 cannot hold, and that what
is kept is in Unicode's normal form C."""

import unicodedata
from typing import Any

import regex

# To sort marks takes time that grows with their square. As Unicode's Stream-Safe Text Format has it, an invisible
# joiner ends a run of thirty.
_MANY_MARKS = regex.compile(r"[\p{M}--\u034f]{30}(?=[\p{M}--\u034f])", regex.V1)


def encodable(text: str) -> str:
    """`text` without NUL and with halves of surrogate pairs replaced; also for text that is still arriving."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def storable(text: str) -> str:
    """A whole text, encodable and in normal form C, so that what looks the same is the same."""
    return unicodedata.normalize("NFC", sortable(encodable(text)))


def sortable(text: str) -> str:
    """`text` such that to normalise it takes no longer than its length lets expect."""
    return text if text.isascii() else _MANY_MARKS.sub("\\g<0>\u034f", text)


def encodable_json(value: Any) -> Any:
    """A JSON value whose texts are encodable, and otherwise as they came."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(name): encodable_json(item) for name, item in value.items()}
    return [encodable_json(item) for item in value] if isinstance(value, list) else value


def typed(text: str) -> str:
    """What a person typed, storable, with plain line ends, so that its length is the same here and in the database."""
    return storable(text).replace("\r\n", "\n")
