"""Requests in the words that a server knows; what it does not know is remembered, for each server and model.

A new option that servers differ in goes into `REMEDIES`, with a row in `tests/agents/llm/error_quirks.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from agents.llm import pictures
from agents.llm.problems import Kind, Problem
from agents.llm.types import ChatMessage, merged

Request = dict[str, Any]
Change = Callable[[Request], Request]

MOST_CHANGES = 8  # to one request, before its error is told
ASKED_AGAIN = (400, 404, 405, 415, 422, 500, 501)  # statuses with which servers refuse an option
SURELY_REFUSED = (400, 422)
STREAM = "stream|streaming"  # a word that other faults have too
PICTURES = (  # that it takes none, not that it does not take this one
    r"(?:image|vision|multi-?modal)\w*\b.{0,80}?"
    r"(?:not support|unsupported|not available|not enabled|not accept|unknown|not allowed|unexpected)|"
    r"(?:not support|unsupported|no support for|not accept|cannot process|unknown|unexpected)"
    r".{0,60}?\b(?:image|vision|multi-?modal)\w*|"
    r"content (?:must|should) be a string|should be a valid string"
)
PLAIN_ANSWERS = 2  # without a call, before another mode is taken
SHORT_COUNTS = 2  # of the prompt's tokens, before the person is told
SHORT_SHARE = 0.5
TELL_AGAIN = 25  # short counts later
LIMIT = (
    r"(?:at most|maximum|max(?:imum)? value|up to|<=?|>|less than|limit)\D{0,30}?(\d+)|[\[(]\s*\d+\s*,\s*(\d+)\s*[\])]|"
    r"between \d+ and (\d+)"
)
MOST_ROOM = 4  # times the usual tokens of a reply


@dataclass
class Ways:
    """What this process has learned of one model at one server."""

    changes: dict[str, Change] = field(default_factory=dict)
    without_tools: bool = False  # it takes no tools, or answers with text where it should call
    room: int = 1  # times the usual tokens, for a model that spends all of them on thinking
    plain_answers: int = 0  # in a row
    short_counts: int = 0  # in a row

    def adapt(self, request: Request) -> Request:
        """The request as this server wants it."""
        for change in self.changes.values():
            request = change(request)
        return request

    def tried(self) -> "Ways":
        """A copy for one request, which learns what may help."""
        return replace(self, changes=dict(self.changes))

    def keep(self, tried: "Ways") -> None:
        """Remember what a request learned that was answered."""
        self.changes |= tried.changes

    def learn(self, problem: Problem, request: Request) -> bool:
        """Take in why a request was refused; true if it can be asked again in other words."""
        if problem.status not in ASKED_AGAIN or problem.kind is Kind.OVERFLOW or len(self.changes) >= MOST_CHANGES:
            return False
        for option, remedies in REMEDIES.items():
            if not _names(problem.words, option) or (option == STREAM and problem.status not in SURELY_REFUSED):
                continue
            for remedy in remedies:
                change = remedy(problem.words, request)
                name = f"{option} {remedy.__name__}"
                if change is not None and name not in self.changes and change(request) != request:
                    self.changes[name] = change
                    return True
        return False

    @property
    def without_pictures(self) -> bool:
        """Whether it refused one."""
        return f"{PICTURES} {_no_pictures.__name__}" in self.changes

    def has_answered(self, *, called: bool) -> bool:
        """Note whether an answer had a call; true if another mode is taken from now on."""
        self.plain_answers = 0 if called else self.plain_answers + 1
        if self.plain_answers < PLAIN_ANSWERS or self.without_tools:
            return False
        self.without_tools = True
        return True

    def has_counted(self, counted: int, sent: int) -> bool:
        """Note how many of the `sent` tokens the server counted; true if the person should be told that it cuts."""
        if not counted or not sent:
            return False
        self.short_counts = self.short_counts + 1 if counted < sent * SHORT_SHARE else 0
        return self.short_counts % TELL_AGAIN == SHORT_COUNTS

    def wants_more_room(self) -> bool:
        """Give it twice as many tokens from now on; false if it has all it can get."""
        if self.room >= MOST_ROOM:
            return False
        self.room *= 2
        return True


_ways: dict[tuple[str | None, str], Ways] = {}


def ways_of(base_url: str | None, model: str) -> Ways:
    """What is known of this model there; of a new one nothing."""
    return _ways.setdefault((base_url, model), Ways())


def forget_of(base_url: str | None, model: str) -> None:
    """Find out anew about this one."""
    _ways.pop((base_url, model), None)


def forget() -> None:
    """As in a new process."""
    _ways.clear()


def without_state(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Without what only the server that a message came from knows."""
    plain = []
    for message in messages:
        message = {name: value for name, value in message.items() if not name.startswith("reasoning")}
        if calls := message.get("tool_calls"):
            known = ("id", "type", "function")
            message["tool_calls"] = [{name: call[name] for name in known} for call in calls]
        plain.append(message)
    return plain


