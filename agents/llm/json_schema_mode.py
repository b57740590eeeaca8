"""Mode `json_schema`: for models or servers that do not call functions reliably.

The answer is one JSON object, held to a schema by `response_format`:

    {"inner_thoughts": "...", "call": {"name": "send_message", "arguments": {...}}}
"""

import json
from collections.abc import Iterator
from typing import Any

from agents.llm.chunk import StreamChat, Tally
from agents.llm.partial_json import Growing, read
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
)
from agents.text.clean import storable

INSTRUCTIONS = """# Functions
{functions}

Answer with exactly one JSON object and nothing else:
{{"inner_thoughts": "your private thoughts", "call": {{"name": "function", "arguments": {{...}}}}}}"""


def stream(prompt: Prompt, chat: StreamChat) -> Iterator[Delta | Completion]:
    """One answer with one call. Text that is not the object becomes inner monologue without a call."""
    tally, answer = Tally(), _Answer()
    for chunk in chat(messages(prompt), response_format=response_format(prompt.functions)):
        tally.note(chunk)
        if chunk.reasoning:
            answer.thinking += chunk.reasoning
            yield Thinking(chunk.reasoning)
        if chunk.content:
            yield from answer.take(chunk.content)
    yield Completion(
        inner_monologue=answer.monologue(),
        calls=answer.calls(),
        finish_reason=tally.finish_reason,
        usage=tally.usage,
        model=tally.model,
        time_to_first_token=tally.first_token,
    )


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
    return [head, *(_as_text(message) for message in rest)]


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

    def __init__(self) -> None:
        self.text, self.thinking, self.name = "", "", ""
        self.thoughts, self.reply, self.arguments = Growing(), Growing(), Growing()

    def take(self, content: str) -> Iterator[Delta]:
        self.text += content
        so_far = read(self.text)
        if thoughts := self.thoughts.more(so_far.get(INNER_THOUGHTS)):
            yield Thinking(thoughts)
        call = so_far.get("call")
        if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
            return
        if not self.name:  # the name is whole once the arguments have begun
            self.name = storable(str(call.get("name", "")))
            yield CallStarted(0, self.name)
        if self.name == SEND_MESSAGE:
            if text := self.reply.more(call["arguments"].get("message")):
                yield ReplyDelta(text)
        elif text := self.arguments.more(_raw_arguments(self.text)):
            yield ArgumentsDelta(0, text)

    def monologue(self) -> str:
        thoughts = self.thoughts.seen if self.calls() or self.thoughts.seen else self.text
        return "\n".join(part.strip() for part in (self.thinking, thoughts) if part.strip())

    def calls(self) -> tuple[FunctionCall, ...]:
        """The call. Arguments that were cut off stay as they are, so that they are refused, not mended."""
        if not self.name:
            return ()
        try:
            # as ASCII: half an emoji in an escape stays an escape, for the validation to refuse
            arguments = json.dumps(json.loads(self.text)["call"]["arguments"])
        except (ValueError, KeyError, TypeError, RecursionError):
            arguments = _raw_arguments(self.text)
        return (FunctionCall("call_0", self.name, arguments),)


def _raw_arguments(text: str) -> str:
    _, _, rest = text.partition('"arguments"')
    return rest.lstrip(" :\n")
