"""Messages as the timeline shows them: calls together with their results, replies as HTML, memory edits."""

import json
from bisect import bisect
from dataclasses import dataclass, field

from django.utils.safestring import SafeString

from agents import selectors
from agents.function_executor import MOST_CALLS
from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT, SEND_MESSAGE
from agents.main_context.fifo_queue import result_text
from agents.models import Message
from agents.selectors import MemoryEdit
from agents.text.clean import storable
from chat import markdown

Kind = Message.Kind


@dataclass(frozen=True)
class CallView:
    """A function call with what came of it. `hint` is the one argument worth seeing while folded."""

    name: str
    hint: str
    arguments: str
    result: str
    failed: bool
    answered: bool  # false while its result is still to come
    spoke: bool  # a send_message that was sent: shown as the reply, not as a call
    search: int | None  # its result, if that is of a search whose scores can be told


@dataclass(frozen=True)
class Row:
    message: Message
    template: str
    html: SafeString | None = None
    calls: list[CallView] = field(default_factory=list)
    edits: list[MemoryEdit] = field(default_factory=list)
    can_retry: bool = False


def rows(messages: list[Message]) -> list[Row]:
    """The rows to draw. Results of calls are drawn with the calls. Two queries at most, however many messages: none for
    a reply that comes with its result.
    """
    assistants = [message for message in messages if message.kind == Kind.ASSISTANT]
    results = _results(assistants, [message for message in messages if _is_drawn_with_call(message)])
    edits = selectors.edits_of([message for message in assistants if _does_more_than_speak(message)])
    return [_row(message, results, edits) for message in messages if not _is_drawn_with_call(message)]


def _is_drawn_with_call(message: Message) -> bool:
    return message.kind == Kind.FUNCTION_RESULT and bool(message.call_id)


def _does_more_than_speak(message: Message) -> bool:
    return any(call["name"] != SEND_MESSAGE for call in message.calls)


def _row(message: Message, results: dict[int, dict[str, Message]], edits: dict[int, list[MemoryEdit]]) -> Row:
    if message.kind != Kind.ASSISTANT:
        retry = message.kind == Kind.NOTICE and message.failed and message.run_id is not None
        return Row(message, f"chat/rows/_{message.kind}.html", can_retry=retry)
    own = results.get(message.pk, {})
    return Row(
        message,
        "chat/rows/_assistant.html",
        html=markdown.render(message.content) if message.content else None,
        calls=[_call(call, own.get(call["id"])) for call in message.calls],
        edits=edits.get(message.step_id or 0, []),
        can_retry=message.stopped,
    )


def _call(call: dict[str, str], result: Message | None) -> CallView:
    failed = bool(result and result.failed)
    try:
        arguments = json.loads(call["arguments"])
        shown = {k: v for k, v in arguments.items() if k not in (INNER_THOUGHTS, REQUEST_HEARTBEAT)}
        hint = next((str(value) for value in shown.values()), "")
        text = "\n".join(f"{key}: {value}" for key, value in shown.items())
    except (ValueError, AttributeError, RecursionError):
        hint, text = "", call["arguments"]
    return CallView(
        name=call["name"],
        hint=storable(hint[:80]),
        arguments=storable(text),
        result=result_text(result.content) if result else "",
        failed=failed,
        answered=result is not None,
        spoke=call["name"] == SEND_MESSAGE and not failed,
        search=result.pk if result and selectors.has_scores(result) else None,
    )


def _results(assistants: list[Message], given: list[Message]) -> dict[int, dict[str, Message]]:
    """Results by assistant message and call id: they follow it in the timeline. One query if not all are `given`."""
    calling = [message for message in assistants if message.calls]
    found = _by_call(assistants, given)
    if all(call["id"] in found[message.pk] for message in calling for call in message.calls):
        return found
    first, last = calling[0], calling[-1]
    rows = Message.objects.filter(agent=first.agent_id, kind=Kind.FUNCTION_RESULT, retracted_at=None)
    rows = rows.filter(seq__gt=first.seq, seq__lte=(last.seq or 0) + MOST_CALLS).without_search_columns()
    return _by_call(assistants, list(rows.order_by("seq")))


def _by_call(assistants: list[Message], results: list[Message]) -> dict[int, dict[str, Message]]:
    found: dict[int, dict[str, Message]] = {message.pk: {} for message in assistants}
    seqs = [message.seq or 0 for message in assistants]
    for result in results:
        if place := bisect(seqs, result.seq or 0):
            found[assistants[place - 1].pk].setdefault(result.call_id, result)
    return found
