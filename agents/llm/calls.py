"""Function calls as servers send them, put together: in pieces, with strange indexes and names, or written as text.

What is new goes here: another way to number calls into `OpenCalls._call_for`, another form of a name into `known_name`,
another way to write a call as text into `WRITTEN`.
"""

import ast
import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

from agents.llm.chunk import CallPiece
from agents.llm.partial_json import Growing, read
from agents.llm.types import (
    INNER_THOUGHTS,
    SEND_MESSAGE,
    ArgumentsDelta,
    CallStarted,
    Delta,
    FunctionCall,
    ReplyDelta,
    Thinking,
)

ARGUMENTS_NAMES = ("arguments", "parameters", "args", "input")  # as models call them
MOST_WRITTEN = 10  # calls that are looked for in a text
MOST_CLOSINGS = 50  # brackets at which one may end
MOST_TRIED = 200  # places in a text at which one may begin
LONGEST_TEXT = 200_000  # characters of an answer that is searched for written calls


class OpenCalls:
    """The calls of one answer while they arrive. `names` are the functions that there are."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}

    def take(self, piece: CallPiece) -> Iterator[Delta]:
        """Deltas of what this piece adds."""
        call = self._call_for(piece)
        if piece.index is not None:
            self._by_index[piece.index] = call
        yield from call.take(piece)

    def finish(self) -> Iterator[Delta]:
        """Deltas of what only the end makes clear."""
        for call in self._calls:
            yield from call.finish()

    def calls(self) -> tuple[FunctionCall, ...]:
        """The finished calls in the order in which they began."""
        return tuple(call.whole() for call in self._calls if call.name or call.arguments)

    def _call_for(self, piece: CallPiece) -> "_OpenCall":
        """Which call the piece belongs to. A new id begins another call, or, without ids, a name after whole
        arguments, whatever the index says; servers send indexes that are missing, equal or doubled."""
        same_id = next((call for call in self._calls if piece.id and call.id == piece.id), None)
        if same_id:
            return same_id
        indexed = self._by_index.get(piece.index) if piece.index is not None else None
        current = indexed or (self._calls[-1] if self._calls and piece.index is None else None)
        if current is None or self._begins_another(piece, current):
            current = _OpenCall(len(self._calls), self._names)
            self._calls.append(current)
        return current

    def _begins_another(self, piece: CallPiece, current: "_OpenCall") -> bool:
        if not piece.name:  # a piece of arguments, whatever new id it carries
            return bool(piece.id and current.id and piece.arguments.strip()) and is_whole(current.arguments)
        if current.name == piece.name and not is_whole(current.arguments):
            return False  # the name is repeated with each piece
        if piece.id and current.id:
            return True
        if current.arguments:
            return is_whole(current.arguments) and not current.is_repeated_by(piece)
        # a name in pieces, unless what is there is whole by itself
        return bool(current.name) and known_name(current.name, self._names) in self._names


class _OpenCall:
    def __init__(self, index: int, names: Collection[str]) -> None:
        self.index, self.id, self.name, self.arguments = index, "", "", ""
        self.extra: dict[str, Any] = {}
        self._names, self._started, self._told = names, False, 0
        self._thoughts, self._reply = Growing(), Growing()

    def take(self, piece: CallPiece) -> Iterator[Delta]:
        self.id = self.id or piece.id
        self.extra |= piece.extra
        if piece.name and piece.name != self.name and not self._started:
            self.name += piece.name
        if added := self._added_by(piece.arguments):
            self.arguments += added
            yield from self._deltas()

    def finish(self) -> Iterator[Delta]:
        """The call as it is meant, and what of it was not told yet."""
        self.name = known_name(self.name, self._names)
        self.arguments = unwrapped(self.arguments, self.name, self._names)
        self._told = len(self.arguments)
        yield from self._deltas()

    def whole(self) -> FunctionCall:
        return FunctionCall(self.id or f"call_{self.index}", self.name, self.arguments, self.extra)

    def is_repeated_by(self, piece: CallPiece) -> bool:
        same_name = known_name(piece.name, self._names) == known_name(self.name, self._names)
        return same_name and piece.arguments.strip() in ("", self.arguments.strip())

    def _added_by(self, arguments: str) -> str:
        """What is new in it: some servers send all arguments again at the end, or with each piece all so far."""
        so_far = self.arguments
        if so_far.lstrip().startswith("{") and len(so_far) > 1 and arguments.startswith(so_far):
            return arguments[len(so_far) :]
        if so_far.strip() == "{}" and arguments.lstrip().startswith("{"):
            self.arguments = ""  # empty until they came
            return arguments
        if arguments.strip() in ("", so_far.strip()) and is_whole(so_far):
            return ""
        return arguments

    def _deltas(self) -> Iterator[Delta]:
        if not self.name:
            return
        if not self._started:
            self._started = True
            self.name = known_name(self.name, self._names)
            yield CallStarted(self.index, self.name)
        so_far, added = read(self.arguments), self.arguments[self._told :]
        self._told = len(self.arguments)
        if thoughts := self._thoughts.more(so_far.get(INNER_THOUGHTS)):
            yield Thinking(thoughts)
        if self.name == SEND_MESSAGE:
            if text := self._reply.more(so_far.get("message")):
                yield ReplyDelta(text)
        elif added:
            yield ArgumentsDelta(self.index, added)


def is_whole(arguments: str) -> bool:
    """Whether it is a whole JSON object."""
    return _object(arguments) is not None


def known_name(name: str, names: Collection[str]) -> str:
    """The function that is meant by a name with what a template left on it (`functions.send_message:0`,
    `send_message<|channel|>commentary`, `send-message`); the name as it is where none is."""
    if name in names:
        return name
    plain = {_letters(known): known for known in names}
    parts = [*re.split(r"<\|", name)[:1], *re.findall(r"[\w-]+", name)]
    meant = {plain[_letters(part)] for part in parts if _letters(part) in plain}
    return meant.pop() if len(meant) == 1 else name.strip()


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def unwrapped(arguments: str, name: str, names: Collection[str]) -> str:
    """As they were meant: arguments encoded twice, or put with the name into an object; others as they are."""
    text = arguments
    for _ in range(3):
        value = _json(text)
        if isinstance(value, str):
            text = value
            continue
        if isinstance(value, dict):
            inner = _arguments_of(value)
            wrapped = inner is not None and set(value) <= {"name", "type", "id", *ARGUMENTS_NAMES}
            if wrapped and known_name(str(value.get("name", name)), names) == name:
                text = inner if isinstance(inner, str) else json.dumps(inner)
                continue
            return text
        break
    return _without_end(arguments)


def _without_end(arguments: str) -> str:
    """An object without what a template left behind it."""
    try:
        value, stop = json.JSONDecoder().raw_decode(arguments.lstrip())
    except (ValueError, RecursionError):
        return arguments
    is_left = isinstance(value, dict) and not _without_marks(arguments.lstrip()[stop:])
    return json.dumps(value) if is_left else arguments


def calls_in_text(text: str, names: Collection[str]) -> tuple[tuple[FunctionCall, ...], str]:
    """Calls of known functions that are written in a text, and the text without them.

    Only for an answer that has no call in its place: a text may speak of calls as well.
    """
    found: list[tuple[int, int, str, dict[str, Any]]] = []
    for written in WRITTEN:
        found = list(written(text[:LONGEST_TEXT], names))[:MOST_WRITTEN]
        if found:
            break
    calls, rest, end = [], "", 0
    for number, (start, stop, name, arguments) in enumerate(found):
        calls.append(FunctionCall(f"call_{number}", name, json.dumps(arguments)))
        rest, end = rest + text[end:start], stop
    rest += text[end:]
    return tuple(calls), _without_marks(rest) if calls else text


Found = Iterator[tuple[int, int, str, dict[str, Any]]]


def _as_json(text: str, names: Collection[str]) -> Found:
    """`{"name": ..., "arguments": {...}}`, alone or in a list, or an object behind a function's name."""
    decoder, stop = json.JSONDecoder(), 0
    for opening in islice(re.finditer(r"\{(?=\s*[\"}])", text), MOST_TRIED):
        place = opening.start()
        if place < stop:
            continue
        try:
            value, stop = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        forms = (value, value.get("function"), value.get("call"))
        named = next((form for form in forms if isinstance(form, dict) and isinstance(form.get("name"), str)), {})
        name, arguments = known_name(str(named.get("name", "")), names), _arguments_of(named)
        if name not in names or arguments is None:
            name, length = _name_before(text[max(0, place - 200) : place], names)
            arguments, place = value, place - length
        elif isinstance(value.get(INNER_THOUGHTS), str) and isinstance(arguments, dict):
            arguments = {INNER_THOUGHTS: value[INNER_THOUGHTS], **arguments}
        arguments = _json(arguments) if isinstance(arguments, str) else arguments
        if name in names and isinstance(arguments, dict):
            yield place, stop, name, arguments


