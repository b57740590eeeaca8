"""What model servers say when they do not answer, a row for each way.

`error_bodies.jsonl` tells what a person is to read of them, `REFUSALS` what is to be asked instead.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.llm.scripted import Request


@dataclass(frozen=True)
class Body:
    """An error as a server sends it; an object is sent as JSON. `told` stands in what the person reads."""

    name: str
    status: int
    body: Any
    told: Sequence[str] = ()
    headers: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Refusal:
    """An option that a server refuses with an error; `instead` holds for the request that it takes."""

    name: str
    status: int
    body: Any
    refused: Callable[[Request], bool]
    instead: Callable[[Request], bool]
    mode: str = "tools"

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)

    def __str__(self) -> str:
        return self.name


def error(message: str, **fields: Any) -> dict[str, Any]:
    """The usual shape."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **fields}}


def plain(message: str, **fields: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400, **fields}


_BODIES = [json.loads(line) for line in Path(__file__).with_name("error_bodies.jsonl").read_text().splitlines()]


def _bodies(kind: str) -> list[Body]:
    rows = [row for row in _BODIES if row["kind"] == kind]
    return [Body(**{name: value for name, value in row.items() if name != "kind"}) for row in rows]


OVERFLOWS = _bodies("overflow")
LIMITS = _bodies("limit")  # no overflow, though the words are the same
ERRORS = _bodies("error")


def above(most: int, *names: str) -> Callable[[Request], bool]:
    return lambda request: any(request.get(name, 0) > most for name in names)


def has(name: str) -> Callable[[Request], bool]:
    return lambda request: name in request


def lacks(name: str) -> Callable[[Request], bool]:
    return lambda request: name not in request


def chosen(request: Request) -> bool:
    return request.get("tool_choice") == "required"


def auto(request: Request) -> bool:
    return bool(request.get("tool_choice") == "auto" and request["tools"])


def by_schema(request: Request) -> bool:
    return bool(request.get("response_format", {}).get("type") == "json_schema")


def by_object(request: Request) -> bool:
    return bool(request.get("response_format") == {"type": "json_object"})


def has_system(request: Request) -> bool:
    return any(message["role"] == "system" for message in request["messages"])


def told_by_user(request: Request) -> bool:
    return "You are Sam." in request["messages"][0]["content"] and len(request["messages"]) == 1


