"""The conversation's rows: further back, around a hit, and one by one."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import selectors
from agents.models import Agent, Message
from chat import timeline
from chat.access import agent_for, part_for
from chat.parameters import number


@require_GET
def message_row(request: HttpRequest, message_id: int) -> HttpResponse:
    """A row as it stands, in place of its form."""
    message = part_for(request, Message, message_id)
    rows = timeline.rows([message])
    if not rows:  # a result that is drawn with its call
        raise Http404
    return render(request, rows[0].template, {"agent": message.agent, "row": rows[0]})


@require_GET
def timeline_older(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page of rows before `before`."""
    agent = agent_for(request, agent_id)
    messages = selectors.timeline_before(agent, number(request.GET, "before"))
    context = {"agent": agent, "rows": timeline.rows(messages), "first_seq": messages[0].seq if messages else 0}
    return render(request, "chat/_older.html", context)


@require_GET
def timeline_around(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A stretch of the past with `seq` in its middle; `before` is where the rows begin that the page has."""
    agent = agent_for(request, agent_id)
    seq, before = number(request.GET, "seq") or 1, number(request.GET, "before") or agent.next_seq
    return render(request, "chat/_history.html", {"agent": agent, **history(agent, seq, before)})


def history(agent: Agent, seq: int, before: int) -> dict[str, object]:
    messages = [m for m in selectors.timeline_around(agent, seq) if (m.seq or 0) < before]
    return {
        "rows": timeline.rows(messages),
        "first_seq": messages[0].seq if messages else before,
        "gap": _gap(messages, before),
    }


def _gap(messages: list[Message], before: int) -> tuple[int, int] | None:
    """The seqs between which rows are not drawn yet."""
    last = messages[-1].seq or 0 if messages else 0
    return (last, before) if messages and last + 1 < before else None


@require_GET
def timeline_later(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page of rows after `after`, up to `before`."""
    agent = agent_for(request, agent_id)
    after, before = number(request.GET, "after") or 0, number(request.GET, "before") or agent.next_seq
    messages = selectors.timeline_between(agent, after, before)
    context = {"agent": agent, "rows": timeline.rows(messages), "gap": _gap(messages, before)}
    return render(request, "chat/_later.html", context)
