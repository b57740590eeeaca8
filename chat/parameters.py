"""What addresses and forms ask for, where anybody can write anything: numbers, and the filters of a list."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.text.days import day_end, day_start, parse_day

LONGEST_QUERY = 2000  # characters
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 10**17  # microseconds; later ones overflow
MOST_DIGITS = 18  # of a number; more fits no column

Rows = TypeVar("Rows", bound=QuerySet[Any])


def number(data: QueryDict, name: str) -> int | None:
    """None for what is not a whole number."""
    return _number(data.get(name, ""))


def numbers(texts: Iterable[str]) -> list[int]:
    """Those of `texts` that are whole numbers."""
    return [value for text in texts if (value := _number(text)) is not None]


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


@dataclass(frozen=True)
class Filters:
    """`start` and `end` are days, both included. `before` is the key of the last row seen; `page` counts from 1, of a
    search that was begun at `until`: what came later is on none of its pages, where it would push rows along."""

    query: str = ""
    kind: str = ""
    archive: int | None = None
    start: date | None = None
    end: date | None = None
    page: int = 1
    before: int | None = None
    until: int = 0  # in microseconds
    zone: tzinfo = UTC  # in which a day begins

    @property
    def narrowed(self) -> bool:
        return bool(self.query or self.kind or self.archive or self.start or self.end)

    @property
    def is_query_alone(self) -> bool:
        """Whether it searches all that the agent would."""
        return bool(self.query) and not (self.kind or self.archive or self.start or self.end)

    @property
    def address(self) -> str:
        """The filters as a query string, without the place in the list."""
        data = QueryDict(mutable=True)
        fields = {"q": self.query, "kind": self.kind, "archive": self.archive, "from": self.start, "to": self.end}
        data.update({name: str(value) for name, value in fields.items() if value})
        return data.urlencode()

    @property
    def search_address(self) -> str:
        """The same with the time at which the search began."""
        return f"until={self.until}&{self.address}"

    def at(self, rows: Rows) -> Rows:
        """The rows of those days."""
        if self.start:
            rows = rows.filter(created_at__gte=day_start(self.start, self.zone))
        if self.end:
            rows = rows.filter(created_at__lt=day_end(self.end, self.zone))
        if self.query:
            rows = rows.filter(created_at__lte=EPOCH + timedelta(microseconds=self.until))
        return rows


def filters_of(request: HttpRequest) -> Filters:
    """Raises InvalidInput for a day that is none, and for an end before the start."""
    data = request.GET
    filters = Filters(
        query=data.get("q", "").replace("\x00", "").strip()[:LONGEST_QUERY],
        kind=data.get("kind", "")[:20],
        archive=number(data, "archive"),
        page=number(data, "page") or 1,
        before=number(data, "before"),
        until=min(number(data, "until") or (timezone.now() - EPOCH) // timedelta(microseconds=1), LATEST),
        zone=timezone.get_current_timezone(),
    )
    filters = replace(filters, start=_day(data.get("from", "")), end=_day(data.get("to", "")))
    if filters.start and filters.end and filters.end < filters.start:
        raise InvalidInput(_("The last day is before the first one."))
    return filters


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return parse_day(text)
    except ValueError as error:
        raise InvalidInput(_("“%(text)s” is not a day. Write it as YYYY-MM-DD.") % {"text": text[:40]}) from error
