"""Everything that happens to an agent, live, as the page hears of it: for a program that shows the conversation."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router
from pydantic import Field

from agents import selectors
from agents.broadcast import bus
from agents.broadcast.draft import draft_read
from agents.models import Agent, Message
from api.access import agent_for
from api.answers import PING, data, event_stream, read
from api.asked import Asked, only_known
from api.ids import written
from api.letta import timeline
from api.letta.shapes import Shape
from api.listening import Listener
from api.own.commands import change

router = Router(tags=["memweb"])

AT_ONCE = 300  # rows read at once
SILENCE = 15.0  # seconds, after which a line says that the server is there
PASSED_ON = {
    "StepStarted": ("step", ("run", "step")),
    "DraftDelta": ("delta", ("run", "step", "part", "offset", "text")),
    "DraftDropped": ("dropped", ("run", "step")),
    "RunChanged": ("run", ("run", "status")),
    "TimelineCut": ("cut", ("from_seq", "to_seq", "version")),
}


class Since(Asked):
    """Tell what was committed after that `seq` first; without it, only what comes from now on."""

    after: int | None = Field(None, ge=0, le=10**18)


@router.get("/agents/{agent_id}/events", response={200: str})
@only_known
async def events(request: HttpRequest, agent_id: str, asked: Query[Since]) -> HttpResponseBase:
    """Server-sent events without an end. A listener that comes back asks for what came after its last `seq`."""
    agent = await read(agent_for, request, agent_id)
    seq = asked.after if asked.after is not None else agent.next_seq - 1
    return event_stream(_events(agent, seq))


async def _events(agent: Agent, seq: int) -> AsyncIterator[str]:
    async with Listener(bus.agent_group(agent.pk), bus.owner_group(agent.owner_id)) as listener:
        yield data(await read(_state, agent))
        caught_up = False
        while not caught_up:  # some rows at a time, however long the listener was away
            before = seq
            seq, news = await read(_added, agent, seq)
            for entry in news:
                yield data(entry)
            caught_up = seq == before
        for entry in await read(_draft, agent):
            yield data(entry)
        while True:
            heard = await listener.heard(SILENCE)
            if not heard:
                yield PING
            for event in heard or [{"event": "MessagesAdded"}]:  # one may have been lost
                seq, told = await _told(agent, seq, event)
                for entry in told:
                    yield data(entry)
                if told and told[-1]["event"] == "gone":
                    return


async def _told(agent: Agent, seq: int, event: dict[str, Any]) -> tuple[int, list[Shape]]:
    kind = event["event"]
    if kind == "MessagesAdded":
        return await read(_added, agent, seq)
    if kind == "WaitingChanged":
        return seq, [await read(_waiting, agent)]
    if kind == "MessageEdited":
        edited = await read(_edited, agent, event["message"])
        return seq, [{**edited, "version": event["version"]}] if edited else []
    if kind == "AgentsChanged":
        return seq, [] if await read(Agent.objects.filter(pk=agent.pk).exists) else [{"event": "gone"}]
    if kind not in PASSED_ON:
        return seq, []
    name, fields = PASSED_ON[kind]
    told = {"run_id" if field == "run" else field: event[field] for field in fields}
    return seq, [{"event": name, **told, **({"run_id": written("run", told["run_id"])} if "run_id" in told else {})}]


def _state(agent: Agent) -> Shape:
    agent.refresh_from_db(fields=["next_seq", "timeline_version"])
    run = selectors.running(agent)
    return {
        "event": "state",
        "last_seq": agent.next_seq - 1,
        "version": agent.timeline_version,
        "running": run is not None,
        "run_id": written("run", run.pk) if run else None,
        "waiting": _waiting(agent)["messages"],
    }


def _waiting(agent: Agent) -> Shape:
    rows = selectors.waiting(agent)
    return {"event": "waiting", "messages": [{"id": written("message", m.pk), "content": m.content} for m in rows]}


def _draft(agent: Agent) -> list[Shape]:
    """What the model has written so far of the running step, as deltas."""
    known = draft_read(agent.pk)
    if known is None:
        return []
    at = {"run_id": written("run", known["run"]), "step": known["step"]}
    parts = [{"event": "delta", **at, "part": p, "offset": 0, "text": t} for p, t in known["parts"].items() if t]
    return [{"event": "step", **at}, *parts]


def _added(agent: Agent, seq: int) -> tuple[int, list[Shape]]:
    """The first of what was committed after `seq`, and the seq of the last row of it."""
    rows = list(selectors.timeline_from(agent, seq)[:AT_ONCE])
    messages = timeline.messages_of([row for row in rows if row.kind != Message.Kind.NOTICE])
    shown = iter(messages)
    edits = selectors.edits_of([row for row in rows if row.kind == Message.Kind.ASSISTANT])
    news: list[Shape] = []
    for row in rows:
        if row.kind == Message.Kind.NOTICE:
            news.append(_notice(row))
            continue
        news += [{"event": "message", "seq": row.seq, "message": message} for message in next(shown)]
        if row.kind == Message.Kind.ASSISTANT:
            news += [_memory_edit(row, edit) for edit in edits.get(row.step_id or 0, [])]
    return (rows[-1].seq or seq if rows else seq), news


def _notice(row: Message) -> Shape:
    run = written("run", row.run_id) if row.run_id else None
    return {"event": "notice", "seq": row.seq, "text": row.content, "failed": row.failed, "run_id": run}


def _memory_edit(row: Message, edit: selectors.MemoryEdit) -> Shape:
    block = edit.revision.block
    told = {"block_id": written("block", block.pk), "label": block.label, "change": change(edit.pieces)}
    return {"event": "memory_edit", "seq": row.seq, **told}


def _edited(agent: Agent, pk: int) -> Shape | None:
    row = selectors.timeline_message(agent, pk)
    if row is None:
        return None
    messages = timeline.messages_of([row])[0]
    return {"event": "edited", "seq": row.seq, "message_id": written("message", row.pk), "messages": messages}
