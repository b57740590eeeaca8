"""Mode `json_schema`: for models or servers that do not call functions reliably.

The answer is one JSON object, held to a schema by `response_format`:

    {"inner_thoughts": "...", "call": {"name": "send_message", "arguments": {...}}}
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

from agents.llm.calls import OpenCalls, calls_in_text, known_name
from agents.llm.chunk import StreamChat, Tally
from agents.llm.partial_json import Growing, first_object, read
from agents.llm.types import (
    INNER_THOUGHTS,
    SEND_MESSAGE,
    ArgumentsDelta,
    CallStarted,
    ChatMessage,
    Completion,
    Delta,
    FunctionCall,
    FunctionSchema,
    Prompt,
    ReplyDelta,
    Thinking,
    merged,
)
from agents.text.clean import storable

INSTRUCTIONS = """# Functions
{functions}

Answer with exactly one JSON object and nothing else:
{{"inner_thoughts": "your private thoughts", "call": {{"name": "function", "arguments": {{...}}}}}}"""


def stream(prompt: Prompt, chat: StreamChat) -> Iterator[Delta | Completion]:
    """One answer with one call: the first whole object that is one, whatever stands before or after it. Text without
    such an object becomes inner monologue without a call."""
    tally, answer = Tally(), _Answer({schema.name for schema in prompt.functions})
    for chunk in chat(messages(prompt), response_format=response_format(prompt.functions)):
        tally.note(chunk)
        if chunk.reasoning:
            answer.thinking += chunk.reasoning
            yield Thinking(chunk.reasoning)
        for piece in chunk.calls:  # a server that calls functions all the same
            yield from answer.called.take(piece)
        if chunk.content:
            yield from answer.take(chunk.content)
    yield from answer.called.finish()
    calls = answer.calls(cut_off=tally.finish_reason == "length")
    is_said = not calls and f'"{INNER_THOUGHTS}"' not in answer.text  # an object without a call is for nobody's eyes
    yield tally.completion(answer.monologue(calls), calls, answer.text if is_said else "")


def response_format(functions: tuple[FunctionSchema, ...]) -> dict[str, Any]:
    """Strict mode wants every property required and nothing besides."""
    calls = [
        _object({"name": {"type": "string", "enum": [schema.name]}, "arguments": _strict(schema.parameters)})
        for schema in functions
    ]
    answer = _object({INNER_THOUGHTS: {"type": "string"}, "call": {"anyOf": calls}})
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": answer}}


def messages(prompt: Prompt) -> list[ChatMessage]:
    """The prompt with functions told in words, calls as JSON text and results as user messages."""
    functions = "\n".join(
        json.dumps({"name": s.name, "description": s.description, "arguments": s.parameters.get("properties", {})})
        for s in prompt.functions
    )
    system, *rest = prompt.messages()
    head = {**system, "content": f"{system['content']}\n\n{INSTRUCTIONS.format(functions=functions)}"}
    return merged([head, *(_as_text(message) for message in rest)])


def _as_text(message: ChatMessage) -> ChatMessage:
    if message["role"] == "tool":
        return {"role": "user", "content": message["content"]}
    calls = message.get("tool_calls")
    if not calls:
        return message
    first = calls[0]["function"]
    arguments = read(first["arguments"])
    thoughts = arguments.pop(INNER_THOUGHTS, None) or message.get("content") or ""
    answer = {INNER_THOUGHTS: thoughts, "call": {"name": first["name"], "arguments": arguments}}
    return {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _strict(parameters: dict[str, Any]) -> dict[str, Any]:
    properties = parameters.get("properties", {})
    # strict mode knows no defaults
    return _object({name: {k: v for k, v in value.items() if k != "default"} for name, value in properties.items()})


class _Answer:
    """The object while it arrives."""

    def __init__(self, names: Collection[str]) -> None:
        self.text, self.thinking, self.name = "", "", ""
        self.called = OpenCalls(names)
        self._names, self._rest = names, ""  # what is said besides the call
        self._thoughts, self._reply, self._arguments = Growing(), Growing(), Growing()

    def take(self, content: str) -> Iterator[Delta]:
        self.text += content
        so_far, _whole, start = first_object(self.text)
        if thoughts := self._thoughts.more(so_far.get(INNER_THOUGHTS)):
            yield Thinking(thoughts)
        call = so_far.get("call")
        if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
            return
        if not self.name:  # the name is whole once the arguments have begun
            self.name = known_name(storable(str(call.get("name", ""))), self._names)
            yield CallStarted(0, self.name)
        if self.name == SEND_MESSAGE:
            if text := self._reply.more(call["arguments"].get("message")):
                yield ReplyDelta(text)
        elif text := self._arguments.more(_raw_arguments(self.text[start:])):
            yield ArgumentsDelta(0, text)

    def monologue(self, calls: tuple[FunctionCall, ...]) -> str:
        thoughts = self._thoughts.seen or self._rest
        return "\n".join(part.strip() for part in (self.thinking, thoughts) if part.strip())

    def calls(self, *, cut_off: bool) -> tuple[FunctionCall, ...]:
        """The call. Arguments that were cut off stay as they are, so that they are refused, not mended."""
        if called := self.called.calls():
            self._rest = self.text
            return called
        if not self.name:
            calls, self._rest = calls_in_text("" if cut_off else self.text, self._names)
            self._rest = self._rest or ("" if calls else self.text)
            return calls
        so_far, whole, start = first_object(self.text)
        arguments = so_far.get("call", {}).get("arguments") if whole else None
        if not isinstance(arguments, dict):
            return (FunctionCall("call_0", self.name, _raw_arguments(self.text[start:])),)
        # as ASCII: half an emoji in an escape stays an escape, for the validation to refuse
        return (FunctionCall("call_0", self.name, json.dumps(arguments)),)


def _raw_arguments(text: str) -> str:
    _, _, rest = text.partition('"arguments"')
    return rest.lstrip(" :\n")
