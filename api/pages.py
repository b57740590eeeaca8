"""Lists by cursor: `after` and `before` count in the order that is asked for, an empty page is the end."""

import contextlib
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.core.cache import cache
from django.db.models import Model, QuerySet
from redis.exceptions import RedisError

from agents.models import Agent
from api.asked import Listing
from api.errors import Unknown
from api.ids import key_of, uuid_of

M = TypeVar("M", bound=Model)

LIMIT = 50
REMEMBERED = 3600  # seconds for which the place of a deleted agent is known


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
    sign = "gt" if forward else "lt"
    if by == "pk":  # whether or not the row is still there
        key = key_of(kind, cursor)
        if key is None:
            raise Unknown(kind, cursor)
        return rows.filter(**{f"pk__{sign}": key})
    place = _place(rows, cursor, by)
    if place is None:
        raise Unknown(kind, cursor)
    at, pk = place
    return rows.filter(**{f"{by}__{sign}": at}) | rows.filter(**{by: at, f"pk__{sign}": pk})


def _place(rows: "QuerySet[M]", cursor: str, by: str) -> tuple[datetime, UUID] | None:
    """Where an agent stands in the order, or stood before it was deleted."""
    key = uuid_of(cursor)
    if key is None:
        return None
    for at in rows.model._default_manager.filter(pk=key).values_list(by, flat=True):
        return at, key
    try:
        kept: tuple[datetime, UUID] | None = cache.get(f"deleted:{key}:{by}")
    except RedisError:
        return None
    return kept


def remember_place(agent: Agent) -> None:
    """Of an agent that is being deleted: a program may be walking through the list and deleting as it goes."""
    for by in ("created_at", "last_active_at"):
        with contextlib.suppress(RedisError):
            cache.set(f"deleted:{agent.pk}:{by}", (getattr(agent, by), agent.pk), REMEMBERED)
