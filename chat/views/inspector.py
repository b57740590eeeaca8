"""The inspector's tabs, each a partial of its own that the page asks for and asks for again when told to."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents import dispatch, selectors, services
from agents.exceptions import InvalidInput
from agents.llm.types import Prompt
from agents.models import Agent, Step
from agents.text import tokens
from chat import lists
from chat.access import agent_for, part_for
from chat.answers import toast
from chat.lists import Context
from chat.parameters import number

STEPS = 40  # of the newest steps that the Context tab offers
SECTIONS = ("system_instructions", "functions", "core_memory", "summary", "queue")


@require_GET
def tab(request: HttpRequest, agent_id: UUID, name: str) -> HttpResponse:
    """A whole tab; with `part=results` only its list."""
    agent = agent_for(request, agent_id)
    read = READERS.get(name)
    if read is None:
        raise Http404
    part = "_results" if request.GET.get("part") == "results" and name in ("recall", "archival", "runs") else ""
    return render(request, f"chat/tabs/_{name}{part}.html", {"agent": agent, "tab": name, **read(request, agent)})


def context_tab(request: HttpRequest, agent: Agent) -> Context:
    """The window as it is; with `step`, as that step saw it."""
    steps = selectors.steps_of(agent)
    chosen = _step(request, number(request.GET, "step"))
    shown = list(steps[:STEPS])
    last = shown[0] if shown else None
    if chosen and chosen not in shown:
        shown.append(chosen)
    context: Context = {"steps": shown, "counter": tokens.counter_name(), "step": chosen}
    if chosen:
        past = selectors.step_view(chosen)
        return {**context, "view": past, "texts": _texts(past.prompt, SECTIONS), "usage": chosen}
    view = selectors.context_view(agent)
    unfolded = _texts(view.main.prompt, request.GET.getlist("unfolded"))
    return {**context, "view": view, "texts": unfolded, "usage": last}


def _texts(prompt: Prompt | None, names: Iterable[str]) -> dict[str, str]:
    """The texts of these sections, by name: those that somebody looks at."""
    if prompt is None:
        return {}
    texts = {section.name: section.text for section in prompt.sections if section.name in names}
    return texts | ({"queue": prompt.queue_text} if "queue" in texts else {})


def _step(request: HttpRequest, pk: int | None) -> Step | None:
    """Any step of the person's agents: a shared block may have been edited by another one."""
    return part_for(request, Step, pk) if pk is not None else None


def memory_tab(request: HttpRequest, agent: Agent) -> Context:
    return {"cards": selectors.block_cards(agent), "attachable": selectors.blocks_to_attach(agent)}


def functions_tab(_request: HttpRequest, agent: Agent) -> Context:
    cards = selectors.function_cards(agent)
    return {
        "cards": cards,
        "broken": selectors.broken_sources(agent),
        "tokens": sum(card.tokens for card in cards if card.on),
    }


READERS: dict[str, Callable[[HttpRequest, Agent], Context]] = {
    "context": context_tab,
    "memory": memory_tab,
    "queue": lists.queue,
    "recall": lists.recall,
    "archival": lists.archival,
    "runs": lists.runs,
    "functions": functions_tab,
}


@require_GET
def gauge(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The slim gauge under the chat's header."""
    agent = agent_for(request, agent_id)
    return render(request, "chat/_gauge.html", {"agent": agent, "view": selectors.context_view(agent)})


@require_GET
def prompt(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The exact prompt of the next step, or of the past `step`."""
    agent = agent_for(request, agent_id)
    step = _step(request, number(request.GET, "step"))
    if step:
        shown = selectors.step_view(step).prompt
        context: Context = {"prompt": shown, "model": step.model}
    else:
        view = selectors.context_view(agent)
        context = {"prompt": view.main.prompt, "model": view.config.name, "mode": view.config.mode}
    return render(request, "chat/_prompt.html", {"agent": agent, "step": step, **context})


@require_POST
def function_switch(request: HttpRequest, agent_id: UUID, name: str) -> HttpResponse:
    """Offer the agent a function, or no more."""
    agent = agent_for(request, agent_id)
    return _functions(request, agent, lambda: services.function_switch(agent=agent, name=name, on="on" in request.POST))


@require_POST
def function_ask_first(request: HttpRequest, agent_id: UUID, name: str) -> HttpResponse:
    """Ask the person before each call of a function, or no more."""
    agent = agent_for(request, agent_id)
    ask = "ask" in request.POST
    return _functions(request, agent, lambda: services.function_ask_first(agent=agent, name=name, ask=ask))


def _functions(request: HttpRequest, agent: Agent, change: Callable[[], None]) -> HttpResponse:
    error = ""
    try:
        change()
    except InvalidInput as fault:
        error = str(fault)
    context = {"agent": agent, "error": error, **functions_tab(request, agent)}
    return render(request, "chat/tabs/_functions.html", context)


@require_POST
def functions_look(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Have a worker look at the modules again; it tells the page."""
    agent = agent_for(request, agent_id)
    dispatch.look_at_functions(agent.pk)
    return toast(_("memweb looks at the folder. What is there now is shown in a moment."))


@require_POST
def flush(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Evict now what the next flush would."""
    agent = agent_for(request, agent_id)
    if services.queue_flush(agent=agent):
        return HttpResponse(status=204)
    return toast(_("The queue is too short to evict anything."))
