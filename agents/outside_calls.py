"""Calls that reach outside the database: they may take seconds, and cannot be rolled back.

    commit the answer, with an OutsideCall for each ──> for each: commit that it begins ──> call ──> commit its result
                                                     └─> those to be asked about: the run waits, and no worker with it

No transaction is open while a function runs. After a crash the next worker goes on here: a call that was begun and has
no result is told to the model as "begun, outcome unknown" and not repeated, unless its function says that it may be.
Each call gets exactly one result, whatever happens.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from django.db import transaction
from django.utils import timezone

from agents.exceptions import FunctionError
from agents.functions.installed import OutsideFunction
from agents.functions.toolset import Toolset
from agents.locks import release_connection
from agents.main_context.fifo_queue import result_message
from agents.models import Agent, Message, OutsideCall, Run
from agents.prompts import CALL_DENIED, CALL_EXPIRED, CALL_NOT_MADE, CALL_UNKNOWN, FUNCTION_GONE
from agents.telemetry import traces


class Hold(Protocol):
    """Of `runs.Lease`."""

    def check(self) -> None:
        """Raises LeaseLost, RunCancelled."""

    def hold(self) -> Run:
        """The run's row, locked. Raises LeaseLost."""


class Ended(NamedTuple):
    """What a call came to."""

    ok: bool
    text: str


def left_of(run: Run) -> list[OutsideCall]:
    """What was not ended when the run's worker was, in the order of the answer. One query."""
    return list(OutsideCall.objects.filter(step__run=run, ended_at=None).select_related("step"))


def to_ask(calls: Sequence[OutsideCall], agent: Agent) -> list[OutsideCall]:
    """Those that a person has to decide about first."""
    return [call for call in calls if call.function in agent.ask_first and not (call.decision or call.begun_at)]


def ask(calls: Sequence[OutsideCall]) -> None:
    """Note that they wait for a person, in the running transaction."""
    OutsideCall.objects.filter(pk__in=[call.pk for call in calls]).update(asked_at=timezone.now())


def carry_out(call: OutsideCall, agent: Agent, tools: Toolset, lease: Hold) -> Ended:
    """Call the function, unless it was begun before and must not be called twice. Not inside a transaction.

    Raises LeaseLost, RunCancelled: then the call has no result yet.
    """
    if call.decision == OutsideCall.Decision.DENIED:
        return Ended(False, CALL_DENIED.format(reason=call.reason).strip())
    if call.decision == OutsideCall.Decision.EXPIRED:
        return Ended(False, CALL_EXPIRED)
    function = tools.functions.get(call.function)
    if not isinstance(function, OutsideFunction):
        return Ended(False, CALL_UNKNOWN if call.begun_at else FUNCTION_GONE.format(name=call.function))
    if call.begun_at and not function.row.idempotent:
        return Ended(False, CALL_UNKNOWN)
    _begin(call, lease)
    release_connection()
    try:
        with traces.span(f"function {call.function}"):
            return Ended(True, function.call(call.arguments, agent=agent, call_id=str(call.pk), check=lease.check))
    except FunctionError as error:
        return Ended(False, str(error))


def _begin(call: OutsideCall, lease: Hold) -> None:
    """Whoever took the run over meanwhile must not find a call that begins behind its back."""
    with transaction.atomic():
        lease.hold()
        call.begun_at = timezone.now()
        call.save(update_fields=["begun_at"])


def end(call: OutsideCall, ended: Ended) -> Message:
    """Note that the call has its result; the message that holds it. In the transaction in which that is appended."""
    call.ended_at, call.ok = timezone.now(), ended.ok
    call.save(update_fields=["ended_at", "ok"])
    return result_message(call.step, ok=ended.ok, text=ended.text, name=call.function, call_id=call.call_id)


def give_up(calls: Sequence[OutsideCall]) -> list[Message]:
    """The results of calls that nobody will make, or whose end nobody waits for. As `end`."""
    return [end(call, Ended(False, CALL_UNKNOWN if call.begun_at else CALL_NOT_MADE)) for call in calls]
