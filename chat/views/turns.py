"""Steering the last turn: retried, deleted, stopped."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Run
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
def run_stop(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    services.run_cancel(agent=agent_for(request, agent_id))
    return HttpResponse(status=204)
