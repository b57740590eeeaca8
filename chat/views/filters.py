"""What a list of the inspector is asked for: words, kind, days, and where to go on."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from chat.views.numbers import number

LONGEST_QUERY = 2000  # characters
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 10**17  # microseconds; later ones overflow
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)  # others overflow in some time zones

M = TypeVar("M", bound=Model)


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
    def address(self) -> str:
        """The filters as a query string, without the place in the list."""
        data = QueryDict(mutable=True)
        fields = {"q": self.query, "kind": self.kind, "archive": self.archive, "from": self.start, "to": self.end}
        data.update({name: str(value) for name, value in fields.items() if value})
        return data.urlencode()

    def at(self, rows: "QuerySet[M]") -> "QuerySet[M]":
        """The rows of those days."""
        if self.start:
            rows = rows.filter(created_at__gte=self._midnight(self.start))
        if self.end:
            rows = rows.filter(created_at__lt=self._midnight(self.end + timedelta(days=1)))
        if self.query:
            rows = rows.filter(created_at__lte=EPOCH + timedelta(microseconds=self.until))
        return rows

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone)


def filters_of(request: HttpRequest) -> Filters:
    """Raises InvalidInput for a day that is none, and for an end before the start."""
    data = request.GET
    found = Filters(
        query=data.get("q", "").replace("\x00", "").strip()[:LONGEST_QUERY],
        kind=data.get("kind", "")[:20],
        archive=number(data, "archive"),
        page=number(data, "page") or 1,
        before=number(data, "before"),
        until=min(number(data, "until") or (timezone.now() - EPOCH) // timedelta(microseconds=1), LATEST),
        zone=_zone(request),
    )
    found = replace(found, start=_day(data.get("from", "")), end=_day(data.get("to", "")))
    if found.start and found.end and found.end < found.start:
        raise InvalidInput(_("The last day is before the first one."))
    return found


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return min(max(date.fromisoformat(text.strip()), FIRST_DAY), LAST_DAY)
    except ValueError as error:
        raise InvalidInput(_("“%(text)s” is not a day. Write it as YYYY-MM-DD.") % {"text": text[:40]}) from error


def _zone(request: HttpRequest) -> tzinfo:
    """The browser's, which `chrome.js` notes in a cookie: the page shows its times in it. Else the server's."""
    try:
        return ZoneInfo(request.COOKIES.get("zone", ""))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return timezone.get_current_timezone()