def _names(words: str, option: str) -> bool:
    return re.search(rf"\b(?:{option})\b", words, re.IGNORECASE) is not None


def _set(**fields: Any) -> Change:
    return lambda request: {**request, **fields}


def _drop(name: str) -> Change:
    return lambda request: {key: value for key, value in request.items() if key != name}


def _choose_freely(_words: str, request: Request) -> Change | None:
    return _set(tool_choice="auto") if request.get("tool_choice") == "required" else None


def _lower_limit(words: str, request: Request) -> Change | None:
    """To the limit that the server names, where it is below what was asked for."""
    name = "max_tokens" if "max_tokens" in request else "max_completion_tokens"
    asked = request.get(name, 0)
    named = (int(number) for match in re.findall(LIMIT, words, re.IGNORECASE) for number in match if number)
    smaller = [number for number in named if 0 < number < asked]
    if not smaller:
        return None
    most = max(smaller)
    return lambda request: {**request, name: min(request[name], most)} if name in request else request


def _rename_limit(_words: str, request: Request) -> Change | None:
    def rename(request: Request) -> Request:
        limit = request.get("max_tokens")
        return request if limit is None else {**_drop("max_tokens")(request), "max_completion_tokens": limit}

    return rename if "max_tokens" in request else None


def _without(name: str) -> Callable[[str, Request], Change | None]:
    def drop(_words: str, request: Request) -> Change | None:
        return _drop(name) if name in request else None

    drop.__name__ = f"without {name}"
    return drop


def _any_object(_words: str, request: Request) -> Change | None:
    form = request.get("response_format")
    return _set(response_format={"type": "json_object"}) if form and form.get("type") == "json_schema" else None


def _no_pictures(_words: str, request: Request) -> Change | None:
    if not any(isinstance(message.get("content"), list) for message in request["messages"]):
        return None
    return lambda request: {**request, "messages": [pictures.in_words(message) for message in request["messages"]]}


def _system_as_user(_words: str, request: Request) -> Change | None:
    def fold(request: Request) -> Request:
        messages = [
            {**message, "role": "user"} if message["role"] in ("system", "developer") else message
            for message in request["messages"]
        ]
        return {**request, "messages": merged(messages)}

    return fold


def _no_state(_words: str, _request: Request) -> Change | None:
    return lambda request: {**request, "messages": without_state(request["messages"])}


# By the word that names the option in an error: what is tried, one after the other.
REMEDIES: dict[str, tuple[Callable[[str, Request], Change | None], ...]] = {
    "stream_options|include_usage": (_without("stream_options"),),
    "tool_choice|tool choice": (_choose_freely, _without("tool_choice")),
    "max_tokens|max_completion_tokens|max_new_tokens|max_output_tokens": (
        *(_lower_limit, _rename_limit, _without("max_tokens"), _without("max_completion_tokens")),
    ),
    "response_format|json_schema|json_object|structured outputs?": (_any_object, _without("response_format")),
    "reasoning_effort|reasoning effort": (_without("reasoning_effort"),),
    "temperature": (_without("temperature"),),
    "reasoning_content|reasoning_details|extra_content": (_no_state,),
    PICTURES: (_no_pictures,),
    "system (?:role|message|prompt|instruction)s?|developer instruction|only user(?:,| and) (?:assistant|model)|"
    "roles must alternate": (_system_as_user,),
    STREAM: (_without("stream"),),
}
