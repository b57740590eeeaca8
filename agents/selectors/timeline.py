"""The timeline: messages in the order in which the model saw them, a page at a time, and what waits to enter it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Subquery

from agents.main_context import fifo_queue
from agents.models import Agent, Message
from agents.models.searched import SearchedQuerySet

TIMELINE_PAGE = 60  # rows
TIMELINE_CATCH_UP = 300  # rows an open page is brought; one that missed more is better loaded anew


def timeline_before(agent: Agent, seq: int | None = None) -> list[Message]:
    """The newest rows before `seq`, oldest first. One query, whatever the history's length."""
    rows = _timeline(agent)
    if seq is not None:
        rows = rows.filter(seq__lt=seq)
    return list(reversed(rows.order_by("-seq")[:TIMELINE_PAGE]))


def timeline_around(agent: Agent, seq: int) -> list[Message]:
    """A page of rows with `seq` in its middle, oldest first. Two queries."""
    before = _timeline(agent).filter(seq__lte=seq).order_by("-seq")[: TIMELINE_PAGE // 2]
    after = _timeline(agent).filter(seq__gt=seq).order_by("seq")[: TIMELINE_PAGE // 2]
    return [*reversed(before), *after]


def timeline_between(agent: Agent, after: int, before: int) -> list[Message]:
    """The oldest page of rows between two seqs, neither included."""
    return list(_timeline(agent).filter(seq__gt=after, seq__lt=before).order_by("seq")[:TIMELINE_PAGE])


@dataclass(frozen=True)
class CatchUp:
    """What came after a seq. `complete` is false if it was too much to be brought, and the page is better loaded anew.

    `last_seq` is that of the newest message in it, or the seq that was asked about.
    """

    messages: list[Message]
    complete: bool
    last_seq: int


def timeline_after(agent: Agent, seq: int) -> CatchUp:
    """The rows after `seq`, at most `TIMELINE_CATCH_UP`. One query."""
    rows = list(timeline_from(agent, seq)[: TIMELINE_CATCH_UP + 1])
    last_seq = rows[-1].seq or seq if rows else seq
    return CatchUp(rows[:TIMELINE_CATCH_UP], len(rows) <= TIMELINE_CATCH_UP, last_seq)


def timeline_from(agent: Agent, seq: int) -> "SearchedQuerySet[Message]":
    """Every row after `seq`, oldest first."""
    return _timeline(agent).filter(seq__gt=seq).order_by("seq")


def timeline_whole(agent: Agent) -> Iterator[Message]:
    """Every row, oldest first, a few at a time. In a transaction, which keeps its cursor whatever pools connections."""
    return _timeline(agent).order_by("seq").iterator(chunk_size=1000)


def timeline_message(agent: Agent, pk: int) -> Message | None:
    """One row of the timeline; None if it was taken back or waits."""
    return _timeline(agent).filter(pk=pk).first()


def newest(agent: Agent, count: int) -> list[Message]:
    """The last entries of the timeline, newest first."""
    return list(_timeline(agent).order_by("-seq")[:count])


def last_turn(agent: Agent) -> Message | None:
    """What set off the newest run that is in the timeline: the beginning of the last turn."""
    events = agent.runs.filter(event__seq__isnull=False, event__retracted_at=None).order_by("-id").values("event")
    return Message.objects.without_search_columns().filter(pk=Subquery(events[:1])).first()


def waiting(agent: Agent) -> "SearchedQuerySet[Message]":
    """Messages that wait for their run."""
    rows = agent.messages.filter(seq__isnull=True, retracted_at=None, kind=Message.Kind.USER_MESSAGE)
    return rows.without_search_columns().order_by("id")


def evicted(agent: Agent, kinds: Collection[str] | None = None) -> "SearchedQuerySet[Message]":
    """What left the window before, of some kinds or of all; notices are not among it."""
    rows = agent.messages.filter(seq__lt=agent.queue_start, retracted_at=None).exclude(kind=Message.Kind.NOTICE)
    rows = rows.without_search_columns()
    return rows if kinds is None else rows.filter(kind__in=kinds)


def window_of(agent: Agent) -> list[int]:
    """The ids of the messages in the queue, oldest first. One query."""
    return list(fifo_queue.rows_of(agent, agent.queue_start).values_list("pk", flat=True))


def _timeline(agent: Agent) -> "SearchedQuerySet[Message]":
    rows = agent.messages.filter(seq__isnull=False, retracted_at=None).without_search_columns()
    return rows.select_related("step", "run")
