"""What a model is told about a Python function, and how what it sends back is checked: from types and docstring."""

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from docstring_parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

INNER_THOUGHTS = "inner_thoughts"
REQUEST_HEARTBEAT = "request_heartbeat"
HEARTBEAT_DESCRIPTION = "True to run another function right after this one."

MOST_PARTS = 20_000  # of a schema
DEFINITIONS = ("$defs", "definitions")  # what only references lead to


@dataclass(frozen=True)
class Signature:
    """`parameters` is a JSON schema (an object) without `inner_thoughts`, which each mode adds its own way."""

    arguments: type[BaseModel]
    description: str
    parameters: dict[str, Any]


def signature_of(body: Callable[..., Any], *, heartbeat_default: bool, first: int) -> Signature:
    """Of the parameters from the `first` on. `heartbeat_default` is what a call without `request_heartbeat` means."""
    doc = parse(inspect.getdoc(body) or "")
    described = {param.arg_name: param.description or "" for param in doc.params}
    fields: dict[str, Any] = {INNER_THOUGHTS: (str, "")}
    for parameter in list(inspect.signature(body, eval_str=True).parameters.values())[first:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[parameter.name] = (annotation, Field(default, description=described.get(parameter.name)))
    fields[REQUEST_HEARTBEAT] = (bool, Field(heartbeat_default, description=HEARTBEAT_DESCRIPTION))
    arguments = create_model(body.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    description = " ".join(part for part in (doc.short_description, doc.long_description) if part)
    return Signature(arguments, description, _parameters(arguments))


def _parameters(arguments: type[BaseModel]) -> dict[str, Any]:
    schema = inlined(arguments.model_json_schema())
    shown = {
        name: {key: value for key, value in field.items() if key not in ("title", "default")}
        for name, field in schema["properties"].items()
        if name != INNER_THOUGHTS
    }
    required = [name for name, field in arguments.model_fields.items() if field.is_required()]
    return {"type": "object", "properties": shown, "required": [*required, REQUEST_HEARTBEAT]}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to in the place of each reference: modes put schemas inside others, where a
    reference would lead nowhere. What contains itself is left open. Raises ValueError for one that grows too large, and
    for a reference that leads nowhere within it."""
    parts = itertools.count(1)

    def whole(part: Any, within: tuple[str, ...]) -> Any:
        if next(parts) > MOST_PARTS:
            raise ValueError(f"a schema has at most {MOST_PARTS:,} parts")
        if isinstance(part, list):
            return [whole(item, within) for item in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref")
        if isinstance(reference, str):
            return {} if reference in within else whole(_pointed(schema, reference), (*within, reference))
        return {key: whole(item, within) for key, item in part.items()}

    shown = {key: value for key, value in schema.items() if key not in DEFINITIONS}
    inside: dict[str, Any] = whole(shown, ("#",))
    return inside


def _pointed(schema: Any, reference: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to. Raises ValueError."""
    found = schema
    for part in reference.removeprefix("#/").split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"it refers to {reference[:80]}, which is not in it") from error
    return found


def reasons(error: ValidationError) -> str:
    """Why arguments do not fit, for the model."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'the whole'}: {item['msg'][0].lower()}{item['msg'][1:]}"
        for item in error.errors(include_url=False, include_input=False)
    )
