"""What a server says when it does not answer: bodies of any shape, read for what is to be done.

A new form of words goes into one of the tables here, with a row in `tests/agents/llm/error_bodies.jsonl`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

LONGEST_BODY = 20_000  # characters that are read of it
LONGEST_SENTENCE = 300  # that a person is shown
SAID_IN = (
    *("error", "message", "detail", "details", "msg", "errors", "error_msg", "error_message", "reason"),
    *("base_resp", "status_msg"),
)


class Kind(Enum):
    """What an error comes to."""

    OVERFLOW = "the prompt is too long"
    KEY = "the key is refused"
    NO_MODEL = "there is no such model"
    NO_ENDPOINT = "the address leads to no chat endpoint"
    CREDIT = "the credit is used up"
    RATE = "too many requests for now"
    REFUSED = "the content is refused"
    FAULT = "anything else"


# A prompt is too long: what is measured, that it is too much, and a measure, in one text.
SUBJECT = (
    r"prompt|input|context|messages?\b|request|conversation|sequence|history|上下文|输入|輸入|提示|请求|消息|入力|"
    r"entrada|solicitud|solicitação|mensajes|eingabe|anfrage|kontext|entrée|requête|contesto|richiesta|"
    r"запрос|контекст|ввод|입력|요청|프롬프트|컨텍스트|プロンプト"
)
EXCESS = (
    r"exceed|too (?:long|large|many|big)|(?:longer|larger|greater|more|less|fewer) than|over the|maximum|\bmax\b|limit|"
    r"reduce|at most|overflow|range of|<=|超过|超過|超出|过长|過長|超长|最大|長すぎ|demasiado|supera|excede|límite|"
    r"zu lang|überschreit|maximal|trop long|dépass|troppo lung|превы|слишком длин|초과|너무 깁"
)
MEASURE = (
    r"token|length|size|window|\blong\b|n_ctx|characters|too large|长度|長|长|字数|上下文|longitud|länge|longueur|"
    r"jeton|lunghezza|токен|длин|길이|토큰"
)
# What speaks of other limits with the same words.
OTHER_LIMITS = (
    r"per (?:min|day|hour|second)|daily|quota|credit|balance|concurren|function name|description|stop sequences|"
    r"\bimages?\b(?!.{0,40}token)|file size|time limit|timed? ?out|took too long|\.(?:id|name)\W{0,2}:"
)
REQUEST_KINDS = r"\b(?:invalid|bad)[ _]?request\w*"  # the kind of an error, not what it is about
LIMIT_NAMES = r"[\"'`]?\bmax_(?:new_|completion_|output_|input_)?tokens\b[\"'`]?"
OVERFLOW_CODES = {
    *("context_length_exceeded", "exceed_context_size_error", "request_too_large"),
    *("tokens_limit_reached", "context_window_exceeded", "model_max_prompt_tokens_exceeded"),
    *("prompt_too_long", "input_too_long", "1261"),
}
STATUS_OF = {
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error", "too_many_requests", "resource_exhausted"), 429),
    **dict.fromkeys(("server_error", "internal_server_error", "api_error", "internal", "unavailable"), 500),
    **dict.fromkeys(("overloaded_error", "engine_overloaded_error"), 503),
    **dict.fromkeys(("authentication_error", "invalid_api_key"), 401),
}
NO_MODEL_CODES = {"model_not_found", "model_not_exist", "invalid_model", "unknown_model", "deploymentnotfound"}
NO_MODEL = (
    r"models?\b.{0,120}\b(?:not (?:found|exist|available|supported|loaded|a valid)|does(?:n't| not) exist|unknown|"
    r"no longer|decommissioned|deprecated|invalid|not been (?:pulled|loaded))|try pulling it|"
    r"(?:no such|unknown|invalid|unsupported) model|(?:模型|model).{0,40}(?:不存在|未找到)|no models? (?:loaded|found)"
)
NO_ENDPOINT = (
    r"^\W*(?:error )?(?:404 ?)?(?:page |resource |path |route |url |endpoint )?not ?found\W*(?:404)?$|"
    r"page not found|invalid url|(?:no|unknown|unexpected|invalid) (?:such )?(?:route|path|endpoint|url)|"
    r"unexpected endpoint or method|cannot (?:post|get)|no handler"
)
NO_TOOLS = (
    r"(?:\btools?\b|function.?call(?:ing)?|\bfunctions?\b)(?!_choice| choice).{0,80}(?:not? support|unsupported|"
    r"not enabled|not available|unknown|unrecognized|not permitted|not allowed)|"
    r"(?:not support|unsupported|no support for).{0,60}"
    r"(?:\btools?\b(?!_choice| choice)|function.?call)|no endpoints found that support tool use|"
    r"--enable-auto-tool-choice|--tool-call-parser|--jinja"
)
KEY = r"api[ _-]?key|unauthori[sz]ed|authentication|invalid token|bearer|credentials"
CREDIT = r"insufficient|credit|quota|billing|balance|payment|余额|欠费"
REFUSED_CODES = {
    "content_filter",
    "content_policy_violation",
    "moderation_blocked",
    "data_inspection_failed",
    "sensitive",
}
REFUSED = r"content (?:management )?policy|content filter|moderation|flagged|safety|inappropriate content|敏感"
RETRY_WORDS = r"(?:try again|retry|wait)[^.\d]{0,40}((?:\d+(?:\.\d+)? ?(?:ms|s|m|h)[a-z]*\s?){1,4})"
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Problem:
    """An error as a server tells it. `words` is all text in its body; `sentence` what a person should read of it."""

    status: int
    words: str
    sentence: str
    codes: frozenset[str] = frozenset()
    seconds: float | None = None  # after which it may be asked again
    is_json: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, status: int, body: str, headers: Mapping[str, str] | None = None) -> "Problem":
        """Read from a body of any shape: objects, lists, strings in strings, plain text, a web page."""
        try:
            value: Any = json.loads(body)
            is_json = isinstance(value, (dict, list))
        except (ValueError, RecursionError):
            value, is_json = body, False
        strings = list(_strings(value)) if is_json else [re.sub(r"<[^<>]*>", " ", body)]
        words = " ".join(" ".join(strings).split())[:LONGEST_BODY]
        codes = frozenset(code.casefold() for code in _codes(value)) if is_json else frozenset()
        status = _status_by(codes) if status == 200 else status
        sentence = (_sentence(value) if is_json else words)[:LONGEST_SENTENCE]
        return cls(status, words, sentence or words[:LONGEST_SENTENCE], codes, _seconds(words, headers or {}), is_json)

    @property
    def kind(self) -> Kind:
        """What it comes to. The order matters: the same words stand in several kinds."""
        text = self.words.casefold()
        if self.status == 413 or self.codes & OVERFLOW_CODES or self._is_overflow(text):
            return Kind.OVERFLOW
        if self.codes & REFUSED_CODES or (self.status in (200, 400, 403, 451) and re.search(REFUSED, text)):
            return Kind.REFUSED
        if self.status == 402 or (self.status in (400, 403, 429) and re.search(CREDIT, text)):
            return Kind.CREDIT
        if self.status in (401, 403) or (self.status == 400 and re.search(KEY, text)):
            return Kind.KEY
        if self.status == 429:
            return Kind.RATE
        if self.codes & NO_MODEL_CODES or (self.status in (200, 400, 404, 422, 500) and re.search(NO_MODEL, text)):
            return Kind.NO_MODEL
        if self.status == 404 and self.is_json and not re.search(NO_ENDPOINT, text):
            return Kind.NO_MODEL
        if self.status in (404, 405) or (self.status == 200 and (not self.is_json or re.search(NO_ENDPOINT, text))):
            return Kind.NO_ENDPOINT
        return Kind.FAULT

    @property
    def knows_no_tools(self) -> bool:
        """Whether the trouble is that functions cannot be called there."""
        if self.status not in (400, 404, 405, 422, 500, 501) or self.kind is Kind.OVERFLOW:
            return False
        return re.search(NO_TOOLS, self.words, re.IGNORECASE) is not None

    def _is_overflow(self, text: str) -> bool:
        if self.status in (401, 402, 403, 404) or (self.status == 429 and "too large" not in text):
            return False
        text = re.sub(f"{LIMIT_NAMES}|{REQUEST_KINDS}", " ", text)
        spoken = all(re.search(pattern, text) for pattern in (SUBJECT, EXCESS, MEASURE))
        return spoken and (self.status == 429 or not re.search(OTHER_LIMITS, text))


class ServerSaid(Exception):
    """A server answered with an error, in whatever way."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    """All text in a JSON value; JSON inside a string is read too."""
    if depth > 20:
        return
    if isinstance(value, str):
        inner = _inner(value)
        yield from [value] if inner is None else _strings(inner, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (bool, int, float)):
                yield f"{key} {item}"
            yield from _strings(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, depth + 1)


def _inner(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _codes(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, dict) and depth < 20:
        for key, item in value.items():
            if key in ("code", "type", "status", "error_type", "error_code", "status_code") and isinstance(
                item, (str, int)
            ):
                yield str(item)
            yield from _codes(item, depth + 1)
    elif isinstance(value, list) and depth < 20:
        for item in value:
            yield from _codes(item, depth + 1)
    elif isinstance(value, str) and depth < 20 and (inner := _inner(value)) is not None:
        yield from _codes(inner, depth + 1)


def _sentence(value: Any, depth: int = 0) -> str:
    """The words that are meant for people."""
    if isinstance(value, str):
        inner = _inner(value)
        return value.strip() if inner is None else _sentence(inner, depth + 1)
    if isinstance(value, list) and depth < 20:
        return "; ".join(filter(None, (_sentence(item, depth + 1) for item in value[:3])))
    if isinstance(value, dict) and depth < 20:
        for name in SAID_IN:
            if name in value and (said := _sentence(value[name], depth + 1)):
                place = ".".join(map(str, value["loc"])) if isinstance(value.get("loc"), list) else ""
                return f"{place}: {said}" if place else said
    return ""


def _status_by(codes: frozenset[str]) -> int:
    """The status that an error inside an answer would have had; 200 if it does not tell."""
    numbers = (int(code) for code in sorted(codes) if re.fullmatch(r"[45]\d\d", code))
    return next(numbers, next((STATUS_OF[code] for code in sorted(codes & STATUS_OF.keys())), 200))


def _seconds(words: str, headers: Mapping[str, str]) -> float | None:
    stated = headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", stated):
        return float(stated)
    match = re.search(RETRY_WORDS, words, re.IGNORECASE)
    if not match:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?) ?(ms|s|m|h)", match[1], re.IGNORECASE)
    return sum(float(number) * SECONDS[unit.lower()] for number, unit in parts)
