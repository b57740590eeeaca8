"""A run as a client follows it: the messages of its answer, whole when they are committed, or piece by piece before."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from agents.broadcast.draft import draft_read
from agents.models import Agent, Message, Run, Step
from api.answers import PING, data, read, when
from api.ids import step_part, written
from api.letta import shapes, timeline
from api.letta.approvals import requests
from api.letta.shapes import Shape
from api.listening import agent_listener, ends, some_open, until_ended

ANSWER = (Message.Kind.ASSISTANT, Message.Kind.FUNCTION_RESULT)
PARTS = {"thinking": ("reasoning_message", "thought", "reasoning"), "reply": ("assistant_message", "said", "content")}


@dataclass(frozen=True)
class Answering:
    """Runs that answer; of what was said before, up to the seq `after`, nothing is told again."""

    agent: Agent
    runs: Sequence[int]
    after: int = 0


@dataclass(frozen=True)
class Outcome:
    """How some runs ended: `error` says in words why the last failed."""

    stop_reason: str
    usage: Shape
    error: str


def outcome(agent: Agent, runs: Sequence[int]) -> Outcome:
    """Three queries."""
    last = agent.runs.filter(pk__in=runs).order_by("-pk").first()
    steps = Step.objects.filter(run__in=runs, run__agent=agent)
    reason = (shapes.stop_reason(last) if last else None) or "cancelled"  # without a row: withdrawn before it began
    error = last.error if last and last.status == Run.Status.FAILED else ""
    return Outcome(reason, shapes.usage(steps, runs), error)


def new_rows(agent: Agent, runs: Sequence[int], seq: int) -> list[Message]:
    """The rows of the answer after `seq`."""
    rows = timeline.rows_of(agent).filter(run__in=runs, seq__gt=seq, kind__in=ANSWER)
    return list(rows.order_by("seq"))


async def response(sent: Answering, types: Collection[str]) -> Shape:
    """Wait for the runs and tell their whole answer, as Letta's `LettaResponse`."""
    async with agent_listener(sent.agent.pk) as listener:
        await until_ended(listener, sent.runs)
    return await read(_response, sent, types)


def _response(sent: Answering, types: Collection[str]) -> Shape:
    agent, runs = sent.agent, sent.runs
    rows = timeline.messages_of(new_rows(agent, runs, sent.after))
    messages = [m for row in [*rows, requests(agent, runs)] for m in row if _wanted(m, types)]
    end = outcome(agent, runs)
    stop: Shape = {"message_type": "stop_reason", "stop_reason": end.stop_reason}
    if end.error:
        stop["message"] = end.error
    return {"messages": messages, "stop_reason": stop, "usage": end.usage}


def _wanted(message: Shape, types: Collection[str]) -> bool:
    return not types or message["message_type"] in types


@dataclass
class Draft:
    """What a step has written and was sent, by the id of the message that it becomes."""

    raw: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> Iterator[Shape]:
        """The next piece of a message; none while there is a gap, which the committed message closes."""
        if event["part"] not in PARTS:
            return
        kind, part, name = PARTS[event["part"]]
        key = step_part(event["run"], event["step"], part)
        raw = self.raw.get(key, "")
        if event["offset"] > len(raw):
            return
        self.raw[key] = raw[: event["offset"]] + event["text"]
        text, sent = self.raw[key].lstrip(), self.sent.get(key, "")
        piece = text[len(sent) :].rstrip()  # blanks at the end may not be kept: they are sent with what follows
        if piece and text.startswith(sent):  # a step that is tried again may write something else
            self.sent[key] = sent + piece
            run = written("run", event["run"])
            yield {"id": key, "message_type": kind, "date": when(timezone.now()), "run_id": run, name: piece}

    def rest(self, message: Shape) -> Shape | None:
        """Of a committed message, what was not sent yet; None if all of it was."""
        sent = self.sent.pop(message["id"], "")
        name = "reasoning" if message["message_type"] == "reasoning_message" else "content"
        text = message.get(name)
        if not sent or not isinstance(text, str) or not text.startswith(sent):
            return message
        return message | {name: text[len(sent) :]} if len(text) > len(sent) else None


async def pieces(sent: Answering, *, tokens: bool) -> AsyncIterator[Shape | None]:
    """The answer's messages, as they come, until the runs have ended; None in place of a long silence."""
    agent, runs, seq, draft = sent.agent, sent.runs, sent.after, Draft()
    async with agent_listener(agent.pk) as listener:
        if tokens:
            for piece in _begun(await read(draft_read, agent.pk), runs, draft):
                yield piece
        running = True
        events: list[dict[str, Any]] = []
        while running:
            if not events or any(ends(event, runs) for event in events):
                running = await read(some_open, runs)
            if not running or not events or any(event["event"] == "MessagesAdded" for event in events):
                seq, messages = await read(_committed, agent, runs, seq)
                for message in filter(None, map(draft.rest, messages)):
                    yield message
            events = await listener.heard() if running else []
            for piece in _pieces(events, runs, draft) if tokens else ():
                yield piece
            if running and not events:
                yield None


def _committed(agent: Agent, runs: Sequence[int], seq: int) -> tuple[int, list[Shape]]:
    """The messages of the rows after `seq`, and the seq of the last row."""
    rows = new_rows(agent, runs, seq)
    messages = [message for row in timeline.messages_of(rows) for message in row]
    return (rows[-1].seq or seq if rows else seq), messages


def _pieces(events: list[dict[str, Any]], runs: Sequence[int], draft: Draft) -> Iterator[Shape]:
    for event in events:
        if event["event"] == "DraftDelta" and event["run"] in runs:
            yield from draft.take(event)


def _begun(known: dict[str, Any] | None, runs: Sequence[int], draft: Draft) -> Iterator[Shape]:
    """What was written before this request began to listen."""
    if known and known["run"] in runs:
        for part, text in known["parts"].items():
            yield from draft.take({**known, "part": part, "offset": 0, "text": text})


async def stream(sent: Answering, types: Collection[str], *, tokens: bool) -> AsyncIterator[str]:
    """Server-sent events: the messages, then why it stopped, what it took, and `[DONE]`."""
    agent, runs = sent.agent, sent.runs
    async for message in pieces(sent, tokens=tokens):
        if message is None:
            yield PING
        elif _wanted(message, types):
            yield data(message)
    for request in await read(requests, agent, runs):
        if _wanted(request, types):
            yield data(request)
    end = await read(outcome, agent, runs)
    if end.error:
        fault = {"message_type": "error_message", "error_type": end.stop_reason, "message": end.error}
        yield data(fault | {"run_id": written("run", runs[-1])})
    yield data({"message_type": "stop_reason", "stop_reason": end.stop_reason})
    yield data(end.usage)
    yield data("[DONE]")
