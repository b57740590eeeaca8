"""Text from outside, made fit to be kept: the one place that knows what PostgreSQL and UTF-8 cannot hold."""

from typing import Any


def storable(text: str) -> str:
    """`text` without NUL and with halves of surrogate pairs replaced."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> Any:
    """A JSON value whose texts are storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): storable_json(item) for name, item in value.items()}
    return [storable_json(item) for item in value] if isinstance(value, list) else value


def typed(text: str) -> str:
    """What a person typed, storable, with plain line ends, so that its length is the same here and in the database."""
    return storable(text).replace("\r\n", "\n")
