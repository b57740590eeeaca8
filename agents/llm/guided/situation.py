"""What the FIFO queue says has happened: the event that awaits an answer, and what was done about it so far."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.llm.guided.persons import named_by
from agents.llm.types import SEND_MESSAGE, ChatMessage

MAX_TEXT = 4000  # characters
EventType = Literal["user_message", "login", "heartbeat", "system_alert", "none"]


@dataclass(frozen=True)
class Done:
    """A call since the event, with its result."""

    name: str
    arguments: dict[str, Any]
    failed: bool
    message: str


@dataclass(frozen=True)
class Line:
    """One thing said aloud."""

    speaker: Literal["user", "assistant"]
    text: str


@dataclass
class Situation:
    """`event` is what awaits an answer: a user message stays it until a reply went out, whatever came in between.

    `text` is what the rules are asked of, the beginning of a very long message; `whole` is all of it.
    """

    event: EventType = "none"
    text: str = ""
    whole: str = ""
    time: str = ""
    pictures: bool = False  # some came with it, which no guided model sees
    done: list[Done] = field(default_factory=list)
    conversation: list[Line] = field(default_factory=list)
    """The conversation before the event's own message."""
    archived: list[str] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """What the user said before the event's own message."""
        return [line.text for line in self.conversation if line.speaker == "user"]

    @property
    def failures(self) -> int:
        """How many calls since the event have failed."""
        return sum(call.failed for call in self.done)


def read_queue(queue: tuple[ChatMessage, ...]) -> Situation:
    """Replay the queue. Entries it cannot read are taken as plain user text, so nothing a person said is lost."""
    situation = Situation()
    open_calls: dict[str, tuple[str, dict[str, Any]]] = {}
    for entry in queue:
        if entry["role"] == "user":
            _take_event(situation, entry)
        elif entry["role"] == "assistant":
            for call in entry.get("tool_calls") or ():
                function = call["function"]
                open_calls[call["id"]] = (function["name"], _object(function["arguments"]) or {})
        elif entry["role"] == "tool":
            name, arguments = open_calls.pop(entry.get("tool_call_id", ""), ("", {}))
            _take_result(situation, name, arguments, str(entry.get("content") or ""))
    return situation


def _take_event(situation: Situation, entry: ChatMessage) -> None:
    content = str(entry.get("content") or "")
    packed = _object(content) or {"type": "user_message", "message": content}
    kind = packed.get("type", "user_message")
    if kind != "user_message" and situation.event in ("user_message", "login"):
        return  # a heartbeat or an alert in between: the person still waits
    if situation.event == "user_message":
        situation.conversation.append(Line("user", situation.text))
    situation.event = kind if kind in ("user_message", "login", "heartbeat", "system_alert") else "none"
    situation.whole = str(packed.get("message") or packed.get("reason") or "")
    text = re.sub(r"[ \t]+", " ", situation.whole)[:MAX_TEXT]
    text = re.sub(r"\b(what|who|where|when|how)s\b", r"\1's", text, flags=re.IGNORECASE)
    before = next((line.text for line in reversed(situation.conversation) if line.speaker == "user"), "")
    situation.text = named_by(before, text)
    situation.time = str(packed.get("time") or "")
    situation.pictures = "pictures" in packed
    situation.done = []


def _take_result(situation: Situation, name: str, arguments: dict[str, Any], content: str) -> None:
    packed = _object(content) or {"message": content}
    failed = packed.get("status") == "Failed"
    if name == SEND_MESSAGE and not failed:
        if situation.event == "user_message":
            situation.conversation.append(Line("user", situation.text))
        situation.conversation.append(Line("assistant", str(arguments.get("message") or "")))
        situation.event, situation.text, situation.done = "none", "", []
        return
    if name == "archival_memory_insert" and not failed:
        situation.archived.append(str(arguments.get("content") or ""))
    situation.done.append(Done(name, arguments, failed, str(packed.get("message") or "")))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
