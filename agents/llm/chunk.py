"""The one form of a streamed piece that the modes read, and the call that yields them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.llm.types import ChatMessage, Completion, FunctionCall, Usage


@dataclass(frozen=True)
class CallPiece:
    """A part of a function call; `index` tells the calls of one answer apart, where the server gives one.

    `extra` is what else the server sent with it, and wants back.
    """

    index: int | None
    id: str
    name: str
    arguments: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """`at` is seconds since the request was sent. `state` are fields that the server wants back with the message;
    text is added to what came before, a list too.
    """

    at: float
    reasoning: str = ""
    content: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    model: str = ""
    state: dict[str, Any] = field(default_factory=dict)


class StreamChat(Protocol):
    """Streams one chat completion; `options` are further fields of the request. Raises `LLMError`."""

    def __call__(self, messages: list[ChatMessage], **options: Any) -> Iterator[Chunk]:
        """The answer to `messages`, chunk by chunk."""
        ...


@dataclass
class Tally:
    """What is common to the end of every answer: usage, finish reason, time to the first token."""

    usage: Usage = field(default_factory=Usage)
    finish_reason: str = ""
    model: str = ""
    first_token: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)

    def note(self, chunk: Chunk) -> None:
        """Take in the next chunk of the answer."""
        if not self.first_token and (chunk.reasoning or chunk.content or chunk.calls):
            self.first_token = chunk.at
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.model = chunk.model or self.model
        self.usage = chunk.usage or self.usage
        for name, value in chunk.state.items():
            same = type(self.state.get(name)) is type(value)
            self.state[name] = self.state[name] + value if same else value

    def completion(self, thinking: str, calls: tuple[FunctionCall, ...], text: str) -> Completion:
        """The end of the answer."""
        return Completion(
            inner_monologue=thinking.strip(),
            calls=calls,
            finish_reason=self.finish_reason,
            usage=self.usage,
            model=self.model,
            time_to_first_token=self.first_token,
            state=self.state,
            text=text.strip(),
        )
