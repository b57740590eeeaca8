"""Pages of an agent: home, the page itself, new, rename, delete."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from agents import commands, faults, selectors, services
from agents.exceptions import InvalidInput
from agents.person import person_reads
from agents.services.agents import LONGEST_NAME
from chat import timeline
from chat.access import agent_for, person
from chat.forms import AgentForm
from chat.model_status import model_status
from chat.parameters import number
from chat.views.timeline import history

TABS = {
    "context": _("Context"),
    "memory": _("Memory"),
    "queue": _("Queue"),
    "recall": _("Recall"),
    "archival": _("Archival"),
    "runs": _("Runs"),
    "functions": _("Functions"),
}


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The agent talked with last, or an invitation to make the first."""
    latest = selectors.agents_of(person(request)).first()
    if latest:
        return redirect("agent", latest.pk)
    return _welcome(request)


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """All agents, and the way to another one: where `/exit` leads."""
    return _welcome(request, agents=selectors.agents_of(person(request)))


def _welcome(request: HttpRequest, **context: object) -> HttpResponse:
    context |= {"form": AgentForm(user=person(request)), "model_status": model_status()}
    context["local_too"] = selectors.may_reach_this_machine(person(request))
    return render(request, "chat/welcome.html", context)


@require_GET
def agent_page(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The newest rows; with `at`, also those around that seq, far back as it may be."""
    agent = agent_for(request, agent_id)
    with faults.noted_if_possible():
        services.agent_visit(agent=agent)
        person_reads(person=person(request), language=get_language())
    messages = selectors.timeline_before(agent)
    first_seq = messages[0].seq or 0 if messages else 0
    at = number(request.GET, "at")
    context = {
        "agent": agent,
        "agents": selectors.agents_of(person(request)),
        "rows": timeline.rows(messages),
        "first_seq": first_seq,
        "last_seq": messages[-1].seq if messages else 0,
        "history": history(agent, at, first_seq) if at and at < first_seq else None,
        "waiting": selectors.waiting(agent),
        "asked": selectors.calls_asked(agent),
        "run": selectors.running(agent),
        "tabs": TABS,
        "commands": commands.COMMANDS.values(),
        "view": selectors.context_view(agent),
        "model_status": model_status(),
    }
    return render(request, "chat/agent.html", context)


@require_GET
def palette(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Everything that Ctrl+K reaches: agents, tabs, commands, the page's own doings."""
    agent = agent_for(request, agent_id)
    others = selectors.agents_of(person(request)).exclude(pk=agent.pk)
    context = {"agent": agent, "agents": others, "tabs": TABS, "commands": commands.COMMANDS.values()}
    return render(request, "chat/_palette.html", context)


@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/_keys.html")


@require_GET
def agent_list(request: HttpRequest) -> HttpResponse:
    current = request.GET.get("current", "")
    return render(request, "chat/_agents.html", {"agents": selectors.agents_of(person(request)), "current": current})


@require_http_methods(["GET", "POST"])
def agent_new(request: HttpRequest) -> HttpResponse:
    form = AgentForm(request.POST or None, user=person(request))
    if request.method == "POST" and form.is_valid():
        try:
            agent = services.agent_create(owner=person(request), draft=form.draft())
        except InvalidInput as error:
            form.add_error("name", str(error))  # the texts' limits were checked by the form
        else:
            return HttpResponseClientRedirect(reverse("agent", args=[agent.pk]))
    return render(request, "chat/_agent_new.html", {"form": form})


@require_http_methods(["GET", "POST"])
def agent_rename(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    if request.method == "GET":
        return render(request, "chat/_agent_rename.html", {"agent": agent, "name": agent.name})
    name = request.POST.get("name", "")
    try:
        services.agent_rename(agent=agent, name=name)
    except InvalidInput as error:
        context = {"agent": agent, "name": name, "error": str(error)}
        return render(request, "chat/_agent_rename.html", context)
    return HttpResponseClientRedirect(reverse("agent", args=[agent.pk]))


@require_http_methods(["GET", "POST"])
def agent_copy(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A second agent like this one, whose page opens."""
    agent = agent_for(request, agent_id)
    if request.method == "GET":
        name = _("Copy of %(name)s") % {"name": agent.name}
        return render(request, "chat/_agent_copy.html", {"agent": agent, "name": name[:LONGEST_NAME]})
    name = request.POST.get("name", "")
    try:
        copy = services.agent_copy(agent=agent, name=name)
    except InvalidInput as error:
        context = {"agent": agent, "name": name, "error": str(error)}
        return render(request, "chat/_agent_copy.html", context)
    return HttpResponseClientRedirect(reverse("agent", args=[copy.pk]))


@require_http_methods(["GET", "POST"])
def agent_delete(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    if request.method == "GET":
        counts = {"messages": agent.messages.count(), "passages": agent.archive.passages.count()}
        return render(request, "chat/_agent_delete.html", {"agent": agent, "counts": counts})
    services.agent_delete(agent=agent)
    return HttpResponseClientRedirect(reverse("home"))


@require_GET
def model_banner(request: HttpRequest) -> HttpResponse:
    """What the local model is doing, for as long as it is not ready."""
    return render(request, "chat/_model_banner.html", {"model_status": model_status()})
