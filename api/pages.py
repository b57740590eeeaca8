"""Lists by cursor: `after` and `before` count in the order that is asked for, an empty page is the end."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.core.cache import cache
from django.db.models import Model, Q, QuerySet
from redis.exceptions import RedisError

from agents.access import owned_by
from agents.models import Agent
from api.asked import Listing
from api.errors import Unknown
from api.ids import key_of, uuid_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=Model)

LIMIT = 50
REMEMBERED = 3600  # seconds for which the place of a deleted agent is known


def page_of(rows: "QuerySet[M]", asked: Listing, kind: str, *, newest_first: bool, limit: int = LIMIT) -> list[M]:
    """The rows that are asked for, by their keys. `kind` is the word in their ids. Whether the row of a cursor is still
    there does not matter. Raises Unknown for one that is no such id."""

    def beyond(cursor: str, sign: str) -> Q:
        key = key_of(kind, cursor)
        if key is None:
            raise Unknown(kind, cursor)
        return Q(**{f"pk__{sign}": key})

    return _page(rows, asked, ["pk"], beyond, newest_first=newest_first, limit=limit)


def agents_page(
    owner: "User", rows: "QuerySet[Agent]", asked: Listing, *, newest_first: bool = True, by: str = "created_at"
) -> list[Agent]:
    """Agents, in the order of the column `by`. Raises Unknown for a cursor that is and was no agent of the owner's."""

    def beyond(cursor: str, sign: str) -> Q:
        at, pk = _place(owner, cursor, by)
        return Q(**{f"{by}__{sign}": at}) | Q(**{by: at, f"pk__{sign}": pk})

    return _page(rows, asked, [by, "pk"], beyond, newest_first=newest_first, limit=LIMIT)


def _page(
    rows: "QuerySet[M]",
    asked: Listing,
    order: list[str],
    beyond: Callable[[str, str], Q],
    *,
    newest_first: bool,
    limit: int,
) -> list[M]:
    descending = asked.order == "desc" if asked.order else newest_first
    if asked.after:
        rows = rows.filter(beyond(asked.after, "lt" if descending else "gt"))
    if asked.before:
        rows = rows.filter(beyond(asked.before, "gt" if descending else "lt"))
    backward = bool(asked.before and not asked.after)  # the rows next to the cursor, not the first of all
    ordered = rows.order_by(*(f"-{name}" if descending != backward else name for name in order))
    page = list(ordered[: asked.limit or limit])
    return page[::-1] if backward else page


def _place(owner: "User", cursor: str, by: str) -> tuple[datetime, UUID]:
    """Where an agent stands in the order, or stood before it was deleted. Raises Unknown."""
    key = uuid_of(cursor)
    at = owned_by(Agent, owner).filter(pk=key).values_list(by, flat=True).first() if key else None
    if key and not at:
        with contextlib.suppress(RedisError):
            at = cache.get(_deleted(owner.pk, key, by))
    if not key or not at:
        raise Unknown("agent", cursor)
    return at, key


def _deleted(owner: int, agent: UUID, by: str) -> str:
    return f"deleted:{owner}:{agent}:{by}"


def remember_place(agent: Agent) -> None:
    """Of an agent that is being deleted: a program may be walking through the list and deleting as it goes."""
    for by in ("created_at", "last_active_at"):
        with contextlib.suppress(RedisError):
            cache.set(_deleted(agent.owner_id, agent.pk, by), getattr(agent, by), REMEMBERED)