REFUSALS = (
    Refusal(
        "stream_options, forbidden",
        422,
        {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "stream_options", "include_usage"],
                        "msg": "Extra inputs are not permitted",
                        "input": True,
                    }
                ]
            },
        },
        has("stream_options"),
        lacks("stream_options"),
    ),
    Refusal(
        "stream_options, unrecognized",
        400,
        error("Unrecognized request argument supplied: stream_options"),
        has("stream_options"),
        lacks("stream_options"),
    ),
    Refusal(
        "stream_options, text",
        400,
        'json: unknown field "stream_options"',
        has("stream_options"),
        lacks("stream_options"),
    ),
    Refusal(
        "tool_choice, no endpoint",
        404,
        {"error": {"message": "No endpoints found that support the provided 'tool_choice' value.", "code": 404}},
        chosen,
        auto,
    ),
    Refusal("tool_choice, must be auto", 400, error("tool_choice must be auto"), chosen, auto),
    Refusal("tool_choice, while thinking", 400, error("Thinking mode does not support this tool_choice"), chosen, auto),
    Refusal(
        "tool_choice, not in the list",
        422,
        {"detail": [{"loc": ["body", "tool_choice"], "msg": "Input should be 'none' or 'auto'"}]},
        chosen,
        auto,
    ),
    Refusal(
        "tool_choice, any",
        400,
        error("The tool_choice parameter is not supported."),
        has("tool_choice"),
        lacks("tool_choice"),
    ),
    Refusal(
        "max_tokens, another name",
        400,
        error(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            code="unsupported_parameter",
        ),
        has("max_tokens"),
        has("max_completion_tokens"),
    ),
    Refusal(
        "max_tokens, a range",
        400,
        error("Invalid max_tokens value, the valid range of max_tokens is [1, 512]"),
        above(512, "max_tokens"),
        lambda request: request["max_tokens"] == 512,
    ),
    Refusal(
        "max_tokens, at most",
        400,
        error(
            "max_tokens is too large: 1024. This model supports at most 512 completion tokens, "
            "whereas you provided 1024.",
            param="max_tokens",
        ),
        above(512, "max_tokens"),
        lambda request: request["max_tokens"] == 512,
    ),
    Refusal(
        "max_tokens, greater than",
        400,
        error("max_tokens: 1024 > 512, which is the maximum allowed number of output tokens for m"),
        above(512, "max_tokens"),
        lambda request: request["max_tokens"] == 512,
    ),
    Refusal(
        "max_tokens, less than or equal",
        422,
        {
            "detail": [
                {
                    "type": "less_than_equal",
                    "loc": ["body", "max_tokens"],
                    "msg": "Input should be less than or equal to 512",
                    "input": 1024,
                }
            ]
        },
        above(512, "max_tokens"),
        lambda request: request["max_tokens"] == 512,
    ),
    Refusal(
        "max_tokens, no limit is told",
        400,
        error("max_tokens is not permitted"),
        lambda request: "max_tokens" in request or "max_completion_tokens" in request,
        lambda request: "max_tokens" not in request and "max_completion_tokens" not in request,
    ),
    Refusal(
        "max_completion_tokens, at most",
        400,
        error("max_tokens: use max_completion_tokens, at most 512."),
        lambda request: "max_tokens" in request or request["max_completion_tokens"] > 512,
        lambda request: request["max_completion_tokens"] == 512,
    ),
    Refusal(
        "response_format, its type",
        400,
        error("'response_format' of type 'json_schema' is not supported with this model."),
        by_schema,
        by_object,
        "json_schema",
    ),
    Refusal(
        "response_format, unavailable",
        400,
        error("This response_format type is unavailable now"),
        by_schema,
        by_object,
        "json_schema",
    ),
    Refusal(
        "response_format, at all",
        400,
        error("Extra inputs are not permitted: response_format"),
        has("response_format"),
        lacks("response_format"),
        "json_schema",
    ),
    Refusal(
        "response_format, structured",
        422,
        {"error": "structured output is not supported"},
        by_schema,
        by_object,
        "json_schema",
    ),
    Refusal("a system message", 400, error("System role not supported"), has_system, told_by_user),
    Refusal(
        "a system message, of a template",
        500,
        error("Value is not callable: raise_exception: Only user and assistant roles are supported!"),
        has_system,
        told_by_user,
    ),
    Refusal(
        "a system message, roles alternate",
        400,
        plain("Conversation roles must alternate user/assistant/user/assistant/..."),
        has_system,
        told_by_user,
    ),
    Refusal(
        "a developer's instruction",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "Developer instruction is not enabled for models/m",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        has_system,
        told_by_user,
    ),
    Refusal(
        "functions",
        400,
        error("registry.ollama.ai/library/m does not support tools", type="api_error"),
        has("tools"),
        by_schema,
    ),
    Refusal(
        "functions, no endpoint",
        404,
        {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
        has("tools"),
        by_schema,
    ),
    Refusal(
        "functions, a server's setting",
        400,
        plain('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        has("tools"),
        by_schema,
    ),
    Refusal("functions, a template", 500, error("tools param requires --jinja flag"), has("tools"), by_schema),
    Refusal(
        "functions, a field",
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs are not permitted"}]},
        has("tools"),
        by_schema,
    ),
    Refusal(
        "functions, calling",
        400,
        error("Function calling is not enabled for models/m", status="INVALID_ARGUMENT"),
        has("tools"),
        by_schema,
    ),
)
