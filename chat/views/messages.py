"""The conversation: sending, commands, steering the last turn, older rows, stop."""

import contextlib
from collections.abc import Callable
from uuid import UUID

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget, trigger_client_event
from redis.exceptions import RedisError

from agents import diff, selectors, services
from agents.exceptions import InvalidInput
from agents.models import Agent, Message, Run
from agents.services import Hand
from chat import timeline
from chat.access import agent_for, part_for
from chat.model_status import model_status
from chat.views.numbers import number
from chat.views.steering import asking_about_memory
from chat.views.toast import toast

COMMAND_MEMORY = 600  # seconds for which a command's key is remembered


@require_POST
def message_send(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A message, or a slash command. What was typed is kept by the page until this succeeded."""
    agent = agent_for(request, agent_id)
    text = request.POST.get("text", "")
    try:
        if text.startswith("/") and not text.startswith("//"):
            return asking_about_memory(request, lambda hand: _command(request, agent, hand))
        services.message_send(
            agent=agent,
            text=text.removeprefix("/") if text.startswith("//") else text,
            idempotency_key=request.POST.get("key", ""),
        )
    except InvalidInput as error:
        answer = render(request, "chat/_composer_error.html", {"error": str(error)})
        return reswap(retarget(answer, "#composer-error"), "innerHTML")
    answer = render(request, "chat/_sent.html", {"agent": agent, "waiting": selectors.waiting(agent)})
    return trigger_client_event(answer, "memweb:sent")


def _command(request: HttpRequest, agent: Agent, hand: Hand) -> HttpResponse:
    confirmed = request.POST.get("confirmed") == "yes"
    key = f"command:{agent.pk}:{request.POST.get('key', '')[:64]}"
    if request.POST.get("key") and not _first(key):  # sent again after its answer got lost
        return trigger_client_event(HttpResponse(status=204), "memweb:sent")
    try:
        outcome = services.command_run(agent=agent, line=request.POST.get("text", ""), hand=hand, confirmed=confirmed)
    except Exception:
        _forget(key)
        raise
    if not outcome.said:  # it changed nothing: sent again, it is to be shown again
        _forget(key)
    if outcome.leave:
        return HttpResponseClientRedirect(reverse("overview"))
    if outcome.said:
        return trigger_client_event(toast(outcome.said), "memweb:sent")
    pieces = diff.words(outcome.before, outcome.after) if outcome.question else []
    context = {"agent": agent, "outcome": outcome, "pieces": pieces, "line": request.POST.get("text", "")}
    answer = reswap(retarget(render(request, "chat/_command.html", context), "#dialog-body"), "innerHTML")
    return trigger_client_event(answer, "memweb:sent")


def _first(key: str) -> bool:
    try:
        return cache.add(key, 1, COMMAND_MEMORY)
    except RedisError:  # a broker that is away must not keep a command from being done
        return True


def _forget(key: str) -> None:
    with contextlib.suppress(RedisError):
        cache.delete(key)


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


@require_GET
def message_row(request: HttpRequest, message_id: int) -> HttpResponse:
    """A row as it stands, in place of its form."""
    message = part_for(request, Message, message_id)
    rows = timeline.rows([message])
    if not rows:  # a result that is drawn with its call
        raise Http404
    return render(request, rows[0].template, {"agent": message.agent, "row": rows[0]})


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


@require_GET
def timeline_older(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page of rows before `before`."""
    agent = agent_for(request, agent_id)
    messages = selectors.timeline_before(agent, number(request.GET, "before"))
    context = {"agent": agent, "rows": timeline.rows(messages), "first_seq": messages[0].seq if messages else 0}
    return render(request, "chat/_older.html", context)


@require_GET
def timeline_around(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A stretch of the past with `seq` in its middle; `before` is where the rows begin that the page has."""
    agent = agent_for(request, agent_id)
    seq, before = number(request.GET, "seq") or 1, number(request.GET, "before") or agent.next_seq
    return render(request, "chat/_history.html", {"agent": agent, **history(agent, seq, before)})


def history(agent: Agent, seq: int, before: int) -> dict[str, object]:
    messages = [m for m in selectors.timeline_around(agent, seq) if (m.seq or 0) < before]
    return {
        "rows": timeline.rows(messages),
        "first_seq": messages[0].seq if messages else before,
        "gap": _gap(messages, before),
    }


def _gap(messages: list[Message], before: int) -> tuple[int, int] | None:
    """The seqs between which rows are not drawn yet."""
    last = messages[-1].seq or 0 if messages else 0
    return (last, before) if messages and last + 1 < before else None


@require_GET
def timeline_later(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The page of rows after `after`, up to `before`."""
    agent = agent_for(request, agent_id)
    after, before = number(request.GET, "after") or 0, number(request.GET, "before") or agent.next_seq
    messages = selectors.timeline_between(agent, after, before)
    context = {"agent": agent, "rows": timeline.rows(messages), "gap": _gap(messages, before)}
    return render(request, "chat/_later.html", context)


@require_GET
def model_banner(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/_model_banner.html", {"model_status": model_status()})
