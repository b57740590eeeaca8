"""Letta's way to ask before a call: an `approval_request_message` ends the answer, a message of type `approval` has the
run go on. One request names every call of a step that waits; its id is that of the first."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from django.utils.translation import gettext as _
from pydantic import Field, StrictBool

from agents import selectors, services
from agents.models import Agent, OutsideCall
from agents.services.approvals import LONGEST_REASON
from api.answers import when
from api.asked import Body, Name
from api.errors import Conflict, Unfit, Unknown
from api.ids import step_part, written
from api.letta.shapes import Shape


class ApprovalReturn(Body):
    """Yes or no to one call."""

    NOT_SUPPORTED_VALUES: ClassVar = {"type": frozenset({"tool"})}

    type: Literal["approval"] | None = "approval"
    tool_call_id: Name
    approve: StrictBool
    reason: str | None = Field(None, max_length=LONGEST_REASON)


class ApprovalIn(Body):
    """Yes or no to the calls that wait: to all of them by `approve`, or to each by its id."""

    NOT_SUPPORTED: ClassVar = frozenset({"group_id"})

    type: Literal["approval"]
    approvals: list[ApprovalReturn] | None = Field(None, min_length=1, max_length=100)
    approval_request_id: Name | None = None
    approve: StrictBool | None = None
    reason: str | None = Field(None, max_length=LONGEST_REASON)
    otid: Name | None = None


def decide(agent: Agent, given: Sequence[ApprovalIn]) -> list[int]:
    """The runs that these decisions are about. Raises Conflict if nothing waits, Unknown, Unfit; InvalidInput."""
    waiting = list(selectors.calls_asked(agent).select_related("step"))
    if not waiting:
        raise Conflict(str(services.NOT_WAITING))
    for approval in given:
        if approval.approval_request_id and approval.approval_request_id not in map(_id_of, waiting):
            raise Unknown("message", approval.approval_request_id)
        for call, approve, reason in _decisions(waiting, approval):
            if approve:
                services.call_approve(call=call)
            else:
                services.call_deny(call=call, reason=reason or "")
    return sorted({call.step.run_id for call in waiting})


def _decisions(waiting: Sequence[OutsideCall], approval: ApprovalIn) -> list[tuple[OutsideCall, bool, str | None]]:
    if approval.approvals is not None:
        by_id = {call.call_id: call for call in waiting}
        for one in approval.approvals:
            if one.tool_call_id not in by_id:
                raise Unknown("tool call", one.tool_call_id)
        return [(by_id[one.tool_call_id], one.approve, one.reason) for one in approval.approvals]
    if approval.approve is None:
        raise Unfit("approve", _("Say yes or no by `approve`, or to each call by `approvals`."))
    return [(call, approval.approve, approval.reason) for call in waiting]


def requests(agent: Agent, runs: Sequence[int]) -> list[Shape]:
    """What these runs ask; none where nothing waits. One query."""
    waiting = list(selectors.calls_asked(agent).filter(step__run__in=runs).select_related("step"))
    if not waiting:
        return []
    calls = [{"name": c.function, "arguments": c.arguments, "tool_call_id": c.call_id} for c in waiting]
    first = waiting[0]
    return [
        {
            "id": _id_of(first),
            "message_type": "approval_request_message",
            "date": when(first.asked_at),
            "run_id": written("run", first.step.run_id),
            "step_id": written("step", first.step_id),
            "tool_call": calls[0],
            "tool_calls": calls,
        }
    ]


def _id_of(call: OutsideCall) -> str:
    return step_part(call.step.run_id, call.step.number, f"call{call.position}")
