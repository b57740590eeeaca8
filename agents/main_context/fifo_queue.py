"""The FIFO queue: recent events and the summary of everything evicted (paper section 2.1).

The queue is the agent's messages from `queue_start` on. Eviction moves that one number; nothing is copied or deleted.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any

from django.db.models import Q
from django.utils import timezone

from agents.llm.types import INNER_THOUGHTS, ChatMessage
from agents.models import Agent, Message, Step, Summary
from agents.models.searched import SearchedQuerySet
from agents.person import own_time
from agents.text import tokens
from agents.text.days import stamp

Kind = Message.Kind
TURN_STARTS = {Kind.USER_MESSAGE, Kind.HEARTBEAT, Kind.SYSTEM_ALERT, Kind.LOGIN}
KEPT_AT_FLUSH = 3  # messages
PICTURES_SHOWN = 4  # in a prompt
REASONING = ("reasoning_content", "reasoning_details")  # fields of a message's state
CALL_OVERHEAD = 8  # tokens of punctuation around a call
CUT_NOTE = " … [cut to fit the window; the whole text is in recall storage]"


def messages_of(agent: Agent, *, queue_start: int | None = None, last_seq: int | None = None) -> list[Message]:
    """The queue, oldest first; other bounds give another stretch of the timeline. One query."""
    rows = rows_of(agent, agent.queue_start if queue_start is None else queue_start)
    if last_seq is not None:
        rows = rows.filter(seq__lte=last_seq)
    return list(rows.without_search_columns())


def rows_of(agent: Agent, queue_start: int) -> "SearchedQuerySet[Message]":
    """What stands in a queue that begins there, oldest first."""
    rows = agent.messages.filter(seq__gte=queue_start, retracted_at=None).exclude(kind=Kind.NOTICE)
    return rows.order_by("seq")


def messages_then(agent: Agent, at: datetime, chosen: Q) -> list[Message]:
    """Messages as they were at that time: before they were edited, and also those taken back since. One query."""
    rows = agent.messages.filter(chosen, Q(retracted_at=None) | Q(retracted_at__gt=at)).exclude(kind=Kind.NOTICE)
    return [as_then(message, at) for message in rows.without_search_columns().order_by("seq")]


def as_then(message: Message, at: datetime) -> Message:
    """The message with the texts that it had at that time, unsaved."""
    for version in message.earlier:
        if datetime.fromisoformat(version["until"]) > at:
            message.content, message.inner_monologue = version["content"], version["inner_monologue"]
            message.calls = version["calls"]
            message.tokens = wire_tokens(wire(message))
            return message
    return message


def package(type: str, time: datetime, **fields: str) -> str:
    """An event as the model reads it: JSON with its type first and its time, in the zone that it has, last."""
    return json.dumps({"type": type, **fields, "time": stamp(time)}, ensure_ascii=False)


def package_result(*, ok: bool, message: str, time: datetime) -> str:
    """A function's result as the model reads it, with the time in the zone of now."""
    status = "OK" if ok else "Failed"
    return json.dumps(
        {"status": status, "message": message, "time": stamp(timezone.localtime(time))}, ensure_ascii=False
    )


def result_message(step: Step, *, ok: bool, text: str, name: str = "", call_id: str = "") -> Message:
    """A function's result, not yet in the timeline; without a name, what is answered to no call at all."""
    now = timezone.now()
    message = Message(kind=Kind.FUNCTION_RESULT, run_id=step.run_id, step=step, created_at=now, failed=not ok)
    message.content = package_result(ok=ok, message=text, time=now)
    message.call_id, message.function = call_id, name[:80]
    return message


