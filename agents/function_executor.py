"""The function executor: from what the model wrote to what it is told (paper section 2.3).

The model's mistakes become failed results; only our own faults are raised. Functions that reach outside the database
are called elsewhere, after the step's commit: `outside_calls.py`.
"""

import contextlib
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import translation

from agents.exceptions import FunctionError
from agents.functions import registry
from agents.functions.registry import Context, Function, ValidCall
from agents.functions.toolset import Toolset
from agents.llm.types import Completion, FunctionCall, Role
from agents.prompts import CUT_OFF, NO_FUNCTION_CALL
from agents.telemetry import traces

MOST_CALLS = 10  # in one answer; more is a model gone astray


@dataclass(frozen=True)
class Result:
    """What one call came to. `call` is None when the model called nothing."""

    call: FunctionCall | None
    ok: bool
    text: str
    request_heartbeat: bool
    reply: str = ""  # what the person is told

    @property
    def wants_step(self) -> bool:
        """True if the next step runs at once: it was asked for, or the call failed."""
        return self.request_heartbeat or not self.ok


@dataclass(frozen=True)
class CheckedCall:
    """`valid` is None if the call cannot be executed; `fault` says why, for the model."""

    call: FunctionCall
    valid: ValidCall | None
    fault: str = ""

    @property
    def is_outside(self) -> bool:
        """Whether it may run and reaches outside the database."""
        return self.valid is not None and not isinstance(self.valid.function, Function)


def check(completion: Completion, tools: Toolset) -> list[CheckedCall]:
    """Validate every call before any of them runs."""
    return [_check(call, completion.finish_reason, tools) for call in completion.calls[:MOST_CALLS]]


def execute(completion: Completion, checked: list[CheckedCall], context: Context) -> list[Result]:
    """Run the calls that reach no further than the database, in order. Must be inside a transaction; a call that fails
    leaves nothing behind."""
    if not completion.calls:
        text = CUT_OFF if completion.finish_reason == "length" else NO_FUNCTION_CALL
        return [Result(None, ok=False, text=text, request_heartbeat=True)]
    with translation.override("en"):  # the model's own language, whatever the person's
        return [_execute(call, context) for call in checked if not call.is_outside]


def _check(call: FunctionCall, finish_reason: str, tools: Toolset) -> CheckedCall:
    if finish_reason == "length":
        return CheckedCall(call, None, CUT_OFF)
    try:
        return CheckedCall(call, tools.validate(call.name, call.arguments))
    except FunctionError as error:
        return CheckedCall(call, None, str(error))


def _execute(checked: CheckedCall, context: Context) -> Result:
    failed = Result(checked.call, ok=False, text=checked.fault, request_heartbeat=True)
    if checked.valid is None or not isinstance(function := checked.valid.function, Function):
        return failed
    savepoint = transaction.atomic() if function.writes else contextlib.nullcontext()
    try:
        with traces.span(f"function {checked.call.name}"), savepoint:
            text = function.body(context, **checked.valid.arguments)
    except FunctionError as error:
        return replace(failed, text=registry.cut(str(error)))
    speaks = function.role == Role.SPEAKS
    reply = checked.valid.arguments["message"] if speaks else ""
    return Result(checked.call, True, registry.cut(text), checked.valid.request_heartbeat, reply)
