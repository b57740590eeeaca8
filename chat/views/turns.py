"""Steering the last turn: retried, deleted, stopped."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import OutsideCall, Run
from agents.services import Hand
from chat.access import agent_for, part_for
from chat.answers import asking_about_memory, toast
from chat.parameters import number


@require_POST
def turn_retry(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)

    def act(hand: Hand) -> HttpResponse:
        services.turn_retry(agent=agent, hand=hand, event=number(request.POST, "event"))
        return HttpResponse(status=204)

    return _or_toast(request, act)


@require_POST
def turn_delete(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)

    def act(hand: Hand) -> HttpResponse:
        services.turn_delete(agent=agent, hand=hand, event=number(request.POST, "event"))
        return toast(_("The turn is gone, with what it wrote to memory."))

    return _or_toast(request, act)


@require_POST
def run_retry(request: HttpRequest, run_id: int) -> HttpResponse:
    run = part_for(request, Run, run_id)

    def act(hand: Hand) -> HttpResponse:
        services.run_retry(run=run, hand=hand)
        return HttpResponse(status=204)

    return _or_toast(request, act)


def _or_toast(request: HttpRequest, act: Callable[[Hand], HttpResponse]) -> HttpResponse:
    try:
        return asking_about_memory(request, act)
    except InvalidInput as error:
        return toast(str(error))


@require_POST
def call_decide(request: HttpRequest, call_id: int) -> HttpResponse:
    """Yes or no to a call that the agent may not make by itself."""
    call = part_for(request, OutsideCall, call_id)
    decision = request.POST.get("decision")
    try:
        if decision in ("approve", "always"):
            services.call_approve(call=call, always=decision == "always")
        else:
            services.call_deny(call=call, reason=request.POST.get("reason", ""))
    except InvalidInput as error:
        return toast(str(error))
    agent = call.step.run.agent
    return render(request, "chat/_asked.html", {"agent": agent, "asked": selectors.calls_asked(agent)})


@require_POST
def run_stop(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    services.run_cancel(agent=agent_for(request, agent_id))
    return HttpResponse(status=204)