NAMED = (r"([\w.-]+)(?::\d+)?\s*(?:<\|[^{}|]*\|>\s*(?:json\s*)?|\[\w+\]|```\w*|>|:)?\s*\Z", r"to=([\w.]+)[^{}]*\Z")


def _name_before(text: str, names: Collection[str]) -> tuple[str, int]:
    """The function whose name stands right before an object, or further back behind `to=`, and how far back it does;
    empty if none does."""
    for pattern in NAMED:
        match = re.search(pattern, text)
        if match and (name := known_name(match[1], names)) in names:
            return name, len(text) - match.start()
    return "", 0


# How a call begins and ends in tags, and each of its arguments in it.
PARAMETER = (r"<parameter(?:=|\s+name=\"?)([\w-]+)\"?\s*>", "</parameter>")
TAGGED = (
    (r"<function(?:=|\s+name=\"?)([\w.-]+)\"?\s*>", "</function>", *PARAMETER),
    (r"<invoke(?:=|\s+name=\"?)([\w.-]+)\"?\s*>", "</invoke>", *PARAMETER),
    (
        *(r"<tool_call>\s*([\w.-]+)\s*(?=<arg_key>)", "</tool_call>"),
        *(r"<arg_key>\s*([\w-]+)\s*</arg_key>\s*<arg_value>", "</arg_value>"),
    ),
)


