"""The conversation of a Letta file as memweb keeps one: what is in the window last, each call with one result."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agents.llm.types import SEND_MESSAGE
from agents.main_context.fifo_queue import package_result
from agents.models import Message
from agents.services.agent_files import CallFile, MessageFile
from agents.services.letta_files import Json, LettaAgent, LettaMessage, LettaReturn

Kind = Message.Kind

NO_RESULT = "The file has no result of this call."
EVENTS = {
    "user_message": Kind.USER_MESSAGE,
    "login": Kind.LOGIN,
    "heartbeat": Kind.HEARTBEAT,
    "system_alert": Kind.SYSTEM_ALERT,
}
LONGEST_ID = 120  # characters of a call's id
SUMMARY = "The following is a summary of the previous messages:\n "  # as Letta writes it, after why there is one
BEFORE_SUMMARY = re.compile(r".*?The following is a summary of the previous [^\n]*:\n\s*", re.DOTALL)


@dataclass(frozen=True)
class _Result:
    call_id: str
    text: str
    failed: bool


def conversation(agent: LettaAgent) -> list[MessageFile]:
    """Those before the window, in the file's order, then those in it, in the agent's; all are in it if none is said to
    be. A model's server wants a result right behind its call."""
    place = {key: number for number, key in enumerate(agent.in_context_message_ids)}
    before = [message for message in agent.messages if place and message.id not in place]
    shown = [message for message in agent.messages if not place or message.id in place]
    shown.sort(key=lambda message: place.get(message.id, 0))
    return [*_entries(before, in_window=False), *_entries(shown, in_window=True)]


def summary(agent: LettaAgent) -> str:
    """Of what came before the window; empty if there is none."""
    texts = [_event(_text(message.content))[1] for message in agent.messages if message.role == "summary"]
    return BEFORE_SUMMARY.sub("", texts[-1], count=1) if texts else ""


def _entries(messages: Iterable[LettaMessage], *, in_window: bool) -> Iterator[MessageFile]:
    last = datetime(2000, 1, 1, tzinfo=UTC)
    waiting: list[MessageFile] = []  # results that are still to come
    for message in messages:
        last = message.created_at or last
        if results := list(_results(message)):
            for result in results:
                found = next((entry for entry in waiting if result.call_id in ("", entry.call_id)), None)
                if found:
                    waiting.remove(found)
                    yield _answered(found, result, last)
        elif entry := _entry(message, last, in_window):
            yield from waiting
            waiting = [_unanswered(entry, call) for call in entry.calls]
            yield entry
    yield from waiting


def _results(message: LettaMessage) -> Iterator[_Result]:
    """What functions answered, if this message tells it."""
    returned = [one for one in (*message.tool_returns, *message.approvals) if one.func_response is not None]
    for one in returned:
        yield _result(one, message)
    if not returned and message.role in ("tool", "function"):
        yield _result(LettaReturn(func_response=message.content), message)


def _result(one: LettaReturn, message: LettaMessage) -> _Result:
    text, failed = _text(one.func_response), one.status == "error"
    try:
        package = json.loads(text)
        failed = failed or str(package["status"]).lower() not in ("ok", "success")
        answer = package["message"]
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # no package: the answer itself
    return _Result(one.tool_call_id or message.tool_call_id or "", text, failed)


def _entry(message: LettaMessage, time: datetime, in_window: bool) -> MessageFile | None:
    if message.role in ("user", "system"):
        kind, text = _event(_text(message.content))
        said = message.role == "user" or kind != Kind.USER_MESSAGE  # else the system instructions, which the agent has
        return MessageFile(kind=kind, time=time, content=text, in_window=in_window) if text and said else None
    text, calls = _text(message.content), _calls(message)
    thought = "\n\n".join(filter(None, [_thought(message.content), text if calls else ""]))
    if not calls and text:  # of an agent that speaks without a function
        spoken = json.dumps({"message": text}, ensure_ascii=False)
        calls = [CallFile(id=f"said_{message.id}"[:LONGEST_ID], name=SEND_MESSAGE, arguments=spoken)]
    if message.role not in ("assistant", "approval") or not (calls or thought):
        return None  # a summary, a person's yes
    return MessageFile(
        kind=Kind.ASSISTANT,
        time=time,
        content="\n\n".join(filter(None, map(_said, calls))),
        inner_monologue=thought,
        calls=calls,
        in_window=in_window,
    )


def _event(text: str) -> tuple[Kind, str]:
    """A user's message as it is packaged for the model, or an event that looks like one."""
    try:
        package = json.loads(text)
        kind = EVENTS[package["type"]]
        return kind, str(package.get("message") or package.get("reason") or package["type"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Kind.USER_MESSAGE, text


def _text(content: str | list[Json] | None) -> str:
    """What is said in it. Pictures are not in memweb, and a turn that was one is no empty turn."""
    if isinstance(content, str):
        return content
    texts = [_picture_or(part.get("text"), part) for part in content or ()]
    return "\n".join(text for text in texts if text)


def _picture_or(text: Any, part: Json) -> str:
    return "[picture]" if part.get("type") == "image" else str(text or "")


def _thought(content: str | list[Json] | None) -> str:
    parts = content if isinstance(content, list) else ()
    return "\n\n".join(str(part["reasoning"]) for part in parts if part.get("reasoning"))


def _calls(message: LettaMessage) -> list[CallFile]:
    calls = [_call(call.get("id"), call.get("function"), number) for number, call in enumerate(message.tool_calls)]
    if calls or not isinstance(message.content, list):
        return calls
    parts = [part for part in message.content if part.get("type") == "tool_call"]
    named = [(part.get("id"), {"name": part.get("name"), "arguments": part.get("input")}) for part in parts]
    return [_call(key, function, number) for number, (key, function) in enumerate(named)]


def _call(key: Any, function: Any, number: int) -> CallFile:
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments", "{}")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    name = str(function.get("name") or "")[:80]
    return CallFile(id=str(key or f"call_{number}")[:LONGEST_ID], name=name, arguments=written)


def _said(call: CallFile) -> str:
    if call.name != SEND_MESSAGE:
        return ""
    try:
        return str(json.loads(call.arguments)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _unanswered(entry: MessageFile, call: CallFile) -> MessageFile:
    failed = call.name != SEND_MESSAGE or not entry.content
    return MessageFile(
        kind=Kind.FUNCTION_RESULT,
        time=entry.time,
        content=package_result(ok=not failed, message=NO_RESULT, time=entry.time),
        call_id=call.id,
        function=call.name,
        failed=failed,
        in_window=entry.in_window,
    )


def _answered(entry: MessageFile, result: _Result, time: datetime) -> MessageFile:
    content = package_result(ok=not result.failed, message=result.text, time=time)
    return entry.model_copy(update={"content": content, "failed": result.failed, "time": time})
