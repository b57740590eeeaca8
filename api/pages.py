"""Lists by cursor: `after` and `before` count in the order that is asked for, an empty page is the end."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from api.asked import Listing
from api.errors import Unknown
from api.ids import key_of, uuid_of

M = TypeVar("M", bound=Model)

LIMIT = 50


def page_of(
    rows: "QuerySet[M]", asked: Listing, kind: str, *, newest_first: bool, by: str = "pk", limit: int = LIMIT
) -> list[M]:
    """The rows that are asked for. `by` is the column that orders them; `kind` the word in their ids. Raises Unknown
    for a cursor that is no such row."""
    descending = asked.order == "desc" if asked.order else newest_first
    order = [by, "pk"] if by != "pk" else ["pk"]
    limit = asked.limit or limit
    if asked.after:
        rows = _beyond(rows, asked.after, kind, by, forward=not descending)
    if asked.before:
        rows = _beyond(rows, asked.before, kind, by, forward=descending)
    backward = bool(asked.before and not asked.after)  # the rows next to the cursor, not the first of all
    ordered = rows.order_by(*(f"-{name}" if descending != backward else name for name in order))
    page = list(ordered[:limit])
    return page[::-1] if backward else page


def _beyond(rows: "QuerySet[M]", cursor: str, kind: str, by: str, *, forward: bool) -> "QuerySet[M]":
    key = uuid_of(cursor) if kind == "agent" else key_of(kind, cursor)
    at = rows.model._default_manager.filter(pk=key).values_list(by, "pk").first() if key is not None else None
    if at is None:
        raise Unknown(kind, cursor)
    sign = "gt" if forward else "lt"
    if by == "pk":
        return rows.filter(**{f"pk__{sign}": at[1]})
    return rows.filter(**{f"{by}__{sign}": at[0]}) | rows.filter(**{by: at[0], f"pk__{sign}": at[1]})
