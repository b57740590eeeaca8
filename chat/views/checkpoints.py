"""Checkpoints of an agent: kept, turned into a new agent, thrown away."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Agent, Checkpoint
from chat.access import agent_for, part_for


@require_GET
def checkpoints(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    return _list(request, agent_for(request, agent_id))


@require_POST
def checkpoint_new(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    try:
        services.checkpoint_create(agent=agent, name=request.POST.get("name", ""))
    except InvalidInput as error:
        return _list(request, agent, error=str(error))
    return _list(request, agent)


@require_POST
def checkpoint_restore(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    """A new agent from it, whose page opens."""
    checkpoint = part_for(request, Checkpoint, checkpoint_id)
    try:
        agent = services.checkpoint_restore(checkpoint=checkpoint, name=request.POST.get("name", ""))
    except InvalidInput as error:
        return _list(request, checkpoint.agent, error=str(error))
    return HttpResponseClientRedirect(reverse("agent", args=[agent.pk]))


@require_POST
def checkpoint_delete(request: HttpRequest, checkpoint_id: int) -> HttpResponse:
    checkpoint = part_for(request, Checkpoint, checkpoint_id)
    services.checkpoint_delete(checkpoint=checkpoint)
    return _list(request, checkpoint.agent)


def _list(request: HttpRequest, agent: Agent, *, error: str = "") -> HttpResponse:
    context = {"agent": agent, "checkpoints": agent.checkpoints.all(), "error": error}
    return render(request, "chat/_checkpoints.html", context)