def result_text(content: str) -> str:
    """What a function answered, taken out of its package; whatever it is, if it is none."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content


def wire(message: Message) -> ChatMessage:
    """A message in the chat form that goes to the model."""
    if message.kind == Kind.ASSISTANT:
        return _wire_assistant(message)
    if message.kind == Kind.FUNCTION_RESULT:
        if message.call_id:
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
        result = {"type": "function_result", **json.loads(message.content)}
        return {"role": "user", "content": json.dumps(result, ensure_ascii=False)}
    field = "reason" if message.kind == Kind.HEARTBEAT else "message"
    return {
        "role": "user",
        "content": package(message.kind, own_time(message), **{field: message.content}, **_note(message)),
    }


def _note(message: Message, *, shown: bool = False) -> dict[str, str]:
    """What an event says of the pictures that came with it; nothing if there are none."""
    if not message.pictures:
        return {}
    sizes = ", ".join("{width} x {height}".format_map(picture) for picture in message.pictures)
    if not message.pictures[0]["seen"]:
        return {"pictures": f"{sizes}: you cannot see pictures. Say so if it matters."}
    return {"pictures": sizes if shown else f"{sizes}: shown to you when they came, not any more."}


def with_pictures(
    turns: Sequence[ChatMessage], messages: Sequence[Message], room: int
) -> tuple[tuple[ChatMessage, ...], int]:
    """The turns with the newest pictures, as `pictures` for the gateway, and the tokens that these cost, at most
    `room`. Older ones are left with a note, since each costs as much as a page of text, every time."""
    given = list(turns)
    cost, left = 0, PICTURES_SHOWN
    for number in range(len(given) - 1, -1, -1):
        message = messages[number]
        if not message.pictures or not message.pictures[0]["seen"]:
            continue
        spent = sum(picture["tokens"] for picture in message.pictures)
        left -= len(message.pictures)
        if left < 0 or cost + spent > room:
            break
        cost += spent
        told = {**json.loads(given[number]["content"]), **_note(message, shown=True)}  # it may have been cut
        given[number] = {
            **given[number],
            "content": json.dumps(told, ensure_ascii=False),
            "pictures": message.pictures,
        }
    return tuple(given), cost


def picture_tokens(messages: Sequence[Message]) -> int:
    """What the newest pictures cost, as many as a prompt shows."""
    newest = [picture for message in reversed(messages) for picture in message.pictures if picture["seen"]]
    return sum(picture["tokens"] for picture in newest[:PICTURES_SHOWN])


def with_state(
    turns: Sequence[ChatMessage], messages: Sequence[Message], server: str, run_id: int | None, room: int
) -> tuple[tuple[ChatMessage, ...], int]:
    """The turns with what their server wants back, and the tokens that this costs, at most `room`.

    Of each call always; the reasoning within the same run, the newest first. A server that it did not come from gets
    nothing.
    """
    given: list[ChatMessage] = []
    cost = 0
    for turn, message in zip(reversed(turns), reversed(messages), strict=True):
        if message.state.get("server") == server:
            turn = _with_extras(turn, message)
            reasoning = {name: message.state[name] for name in REASONING if name in message.state}
            spent = tokens.count(json.dumps(reasoning)) if reasoning and message.run_id == run_id else 0
            if spent and cost + spent <= room:
                turn, cost = _with_reasoning(turn, reasoning), cost + spent
        given.append(turn)
    return tuple(reversed(given)), cost


def _with_extras(turn: ChatMessage, message: Message) -> ChatMessage:
    calls = turn.get("tool_calls")
    if not calls:
        return turn
    extras = [call.get("extra", {}) for call in message.calls]
    return {**turn, "tool_calls": [{**call, **extra} for call, extra in zip(calls, extras, strict=True)]}


def _with_reasoning(turn: ChatMessage, reasoning: dict[str, Any]) -> ChatMessage:
    thought = reasoning.get("reasoning_content")
    content = turn["content"].removeprefix(thought.strip()).strip() if isinstance(thought, str) else turn["content"]
    return {**turn, "content": content, **reasoning}


def _wire_assistant(message: Message) -> ChatMessage:
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": _presentable_name(call["name"]), "arguments": _presentable(call["arguments"])},
        }
        for call in message.calls
    ]
    thought_inside = any(INNER_THOUGHTS in call["arguments"] for call in message.calls)
    turn: ChatMessage = {"role": "assistant", "content": "" if thought_inside else message.inner_monologue}
    if message.stopped:
        turn["content"] = f"{message.inner_monologue}\n[stopped by the person while saying: {message.content}]".strip()
    if calls:
        turn["tool_calls"] = calls
    elif not turn["content"]:
        turn["content"] = "[nothing]"  # servers refuse an empty turn
    return turn


def _presentable_name(name: str) -> str:
    """Servers refuse a history with a function name they would not allow."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "nameless"


