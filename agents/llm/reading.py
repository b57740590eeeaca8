"""What a server sends, in our own form, whatever shape it has: the one place that knows how servers differ in it.

Any field may be null, absent, or of another JSON type than OpenAI's; a whole completion may come where a stream was
asked for, an error where an answer was. A new quirk of an answer goes here, with a row in `tests/agents/llm/quirks.py`.
"""

import json
from collections.abc import Iterator
from typing import Any

from agents.llm.chunk import CallPiece, Chunk
from agents.llm.problems import Problem, ServerSaid
from agents.llm.think_tags import ThinkTags
from agents.llm.types import Usage
from agents.text.clean import storable

REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thought", "thoughts")
STATE = ("reasoning_content", "reasoning_details")  # of a message: given back as they came
FILTERED = {"content_filter", "content-filter", "safety", "prohibited_content", "blocklist", "recitation", "sensitive"}
MOST_LINES = 200  # of one event
LONGEST_BODY = 20_000_000  # characters of an answer that is no stream
THINKING_PARTS = ("thinking", "reasoning", "reasoning_text", "thought", "summary_text")


class Events:
    """The pieces of an answer, line by line: events as servers write them, or what they sent in their place."""

    def __init__(self) -> None:
        self._data: list[str] = []  # of the event that is not whole yet
        self._other: list[str] = []
        self._event, self._length, self._seen = "", 0, False

    def take(self, line: str) -> Iterator[Any]:
        """What the line makes whole. Raises ServerSaid for an event that is no JSON."""
        line = line.removeprefix("\ufeff")
        name, colon, value = line.partition(":")
        if colon and name == "data":
            yield from self._more(value.strip().removeprefix("data:"))
        elif colon and name == "error":
            yield {"error": _decoded(value) or value.strip() or line}
        elif colon and name == "event":
            self._event = value.strip()
        elif not line:
            yield from self.end_of_event()
        elif name not in ("", "id", "retry") and (length := self._length + len(line)) < LONGEST_BODY:
            self._length = length
            self._other.append(line)

    def _more(self, data: str) -> Iterator[Any]:
        """An event may have several lines; a line that is whole by itself leaves behind what was broken before it."""
        piece = _decoded(data)
        if piece is None and self._data and len(self._data) < MOST_LINES:
            piece = _decoded("\n".join([*self._data, data]))
        if piece is None:
            self._data.append(data)
        else:
            yield self._whole(piece)

    def end_of_event(self) -> Iterator[Any]:
        """What is left of an event, which is whole now and no JSON: said in place of an answer, unless it broke off."""
        text, self._data = "\n".join(self._data).strip(), []
        if text and text != "null" and not text.startswith("{"):
            yield {"error": text}

    def rest(self) -> Iterator[Any]:
        """What came in place of events."""
        yield from self.end_of_event()
        if not self._seen and (text := "\n".join(self._other)).strip():
            yield from pieces_of(text)

    def _whole(self, piece: Any) -> Any:
        is_error = self._event == "error" and not (isinstance(piece, dict) and piece.get("error"))
        self._data, self._event, self._seen = [], "", True
        return {"error": piece} if is_error else piece


class AnswerReader:
    """One answer, piece by piece. `refusal` and `filtered` are what the server said in place of an answer."""

    def __init__(self) -> None:
        self.refusal, self.filtered, self.empty = "", False, True
        self._tags = ThinkTags()
        self._choice: Any = None  # the number of the one that is read; others are other answers

    def take(self, piece: Any, at: float) -> Iterator[Chunk]:
        """The chunks of one piece; `at` is seconds since the request. Raises ServerSaid for an error in its place."""
        for part in piece if isinstance(piece, list) else [piece]:
            if isinstance(part, dict):
                yield from self._take(part, at)

    def end(self, at: float) -> Iterator[Chunk]:
        """What was not clear until the answer ended."""
        is_thought, text = self._tags.rest()
        if text:
            yield Chunk(at=at, reasoning=text) if is_thought else Chunk(at=at, content=text)

    def _take(self, piece: dict[str, Any], at: float) -> Iterator[Chunk]:
        if problem := _problem(piece):
            raise ServerSaid(problem)
        self.empty = False
        choice = self._choice_of(piece)
        delta = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
        finish = _text(choice.get("finish_reason")) or _text(choice.get("done_reason"))
        self.filtered = self.filtered or finish.casefold() in FILTERED
        self.refusal += _text(delta.get("refusal"))
        thoughts, content = _parts(delta.get("content") if delta else choice.get("text"))
        self.refusal += _refusals(delta.get("content"))
        reasoning = _reasoning(delta) + thoughts
        split = list(self._tags.take(content)) if content else []
        yield Chunk(
            at=at,
            reasoning=reasoning + "".join(text for is_thought, text in split if is_thought),
            content="".join(text for is_thought, text in split if not is_thought),
            calls=tuple(_calls(delta)),
            finish_reason=finish,
            usage=_usage(piece.get("usage")),
            model=_text(piece.get("model")),
            state={name: delta[name] for name in STATE if isinstance(delta.get(name), (str, list)) and delta[name]},
        )

    def _choice_of(self, piece: dict[str, Any]) -> dict[str, Any]:
        choices = piece.get("choices")
        if not isinstance(choices, list):
            return _mapping(choices) or piece
        found = [choice for choice in choices if isinstance(choice, dict)]
        wanted = (0, "0", None) if self._choice is None else (self._choice, None)
        choice = next((choice for choice in found if choice.get("index") in wanted), None)
        if choice is None and self._choice is None and found:
            choice = found[0]
        if choice is not None and self._choice is None:
            self._choice = choice.get("index")
        return choice or ({} if found else piece)


