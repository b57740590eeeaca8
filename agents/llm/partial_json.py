"""Reading a JSON object that is still arriving (jiter does the parsing)."""

import json
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


MOST_OBJECTS = 20  # that are looked at in one text


def first_object(text: str) -> tuple[dict[str, Any], bool, int]:
    """The first JSON object in a text that has a call in it, what it says so far; whether it is whole; where it begins.

    Whole objects without a call before it are passed over, and so is what only looks like one.
    """
    decoder, place = json.JSONDecoder(), -1
    for _number in range(MOST_OBJECTS):
        place = text.find("{", place + 1)
        if place < 0:
            break
        try:
            value, stop = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            if so_far := read(text[place:]):
                return so_far, False, place
            continue
        if isinstance(value.get("call"), dict):
            return value, True, place
        place = stop - 1
    return {}, False, 0


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
