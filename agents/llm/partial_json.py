"""Reading a JSON object that is still arriving (jiter does the parsing)."""

from typing import Any

import jiter

from agents.text.clean import encodable


def read(text: str) -> dict[str, Any]:
    """What `text` already says: a half-arrived string is given as far as it goes, a half-arrived key not at all.

    Text that is no JSON object, or not yet, gives an empty dict.
    """
    try:
        value = jiter.from_json(text.encode("utf-8", "replace"), partial_mode="trailing-strings")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class Growing:
    """One string inside an arriving object: `more(value)` gives what was added to it since last time."""

    def __init__(self) -> None:
        self.seen = ""

    def more(self, value: object) -> str:
        """What `value` adds to the text so far; empty if it is no string or does not begin with that text."""
        if not isinstance(value, str):
            return ""
        value = encodable(value)
        if not value.startswith(self.seen):
            return ""
        added = value[len(self.seen) :]
        self.seen = value
        return added
