"""Mode `tools`: the server's own function calling."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm.calls import OpenCalls, calls_in_text, is_whole
from agents.llm.chunk import Chunk, StreamChat, Tally
from agents.llm.types import INNER_THOUGHTS, Completion, Delta, FunctionSchema, Prompt, Thinking

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
    names = {schema.name for schema in prompt.functions}
    tally, open_calls, thinking, text = Tally(), OpenCalls(names), "", ""
    tools = [tool(schema) for schema in prompt.functions]
    for chunk in chat(prompt.messages(), tools=tools, tool_choice="required"):
        tally.note(chunk)
        text += chunk.content
        for delta in _deltas(chunk, open_calls):
            if isinstance(delta, Thinking):
                thinking += delta.text
            yield delta
    for delta in open_calls.finish():
        if isinstance(delta, Thinking):
            thinking += delta.text
        yield delta
    calls = open_calls.calls()
    if calls and not tally.finish_reason and calls[-1].arguments and not is_whole(calls[-1].arguments):
        raise LLMError(_("The model's server ended its answer in the middle of a call."), retryable=True)
    if not calls and tally.finish_reason != "length":
        calls, rest = calls_in_text(text, names)
        thinking = thinking.replace(text, rest) if calls else thinking
    yield tally.completion(thinking, calls, text)


def _deltas(chunk: Chunk, calls: OpenCalls) -> Iterator[Delta]:
    for text in (chunk.reasoning, chunk.content):
        if text:
            yield Thinking(text)
    for piece in chunk.calls:
        yield from calls.take(piece)
