"""Ids as programs see them: a word for the kind and the row's own key, `block-12`, `agent-<uuid>`.

A message of the timeline may be several to a program: what was thought, each call, what was said. The id of each can be
told before its step is committed, so that a stream and a list give the same: `message-<run>.<step>-<part>`. Rows that
came otherwise (what a person said, results, what was imported) have the key of their row: `message-<key>`.
"""

import re
from dataclasses import dataclass
from uuid import UUID

NUMBER = re.compile(r"[0-9]{1,18}")  # more digits fit no column
MESSAGE = re.compile(r"message-([0-9]{1,18})(?:\.([0-9]{1,4}))?(?:-(thought|said|call[0-9]{1,2}))?")


def written(kind: str, key: object) -> str:
    """The id of a row of that kind."""
    return f"{kind}-{key}"


def key_of(kind: str, text: str) -> int | None:
    """The key in an id of that kind; None for anything else."""
    number = text.removeprefix(f"{kind}-")
    return int(number) if text.startswith(f"{kind}-") and NUMBER.fullmatch(number) else None


def uuid_of(text: str, kind: str = "agent") -> UUID | None:
    """The key in the id of an agent; None for anything else."""
    try:
        return UUID(text.removeprefix(f"{kind}-"))
    except ValueError:
        return None


@dataclass(frozen=True)
class MessagePart:
    """What a message's id says: `key` is of the row, or with `step` of the run; `part` is empty for a whole row."""

    key: int
    step: int | None
    part: str


def step_part(run: int, step: int, part: str) -> str:
    """The id of a part of what the model answers in a step, also while it does."""
    return f"message-{run}.{step}-{part}"


def message_part(text: str) -> MessagePart | None:
    """None for what is no id of a message."""
    match = MESSAGE.fullmatch(text)
    return MessagePart(int(match[1]), int(match[2]) if match[2] else None, match[3] or "") if match else None
