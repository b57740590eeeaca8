"""A second agent like one that is there."""

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from agents import services
from agents.services.agents import LONGEST_NAME
from api.access import agent_for
from api.answers import answer
from api.asked import Body, only_known
from api.letta import shapes
from api.letta.agents import AgentOut

router = Router(tags=["memweb"])


class Copying(Body):
    """What the copy is called. A taken name is a 409 that names it."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)


@router.post("/agents/{agent_id}/copy", response=AgentOut)
@only_known
def agent_copy(request: HttpRequest, agent_id: str, payload: Copying) -> HttpResponse:
    """A new agent that is what this one is now: memory with its history, conversation, passages, documents, functions,
    checkpoints, and the same archives attached."""
    copy = services.agent_copy(agent=agent_for(request, agent_id), name=payload.name)
    return answer(shapes.agent(agent_for(request, f"agent-{copy.pk}")))
