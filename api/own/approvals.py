"""Calls that wait for a person's yes."""

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import BaseModel, Field, StrictBool

from agents import selectors, services
from agents.services.approvals import LONGEST_REASON
from api.access import agent_for
from api.answers import answer, when
from api.asked import Body, only_known
from api.errors import Conflict
from api.ids import written
from api.letta.shapes import Shape

router = Router(tags=["memweb"])


class AskedOut(BaseModel):
    """A call that the agent may not make by itself. `arguments` is JSON."""

    number: int
    function: str
    arguments: str
    tool_call_id: str
    run_id: str
    asked_at: str


@router.get("/agents/{agent_id}/asked", response=list[AskedOut])
@only_known
def asked_list(request: HttpRequest, agent_id: str) -> HttpResponse:
    """The calls that wait for a yes or no, the oldest first."""
    return answer(_asked(request, agent_id))


class Decision(Body):
    """Yes or no to the call of that number. `always`: the agent need not ask for this function again."""

    number: int = Field(ge=1, le=2**63 - 1)
    approve: StrictBool
    always: StrictBool = False
    reason: str = Field("", max_length=LONGEST_REASON)


@router.post("/agents/{agent_id}/asked", response=list[AskedOut])
@only_known
def asked_decide(request: HttpRequest, agent_id: str, payload: Decision) -> HttpResponse:
    """Decide about one. The answer is what still waits; 409 if it was decided already."""
    call = selectors.calls_asked(agent_for(request, agent_id)).filter(pk=payload.number).first()
    if call is None:
        raise Conflict(str(services.NOT_WAITING))
    if payload.approve:
        services.call_approve(call=call, always=payload.always)
    else:
        services.call_deny(call=call, reason=payload.reason)
    return answer(_asked(request, agent_id))


def _asked(request: HttpRequest, agent_id: str) -> list[Shape]:
    rows = selectors.calls_asked(agent_for(request, agent_id)).select_related("step")
    return [
        {
            "number": row.pk,
            "function": row.function,
            "arguments": row.arguments,
            "tool_call_id": row.call_id,
            "run_id": written("run", row.step.run_id),
            "asked_at": when(row.asked_at),
        }
        for row in rows
    ]
