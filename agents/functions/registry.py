"""The functions an agent can call: a typed Python function with a docstring is all it takes.

    @function()
    def archival_memory_insert(context: Context, content: str) -> str:
        '''File something for good.

        Args:
            content: What to file, complete in itself.
        '''

The schema the LLM sees comes from the signature and the docstring, and validates what it sends back. `role` says what a
function does to whoever must know (`agents.llm.types.Role`).
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docstring_parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agents.exceptions import FunctionError
from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT, FunctionSchema, Role
from agents.models import Agent, Run, Step
from agents.text.clean import storable

RESULT_LIMIT = 3000  # characters
HEARTBEAT_DESCRIPTION = "True to run another function right after this one."


@dataclass(frozen=True)
class Context:
    """What a function may know of the step it is called in. `block_revisions`: what the prompt showed, by block id."""

    agent: Agent
    run: Run
    step: Step
    block_revisions: dict[int, int]
    run_start_seq: int
    now: datetime


Body = Callable[..., str]


@dataclass(frozen=True)
class Function:
    """A registered function: its Python body, the model of its arguments, and what the LLM is told about it."""

    body: Body
    arguments: type[BaseModel]
    schema: FunctionSchema

    @property
    def role(self) -> Role:
        """What it does, for whoever must know without knowing its name."""
        return self.schema.role

    @property
    def writes(self) -> bool:
        """Whether it may write to the database, so that a failed call needs something to go back to."""
        return self.role not in (Role.SPEAKS, Role.SEARCHES_MEMORY)

    def validate(self, arguments: str) -> "ValidCall":
        """Check the JSON that the model wrote. Raises FunctionError with a sentence the model can act on."""
        try:
            valid = self.arguments.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise FunctionError(f"The arguments of {self.schema.name} do not fit: {_reasons(error)}.") from error
        values = {name: _storable(getattr(valid, name)) for name in type(valid).model_fields}
        values.pop(INNER_THOUGHTS)
        return ValidCall(self, values, request_heartbeat=values.pop(REQUEST_HEARTBEAT))


@dataclass(frozen=True)
class ValidCall:
    """A call that may be executed: the function is known and the arguments fit it."""

    function: Function
    arguments: dict[str, Any]
    request_heartbeat: bool


_registry: dict[str, Function] = {}


def function(*, role: Role = Role.OTHER, heartbeat_default: bool = False) -> Callable[[Body], Body]:
    """Register a function. `heartbeat_default` is what a call without `request_heartbeat` means."""

    def register(body: Body) -> Body:
        arguments = _arguments_model(body, heartbeat_default)
        doc = parse(inspect.getdoc(body) or "")
        description = " ".join(part for part in (doc.short_description, doc.long_description) if part)
        schema = FunctionSchema(body.__name__, description, _parameters(arguments), role)
        _registry[body.__name__] = Function(body, arguments, schema)
        return body

    return register


def registered() -> dict[str, Function]:
    """Every function by its name, in order of registration. Ask `toolset` which of them an agent may call."""
    return dict(_registry)


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def cut(text: str) -> str:
    """A result at the length the model may get, with a note if something is missing."""
    if len(text) <= RESULT_LIMIT:
        return text
    return f"{text[:RESULT_LIMIT]} … [cut: {len(text):,} characters in all, the first {RESULT_LIMIT:,} are shown]"


def _arguments_model(body: Body, heartbeat_default: bool) -> type[BaseModel]:
    described = {param.arg_name: param.description or "" for param in parse(inspect.getdoc(body) or "").params}
    fields: dict[str, Any] = {INNER_THOUGHTS: (str, "")}
    for parameter in list(inspect.signature(body, eval_str=True).parameters.values())[1:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, Field(default, description=described[parameter.name]))
    fields[REQUEST_HEARTBEAT] = (bool, Field(heartbeat_default, description=HEARTBEAT_DESCRIPTION))
    return create_model(body.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _parameters(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema without pydantic's titles and without `inner_thoughts`, which each mode adds its own way."""
    properties = arguments.model_json_schema()["properties"]
    shown = {
        name: {key: value for key, value in schema.items() if key not in ("title", "default")}
        for name, schema in properties.items()
        if name != INNER_THOUGHTS
    }
    required = [name for name, field in arguments.model_fields.items() if field.is_required()]
    return {"type": "object", "properties": shown, "required": [*required, REQUEST_HEARTBEAT]}


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'the whole'}: {item['msg'][0].lower()}{item['msg'][1:]}"
        for item in error.errors(include_url=False, include_input=False)
    )