@lru_cache(maxsize=2000)  # each step shows the model the calls of its whole window again
def _presentable(arguments: str) -> str:
    """Servers parse the arguments in a history too: broken ones are shown inside valid JSON."""
    try:
        value = json.loads(arguments)
        json.dumps(value, ensure_ascii=False).encode()  # half an emoji is JSON to Python and not to others
        whole = isinstance(value, dict)
    except (ValueError, RecursionError):
        whole = False
    return arguments if whole else json.dumps({"not_valid_json": arguments[:500]}, ensure_ascii=False)


def wire_tokens(turn: ChatMessage) -> int:
    """What a chat message costs."""
    total = tokens.MESSAGE_OVERHEAD + tokens.count(turn.get("content") or "")
    for call in turn.get("tool_calls", ()):
        function = call["function"]
        total += CALL_OVERHEAD + tokens.count(function["name"]) + tokens.count(function["arguments"])
    return total


def summary_text(summary: Summary | None, queue_start: int) -> str:
    """The queue's first entry; empty while nothing was ever evicted."""
    if summary is None and queue_start <= 1:
        return ""
    fields = {
        "message": summary.text if summary else "Earlier messages have left the window and are not summarised yet."
    }
    if summary and summary.covers_to < queue_start:
        fields["note"] = "Some later messages have left the window too; conversation_search finds them."
    return json.dumps({"type": "summary_of_earlier_messages", **fields}, ensure_ascii=False)


def eviction_cut(messages: list[Message]) -> int | None:
    """The seq at which the queue should start after a flush: about half of its tokens leave (paper section 2.2).

    The cut falls where a turn starts; if that frees less than a quarter, where a step does, so never between a call
    and its result. At least the last 3 messages stay. None if the queue is too short to cut.
    """
    total = sum(message.tokens for message in messages)
    freed = list(accumulate((message.tokens for message in messages), initial=0))
    for starts in (TURN_STARTS, {*TURN_STARTS, Kind.ASSISTANT}):
        cuts = [
            (freed[index], messages[index].seq)
            for index in range(1, len(messages) - KEPT_AT_FLUSH + 1)
            if messages[index].kind in starts
        ]
        enough = [cut for cut in cuts if cut[0] >= total / 2] or cuts[-1:]
        if enough and enough[0][0] >= total / 4:
            return enough[0][1]
    return cuts[-1][1] if cuts else None


def fit(turns: list[ChatMessage], budget: int) -> list[ChatMessage]:
    """`turns` within `budget` tokens: while they are over it, the longest text among them is cut in half.

    The last resort, for a few messages that are larger than the window. May stay over the budget when nothing long
    is left to cut.
    """
    turns = list(turns)
    costs = [wire_tokens(turn) for turn in turns]
    while sum(costs) > budget and turns:
        longest = costs.index(max(costs))
        shorter = _halved(turns[longest])
        cost = wire_tokens(shorter)
        if cost >= costs[longest]:
            break
        turns[longest], costs[longest] = shorter, cost
    return turns


def _halved(turn: ChatMessage) -> ChatMessage:
    if turn.get("tool_calls"):
        calls = [
            {**call, "function": {**call["function"], "arguments": _halved_json(call["function"]["arguments"])}}
            for call in turn["tool_calls"]
        ]
        return {**turn, "content": _half(turn.get("content") or ""), "tool_calls": calls}
    return {**turn, "content": _halved_json(turn["content"])}


def _halved_json(text: str) -> str:
    """JSON text with its longest string cut in half; other text is cut itself."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return _half(text)
    if not isinstance(value, dict):
        return _half(text)
    strings = {key: len(item) for key, item in value.items() if isinstance(item, str)}
    if strings:
        key = max(strings, key=lambda name: strings[name])
        value[key] = _half(value[key])
    return json.dumps(value, ensure_ascii=False)


def _half(text: str) -> str:
    text = text.removesuffix(CUT_NOTE)
    return text if len(text) < 2 * len(CUT_NOTE) else text[: len(text) // 2] + CUT_NOTE
