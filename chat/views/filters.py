"""What a list of the inspector is asked for: words, kind, days, and where to go on."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from chat.views.numbers import number

LONGEST_QUERY = 2000  # characters
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)  # others overflow in some time zones

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Filters:
    """`start` and `end` are days, both included. `before` is the key of the last row seen; `page` counts from 1."""

    query: str = ""
    kind: str = ""
    start: date | None = None
    end: date | None = None
    page: int = 1
    before: int | None = None

    @property
    def narrowed(self) -> bool:
        return bool(self.query or self.kind or self.start or self.end)

    @property
    def address(self) -> str:
        """The filters as a query string, without the place in the list."""
        data = QueryDict(mutable=True)
        fields = {"q": self.query, "kind": self.kind, "from": self.start, "to": self.end}
        data.update({name: str(value) for name, value in fields.items() if value})
        return data.urlencode()

    def at(self, rows: "QuerySet[M]", *, field: str = "created_at") -> "QuerySet[M]":
        """The rows of those days."""
        if self.start:
            rows = rows.filter(**{f"{field}__gte": _midnight(self.start)})
        if self.end:
            rows = rows.filter(**{f"{field}__lt": _midnight(self.end + timedelta(days=1))})
        return rows


def filters_of(request: HttpRequest) -> Filters:
    """Raises InvalidInput for a day that is none, and for an end before the start."""
    data = request.GET
    found = Filters(
        query=data.get("q", "").replace("\x00", "").strip()[:LONGEST_QUERY],
        kind=data.get("kind", "")[:20],
        page=number(data, "page") or 1,
        before=number(data, "before"),
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


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