def _as_tags(text: str, names: Collection[str]) -> Found:
    """`<function=name><parameter=key>value</parameter></function>`, `<invoke name="...">` and the like."""
    for opening, closing, key_opening, key_closing in TAGGED:
        for start, stop, name, inside in _between(text, opening, closing):
            written = {key: _value(value.strip()) for *_, key, value in _between(inside, key_opening, key_closing)}
            arguments = written or _object(inside)
            if (known := known_name(name, names)) in names and arguments:
                yield start, stop, known, arguments


def _between(text: str, opening: str, closing: str) -> Iterator[tuple[int, int, str, str]]:
    """Where it starts and stops, what the opening names, what is inside: one after the other, never one in another."""
    stop = 0
    for match in re.finditer(opening, text):
        if match.start() < stop:
            continue
        end = text.find(closing, match.end())
        if end < 0:
            return
        stop = end + len(closing)
        yield match.start(), stop, match[1], text[match.end() : end]


def _as_python(text: str, names: Collection[str]) -> Found:
    """`send_message(message="Hi", request_heartbeat=False)`."""
    known = ((match, known_name(match[1], names)) for match in re.finditer(r"\b(\w+)\(", text))
    for match, name in islice((found for found in known if found[1] in names), MOST_WRITTEN):
        for closing in islice(re.compile(r"\)").finditer(text, match.end()), MOST_CLOSINGS):
            try:
                parsed = ast.parse(text[match.start() : closing.end()], mode="eval").body
                assert isinstance(parsed, ast.Call)
                arguments = {word.arg: ast.literal_eval(word.value) for word in parsed.keywords if word.arg}
            except (ValueError, SyntaxError, AssertionError, RecursionError, MemoryError):
                continue
            if arguments:
                yield match.start(), closing.end(), name, arguments
            break


MARKS = (
    r"</?tool_calls?>|</?function_calls?>|\[/?TOOL_CALLS\]|<\|[\w ]+\|>|```(?:json|tool_code|python)?|"
    r"(?:function)?<｜[^｜]{1,40}｜>|"
    r"\A\s*[\[\],]+\s*\Z"
)
WRITTEN: tuple[Callable[[str, Collection[str]], Found], ...] = (_as_tags, _as_json, _as_python)


def _value(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text)


def _without_marks(text: str) -> str:
    """Without what templates put around calls, once those are taken out."""
    return re.sub(MARKS, "", text).strip()


def _arguments_of(value: dict[str, Any]) -> Any:
    return next((value[name] for name in ARGUMENTS_NAMES if isinstance(value.get(name), (dict, str))), None)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object(text: str) -> dict[str, Any] | None:
    value = _json(text) if text.rstrip().endswith("}") else None
    return value if isinstance(value, dict) else None
