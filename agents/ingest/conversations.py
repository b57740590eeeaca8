"""A conversation with another service's assistant: what was said by whom and when, kept as a small file of JSON, and
cut into passages that each say which conversation and which day they are of."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Self

from django.utils import timezone
from django.utils.translation import gettext as _

from agents.ingest.cutting import PASSAGE_TOKENS, Cut, parts
from agents.text import tokens
from agents.text.clean import storable

PERSON, ASSISTANT = "person", "assistant"
SHORT = 500  # characters that are kept of code, of its results and of what was attached
TITLE = 200  # characters
HEADING = 100  # of which stand above each passage
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()

Row = tuple[float | None, str]  # when it was said, and what


@dataclass(frozen=True)
class Said:
    """One message; `at` is in seconds since 1970."""

    speaker: str
    at: float | None
    text: str


@dataclass(frozen=True)
class Conversation:
    """`key` is the same in every export of it; `at` is when it began."""

    service: str
    key: str
    title: str
    at: float | None
    said: Sequence[Said]

    @classmethod
    def of(cls, service: str, key: Any, title: Any, at: float | None, said: Sequence[Said]) -> Self:
        """As a service's export has it. One that has no key is known by when it began and what it is called."""
        title = storable(" ".join(title.split()))[:TITLE] if isinstance(title, str) else ""
        at = at if at is not None else next((message.at for message in said if message.at is not None), None)
        known = key if isinstance(key, str) and key else f"{at or 0:.0f} {title}"
        return cls(service, storable(f"{service} {known}")[:120], title, at, said)

    @property
    def until(self) -> float | None:
        """When something was said in it last."""
        return max((message.at for message in self.said if message.at is not None), default=self.at)

    def as_json(self) -> str:
        """The same for the same conversation."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read(path: str) -> Iterator[Cut]:
    """The passages of a conversation that `as_json` wrote."""
    value = json.loads(Path(path).read_text(encoding="utf-8"))
    said = [Said(**message) for message in value.pop("said")]
    yield from _cut(Conversation(**value, said=said))


def _cut(conversation: Conversation) -> Iterator[Cut]:
    """Day by day: a passage is of one day, and is dated by the first message in it."""
    title = conversation.title or _("Untitled conversation")
    for day, messages in groupby(_dated(conversation), key=lambda message: _day(message.at)):
        head = ", ".join(filter(None, [title[:HEADING], day]))
        room = max(PASSAGE_TOKENS - tokens.count(head + "\n"), PASSAGE_TOKENS // 2)
        rows = chain.from_iterable(_rows(conversation.service, message, room) for message in messages)
        for at, lines in _filled(rows, room):
            yield Cut(None, day, "\n".join([head, *lines]), at)


def _filled(rows: Iterable[Row], room: int) -> Iterator[tuple[float | None, list[str]]]:
    """As many rows at a time as there is room for, with the time of the first."""
    held: list[Row] = []
    used = 0
    for row in rows:
        size = tokens.count(row[1] + "\n")
        if held and used + size > room:
            yield held[0][0], [text for _at, text in held]
            held, used = [], 0
        held.append(row)
        used += size
    if held:
        yield held[0][0], [text for _at, text in held]


def _dated(conversation: Conversation) -> Iterator[Said]:
    """A message without a time was said when the one before it was."""
    at = conversation.at
    for message in conversation.said:
        at = message.at if message.at is not None else at
        yield Said(message.speaker, at, message.text)


def _rows(service: str, message: Said, room: int) -> Iterator[Row]:
    """A message with who said it and at what time, in as many parts as it takes, each of which says so."""
    speaker = "User" if message.speaker == PERSON else service
    clock = f" ({_local(message.at):%H:%M})" if message.at is not None else ""
    again = f"{speaker}, continued: "
    for number, part in enumerate(parts(message.text, room - tokens.count(f"{again}{clock}\n"))):
        yield message.at, (again if number else f"{speaker}{clock}: ") + part


def _day(at: float | None) -> str:
    return "" if at is None else f"{_local(at):%Y-%m-%d}"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.get_current_timezone())


# What readers of exports share


def time_of(value: Any) -> float | None:
    """A time as exports write it: seconds or milliseconds since 1970, or ISO 8601. None for what is none."""
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            return None
        value = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if value > LATEST else value
    return float(seconds) if EARLIEST <= seconds <= LATEST else None


def shortened(what: str, text: str) -> str:
    """The beginning of a text that is not what was said, with `what` it is."""
    text = text.strip()
    shown = text if len(text) <= SHORT else text[:SHORT].rstrip() + "…"
    return f"[{what}] {shown}" if what and shown else shown


def named(names: Iterable[Any]) -> list[str]:
    """Files that were attached."""
    return [f"[Attachment: {name}]" for name in names if isinstance(name, str) and name]
