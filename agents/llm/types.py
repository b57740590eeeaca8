"""What goes to a model and what comes back, whatever the server or the mode.

    Prompt -> gateway.stream() -> Thinking | CallStarted | ArgumentsDelta | ReplyDelta ... -> Completion (always last)

Nothing here knows Django or `openai`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from memweb.functions.signature import INNER_THOUGHTS as INNER_THOUGHTS
from memweb.functions.signature import REQUEST_HEARTBEAT as REQUEST_HEARTBEAT

ChatMessage = dict[str, Any]
"""One message in OpenAI's chat form: role, content, tool_calls, tool_call_id."""

SEND_MESSAGE = "send_message"


class Role(StrEnum):
    """What a function does, so that nobody has to know one by its name."""

    SPEAKS = "speaks"  # its `message` is the reply
    WRITES_CORE_MEMORY = "writes_core_memory"
    SEARCHES_MEMORY = "searches_memory"
    FILES = "files"  # into archival storage, its `content`
    OTHER = "other"


@dataclass(frozen=True)
class FunctionSchema:
    """A function as the model is told about it; `parameters` is a JSON schema (an object). `role` is not told."""

    name: str
    description: str
    parameters: dict[str, Any]
    role: Role = Role.OTHER


@dataclass(frozen=True)
class Section:
    """One stretch of the main context. `tokens` is what it costs, as counted by `agents.text.tokens`."""

    name: str  # system_instructions | functions | core_memory | summary | queue
    text: str  # empty for the queue: `Prompt.queue_text` is made for who reads it
    tokens: int


@dataclass(frozen=True)
class PromptBlock:
    """A core memory block as the prompt shows it. `limit` is in characters."""

    label: str
    value: str
    limit: int
    description: str = ""
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The main context, ready to send (paper section 2.1).

    `system` is the whole system message: instructions and working context (the `blocks`, once more as data for a mode
    that shows them differently). `summary` heads the queue. `queue` holds user messages packaged as JSON
    `{"type","message","time"}`, assistant messages with `tool_calls`, and `tool` results.
    """

    system: str
    blocks: tuple[PromptBlock, ...]
    summary: str
    queue: tuple[ChatMessage, ...]
    functions: tuple[FunctionSchema, ...]
    sections: tuple[Section, ...] = ()

    def messages(self) -> list[ChatMessage]:
        """The chat messages in order: system, summary, queue; neighbours of one role are one message."""
        head: list[ChatMessage] = [{"role": "system", "content": self.system}]
        if self.summary:
            head.append({"role": "user", "content": self.summary})
        return merged(head + list(self.queue))

    @property
    def queue_text(self) -> str:
        """The queue as it is sent, a line of JSON for each message."""
        return "\n".join(json.dumps(turn, ensure_ascii=False) for turn in merged(list(self.queue)))

    @property
    def tokens(self) -> int:
        """Of all sections."""
        return sum(section.tokens for section in self.sections)


def merged(messages: list[ChatMessage]) -> list[ChatMessage]:
    """With neighbours of one role made one, which strict chat templates want. Results of calls stay apart."""
    joined: list[ChatMessage] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is None or last["role"] != message["role"] or message["role"] == "tool" or last.get("tool_calls"):
            joined.append(message)
            continue
        both = [text for text in (last.get("content"), message.get("content")) if text]
        joined[-1] = {**last, **message, "content": "\n".join(both)}
        if pictures := [*last.get("pictures", ()), *message.get("pictures", ())]:
            joined[-1]["pictures"] = pictures
    return joined


@dataclass(frozen=True)
class FunctionCall:
    """A call as the model wrote it: `arguments` is raw text, not yet known to be JSON.

    `extra` is what else its server sent with it, and wants back.
    """

    id: str
    name: str
    arguments: str
    extra: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Usage:
    """Tokens as the server reported them; `cached` is the part of `prompt` its cache served."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


@dataclass(frozen=True)
class Thinking:
    """A piece of inner monologue."""

    text: str


@dataclass(frozen=True)
class CallStarted:
    """A call begins; its arguments follow."""

    index: int
    name: str


@dataclass(frozen=True)
class ArgumentsDelta:
    """A piece of the raw JSON arguments of call `index`."""

    index: int
    text: str


@dataclass(frozen=True)
class ReplyDelta:
    """A piece of `send_message`'s message, taken out of half-arrived arguments."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Completion:
    """The finished answer. `finish_reason` is the server's own word (`stop`, `tool_calls`, `length`, ...).

    `state` are the fields that its server wants back with the message; `remarks` are sentences for the person about
    the server, already in their language.
    """

    inner_monologue: str
    calls: tuple[FunctionCall, ...]
    finish_reason: str
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    time_to_first_token: float = 0.0  # seconds
    state: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    text: str = ""  # what it said in no call's arguments, thoughts not included


Delta = Thinking | CallStarted | ArgumentsDelta | ReplyDelta


class RawChat(Protocol):
    """A plain chat call for modes that build their own prompts: yields text pieces, then one `Usage`.

    `slot` names a llama.cpp server slot, so that each prompt's prefix stays cached. At most one of `json_schema` and
    `grammar` (GBNF) constrains the text. Raises `agents.exceptions.LLMError`.
    """

    def __call__(
        self,
        messages: list[ChatMessage],
        *,
        max_tokens: int,
        slot: int,
        json_schema: dict[str, Any] | None = None,
        grammar: str | None = None,
    ) -> Iterator[str | Usage]:
        """The answer to `messages`; at most `max_tokens` of it."""
        ...
