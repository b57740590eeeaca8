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

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from agents.exceptions import FunctionError
from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT, FunctionSchema, Role
from agents.models import Agent, Run, Step
from agents.text.clean import storable
from memweb.functions.signature import reasons, signature_of

RESULT_LIMIT = 3000  # characters


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
            raise FunctionError(f"The arguments of {self.schema.name} do not fit: {reasons(error)}.") from error
        values = {name: _storable(getattr(valid, name)) for name in type(valid).model_fields}
        values.pop(INNER_THOUGHTS)
        return ValidCall(self, values, request_heartbeat=values.pop(REQUEST_HEARTBEAT))


class Offered(Protocol):
    """What an agent can call: a `Function`, within the step's transaction, or one outside of the database."""

    @property
    def schema(self) -> FunctionSchema:
        """As the model is told about it."""

    @property
    def role(self) -> Role:
        """What it does, for whoever must know without knowing its name."""

    def validate(self, arguments: str) -> "ValidCall":
        """Check the JSON that the model wrote. Raises FunctionError with a sentence the model can act on."""


@dataclass(frozen=True)
class ValidCall:
    """A call that may be executed: the function is known and the arguments fit it."""

    function: Offered
    arguments: dict[str, Any]
    request_heartbeat: bool


_registry: dict[str, Function] = {}


def function(*, role: Role = Role.OTHER, heartbeat_default: bool = False) -> Callable[[Body], Body]:
    """Register a function. `heartbeat_default` is what a call without `request_heartbeat` means."""

    def register(body: Body) -> Body:
        signature = signature_of(body, heartbeat_default=heartbeat_default, first=1)
        schema = FunctionSchema(body.__name__, signature.description, signature.parameters, role)
        _registry[body.__name__] = Function(body, signature.arguments, schema)
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
