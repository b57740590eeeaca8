"""The conversation: sending, older rows, stop, retry."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import Run
from chat import timeline
from chat.access import agent_for, part_for
from chat.model_status import model_status
from chat.views.numbers import number
from chat.views.toast import toast


@require_POST
def message_send(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Answers with the list of waiting messages. What was typed is kept by the page until this succeeded."""
    agent = agent_for(request, agent_id)
    try:
        services.message_send(
            agent=agent, text=request.POST.get("text", ""), idempotency_key=request.POST.get("key", "")
        )
    except InvalidInput as error:
        answer = render(request, "chat/_composer_error.html", {"error": str(error)})
        return reswap(retarget(answer, "#composer-error"), "innerHTML")
    answer = render(request, "chat/_sent.html", {"agent": agent, "waiting": selectors.waiting(agent)})
    return trigger_client_event(answer, "memweb:sent")


@require_GET
def timeline_older(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    messages = selectors.timeline_before(agent, number(request.GET, "before"))
    context = {"agent": agent, "rows": timeline.rows(messages), "first_seq": messages[0].seq if messages else 0}
    return render(request, "chat/_older.html", context)


@require_POST
def run_stop(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    services.run_cancel(agent=agent_for(request, agent_id))
    return HttpResponse(status=204)


@require_POST
def run_retry(request: HttpRequest, run_id: int) -> HttpResponse:
    try:
        services.run_retry(run=part_for(request, Run, run_id))
    except InvalidInput as error:
        return toast(str(error))
    return HttpResponse(status=204)


@require_GET
def model_banner(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/_model_banner.html", {"model_status": model_status()})
