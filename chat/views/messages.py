"""Messages as a person sends them: a message or a slash command; withdrawn, edited."""

from uuid import UUID

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget, trigger_client_event

from agents import commands, selectors, services
from agents.exceptions import InvalidInput
from agents.models import Agent, Message
from agents.services import Hand
from agents.text import diff
from chat.access import agent_for, part_for
from chat.answers import asking_about_memory, toast


@require_POST
def message_send(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A message, or a slash command. What was typed is kept by the page until this succeeded."""
    agent = agent_for(request, agent_id)
    text = request.POST.get("text", "")
    try:
        if commands.is_command(text) and request.FILES:
            raise InvalidInput(_("A command takes no pictures. Take them away, or send them with a message."))
        if commands.is_command(text):
            return asking_about_memory(request, lambda hand: _command(request, agent, hand))
        services.message_send(
            agent=agent,
            text=commands.as_message(text),
            idempotency_key=request.POST.get("key", ""),
            pictures=request.FILES.getlist("pictures"),
        )
    except InvalidInput as error:
        answer = render(request, "chat/_composer_error.html", {"error": str(error)})
        return reswap(retarget(answer, "#composer-error"), "innerHTML")
    answer = render(request, "chat/_sent.html", {"agent": agent, "waiting": selectors.waiting(agent)})
    return trigger_client_event(answer, "memweb:sent")


@require_GET
def picture(request: HttpRequest, message_id: int, number: int) -> HttpResponse:
    """One that came with a message; `number` counts from 0."""
    pictures = part_for(request, Message, message_id).pictures
    if number >= len(pictures) or not default_storage.exists(pictures[number]["file"]):
        raise Http404
    with default_storage.open(pictures[number]["file"]) as file:
        answer = HttpResponse(file.read(), content_type=pictures[number]["kind"])
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


def _command(request: HttpRequest, agent: Agent, hand: Hand) -> HttpResponse:
    outcome = commands.command_run(
        agent=agent,
        line=request.POST.get("text", ""),
        hand=hand,
        confirmed=request.POST.get("confirmed") == "yes",
        idempotency_key=request.POST.get("key", ""),
    )
    if outcome is None:  # sent again after its answer got lost
        return trigger_client_event(HttpResponse(status=204), "memweb:sent")
    if outcome.leave:
        return HttpResponseClientRedirect(reverse("overview"))
    if outcome.sentence:
        return trigger_client_event(toast(outcome.sentence), "memweb:sent")
    pieces = diff.words(outcome.before, outcome.after) if outcome.question else []
    context = {"agent": agent, "outcome": outcome, "pieces": pieces, "line": request.POST.get("text", "")}
    answer = reswap(retarget(render(request, "chat/_command.html", context), "#dialog-body"), "innerHTML")
    return trigger_client_event(answer, "memweb:sent")


@require_POST
def message_withdraw(request: HttpRequest, message_id: int) -> HttpResponse:
    """Its text goes back into the message box."""
    try:
        text = services.message_withdraw(message=part_for(request, Message, message_id))
    except InvalidInput as error:
        return toast(str(error))
    return trigger_client_event(HttpResponse(status=204), "memweb:withdrawn", {"text": text})


@require_http_methods(["GET", "POST"])
def message_edit(request: HttpRequest, message_id: int) -> HttpResponse:
    """The form in the message's place; on success the timeline is cut and the new message comes over the socket."""
    message = part_for(request, Message, message_id)
    text = request.POST.get("text", message.content)
    context = {"message": message, "text": text}
    if request.method == "GET":
        return render(request, "chat/_message_edit.html", context)

    def act(hand: Hand) -> HttpResponse:
        services.turn_edit(agent=message.agent, text=text, hand=hand, event=message.pk)
        return HttpResponse(status=204)

    try:
        return asking_about_memory(request, act)
    except InvalidInput as error:
        return render(request, "chat/_message_edit.html", {**context, "error": str(error)})
