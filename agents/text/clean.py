"""Text from outside, made fit to be kept: the one place that knows what PostgreSQL and UTF-8 cannot hold, and that what
is kept is in Unicode's normal form C."""

import unicodedata


def encodable(text: str) -> str:
    """`text` without NUL and with halves of surrogate pairs replaced; also for text that is still arriving."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def storable(text: str) -> str:
    """A whole text, encodable and in normal form C, so that what looks the same is the same."""
    return unicodedata.normalize("NFC", encodable(text))


def typed(text: str) -> str:
    """What a person typed, storable, with plain line ends, so that its length is the same here and in the database."""
    return storable(text).replace("\r\n", "\n")