def pieces_of(text: str) -> Iterator[Any]:
    """The pieces of a body that is no stream of events: one JSON value, or several on lines of their own.

    Raises ServerSaid if it is something else, a web page for one.
    """
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        lines = [line.removeprefix("data:").strip() for line in text.splitlines()]
    values = []
    for line in lines:
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    if not any(isinstance(value, dict) for value in values):
        raise ServerSaid(Problem.of(200, text))
    yield from values


def _problem(piece: dict[str, Any]) -> Problem | None:
    """The error in a piece, if it is one: `{"error": ...}`, or what has no answer in it and says so."""
    choices = piece.get("choices")
    failed = (
        next((c for c in choices if isinstance(c, dict) and c.get("error")), {}) if isinstance(choices, list) else {}
    )
    error = piece.get("error") or failed.get("error") or _mapping(piece.get("base_resp")).get("status_code")
    is_error = bool(error) or piece.get("object") == "error" or piece.get("type") == "error"
    if not is_error and not any(name in piece for name in ("choices", "usage", "message", "delta", "id", "model")):
        is_error = any(isinstance(piece.get(name), (str, list, dict)) for name in ("detail", "errors", "code", "msg"))
    return Problem.of(200, json.dumps(piece)) if is_error else None


def _parts(content: Any) -> tuple[str, str]:
    """(thoughts, text) of a message's content: a string, a typed part, or a list of them."""
    if isinstance(content, str):
        return "", storable(content)
    if isinstance(content, dict):
        kind = _text(content.get("type"))
        if kind in THINKING_PARTS:
            return "".join(_whole(content.get(name)) for name in (*THINKING_PARTS, "text", "summary")), ""
        return "", "" if kind == "refusal" else _whole(content.get("text")) or _whole(content.get("content"))
    thoughts = text = ""
    for part in content if isinstance(content, list) else []:
        more_thoughts, more_text = _parts(part)
        thoughts, text = thoughts + more_thoughts, text + more_text
    return thoughts, text


def _refusals(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    return "".join(_text(part.get("refusal")) for part in parts if isinstance(part, dict))


def _whole(value: Any) -> str:
    """All text in it."""
    if isinstance(value, list):
        return "".join(_whole(item) for item in value)
    if isinstance(value, dict):
        return next((text for name in ("text", "content", "summary") if (text := _whole(value.get(name)))), "")
    return _text(value)


def _reasoning(delta: dict[str, Any]) -> str:
    named = next((text for name in REASONING if (text := _whole(delta.get(name)))), "")
    return named or _whole(delta.get("reasoning_details"))


def _calls(delta: dict[str, Any]) -> Iterator[CallPiece]:
    calls = delta.get("tool_calls")
    old_form = delta.get("function_call")
    calls = [calls] if isinstance(calls, dict) else calls
    if not calls and isinstance(old_form, dict):
        calls = [{"index": 0, "function": old_form}]
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            function = call["function"] if isinstance(call.get("function"), dict) else call
            yield CallPiece(
                index=_index(call.get("index")),
                id=_identity(call.get("id")),
                name=_text(function.get("name")),
                arguments=_arguments(function),
                extra={name: value for name, value in call.items() if name == "extra_content" and value},
            )


def _arguments(function: dict[str, Any]) -> str:
    value = next((function[name] for name in ("arguments", "parameters", "input") if name in function), None)
    if isinstance(value, str):
        return storable(value)
    return "" if value is None else storable(json.dumps(value))


def _index(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _identity(value: Any) -> str:
    return _text(value)[:120] if isinstance(value, str) else str(value)[:120] if isinstance(value, int) else ""


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    return Usage(
        prompt=_number(value.get("prompt_tokens")) or _number(value.get("input_tokens")),
        completion=_number(value.get("completion_tokens")) or _number(value.get("output_tokens")),
        cached=_number(details.get("cached_tokens")) if isinstance(details, dict) else 0,
    )


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return storable(value) if isinstance(value, str) else ""


def _number(value: Any) -> int:
    number = _index(value)
    return number if number is not None and 0 < number < 2**31 else 0
