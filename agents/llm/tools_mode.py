"""Mode `tools`: the server's own function calling."""

from collections.abc import Iterator
from typing import Any

from agents.llm.chunk import CallPiece, Chunk, StreamChat, Tally
from agents.llm.partial_json import Growing, read
from agents.llm.types import (
    INNER_THOUGHTS,
    SEND_MESSAGE,
    ArgumentsDelta,
    CallStarted,
    Completion,
    Delta,
    FunctionCall,
    FunctionSchema,
    Prompt,
    ReplyDelta,
    Thinking,
)

THOUGHTS_SCHEMA = {"type": "string", "description": "Your private thoughts, in a sentence or two, before you act."}


def with_inner_thoughts(parameters: dict[str, Any]) -> dict[str, Any]:
    """The schema with `inner_thoughts` as its first argument."""
    return {
        **parameters,
        "properties": {INNER_THOUGHTS: THOUGHTS_SCHEMA, **parameters.get("properties", {})},
        "required": [INNER_THOUGHTS, *parameters.get("required", [])],
    }


def tool(schema: FunctionSchema) -> dict[str, Any]:
    """A function in the form of a request's `tools`."""
    parameters = with_inner_thoughts(schema.parameters)
    return {
        "type": "function",
        "function": {"name": schema.name, "description": schema.description, "parameters": parameters},
    }


def stream(prompt: Prompt, chat: StreamChat) -> Iterator[Delta | Completion]:
    """One answer. The monologue comes from reasoning deltas, from content, or from `inner_thoughts`."""
    tally, calls, thinking = Tally(), _Calls(), ""
    tools = [tool(schema) for schema in prompt.functions]
    for chunk in chat(prompt.messages(), tools=tools, tool_choice="required"):
        tally.note(chunk)
        for delta in _deltas(chunk, calls):
            if isinstance(delta, Thinking):
                thinking += delta.text
            yield delta
    yield Completion(
        inner_monologue=thinking.strip(),
        calls=calls.finished(),
        finish_reason=tally.finish_reason,
        usage=tally.usage,
        model=tally.model,
        time_to_first_token=tally.first_token,
    )


def _deltas(chunk: Chunk, calls: "_Calls") -> Iterator[Delta]:
    for text in (chunk.reasoning, chunk.content):
        if text:
            yield Thinking(text)
    for piece in chunk.calls:
        yield from calls.take(piece)


class _Calls:
    """The calls of one answer while they arrive."""

    def __init__(self) -> None:
        self.open: dict[int, _OpenCall] = {}

    def take(self, piece: CallPiece) -> Iterator[Delta]:
        call = self.open.setdefault(piece.index, _OpenCall(piece.index))
        yield from call.take(piece)

    def finished(self) -> tuple[FunctionCall, ...]:
        ordered = (self.open[index] for index in sorted(self.open))
        return tuple(FunctionCall(call.id or f"call_{call.index}", call.name, call.arguments) for call in ordered)


class _OpenCall:
    def __init__(self, index: int) -> None:
        self.index, self.id, self.name, self.arguments = index, "", "", ""
        self.thoughts, self.reply = Growing(), Growing()

    def take(self, piece: CallPiece) -> Iterator[Delta]:
        self.id = piece.id or self.id
        if piece.name and not self.name:
            self.name = piece.name
            yield CallStarted(self.index, piece.name)
        if not piece.arguments:
            return
        self.arguments += piece.arguments
        so_far = read(self.arguments)
        if thoughts := self.thoughts.more(so_far.get(INNER_THOUGHTS)):
            yield Thinking(thoughts)
        if self.name == SEND_MESSAGE:
            if text := self.reply.more(so_far.get("message")):
                yield ReplyDelta(text)
        else:
            yield ArgumentsDelta(self.index, piece.arguments)
