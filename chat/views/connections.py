"""Model servers that a person connects, and the model of an agent: dialogs, and the cards of the first visit."""

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.llm.known_servers import SERVICES
from agents.models import Agent, Connection
from agents.services import ConnectionDraft
from chat.access import agent_for, person
from chat.forms import AgentModelForm
from chat.parameters import LONGEST_QUERY, number
from chat.views.embeddings import embeddings_context
from chat.views.local_models import local_models_context


@require_GET
def connections(request: HttpRequest) -> HttpResponse:
    """The dialog; `service` fills its form for one that is well known."""
    service = next((each for each in SERVICES if each.name == request.GET.get("service")), None)
    draft = ConnectionDraft(service.name, service.url, headers=service.headers) if service else None
    return _dialog(request, draft=draft)


@require_GET
def connections_listed(request: HttpRequest) -> HttpResponse:
    """The list alone, while a worker looks at one of them."""
    return render(request, "chat/_connections_list.html", _rows(request))


@require_GET
def connections_found(request: HttpRequest) -> HttpResponse:
    """Servers on this machine, each with its models. `first` says that it is for a person without an agent."""
    context = {"found": selectors.servers_found(person(request)), "first": "first" in request.GET}
    return render(request, "chat/_connections_found.html", context)


@require_POST
def connection_use(request: HttpRequest) -> HttpResponse:
    """Connect a server that was found, unless it is, and put one of its models into the form of a new agent."""
    url, model = request.POST.get("url", ""), request.POST.get("model", "")
    found = next((each for each in selectors.servers_found(person(request)) if each.url == url), None)
    if found is None:
        context = {"found": selectors.servers_found(person(request)), "first": True, "gone": True}
        return render(request, "chat/_connections_found.html", context)
    try:
        row = found.known or services.connection_add(
            person=person(request), draft=ConnectionDraft(_free_name(request, found.name), found.url), model=model
        )
    except InvalidInput as error:
        return render(request, "chat/_connections_found.html", {"found": [], "first": True, "error": str(error)})
    if found.known:
        services.connection_test(connection=row, model=model)
    return render(request, "chat/_connection_used.html", {"row": row, "model": model})


@require_POST
@never_cache
def connection_new(request: HttpRequest) -> HttpResponse:
    draft = _draft(request)
    return _after(request, draft, None, lambda: services.connection_add(person=person(request), draft=draft))


@require_GET
def connection(request: HttpRequest, connection_id: int) -> HttpResponse:
    """The dialog with this connection in its form. Its key and headers are not in it."""
    row = _own(request, connection_id)
    draft = ConnectionDraft(row.name, row.base_url, timeout=row.timeout, shared=row.owner is None)
    return _dialog(request, draft=draft, changes=row)


@require_POST
@never_cache
def connection_change(request: HttpRequest, connection_id: int) -> HttpResponse:
    row, draft = _own(request, connection_id), _draft(request)

    def change() -> object:
        return services.connection_change(person=person(request), connection=row, draft=draft)

    return _after(request, draft, row, change)


@require_POST
def connection_test(request: HttpRequest, connection_id: int) -> HttpResponse:
    services.connection_test(connection=_own(request, connection_id))
    return _dialog(request)


@require_POST
def connection_remove(request: HttpRequest, connection_id: int) -> HttpResponse:
    try:
        services.connection_remove(connection=_own(request, connection_id))
    except InvalidInput as error:
        return _dialog(request, error=str(error))
    return _dialog(request)


@require_http_methods(["GET", "POST"])
def agent_model(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The agent's model: a dialog, which closes when it was chosen."""
    agent = agent_for(request, agent_id)
    if request.method == "GET":
        return _model_dialog(request, agent, AgentModelForm(agent=agent))
    form = AgentModelForm(request.POST, agent=agent)
    if form.is_valid():
        try:
            services.agent_choose_model(agent=agent, choice=form.choice())
        except InvalidInput as error:
            form.add_error(None, str(error))
        else:
            return HttpResponse(status=204)
    return _model_dialog(request, agent, form)


@require_GET
def models(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The list of models, narrowed to what is typed."""
    agent = agent_for(request, agent_id)
    typed = request.GET.get("q", "")[:LONGEST_QUERY].strip()
    offers = selectors.models_offered(person(request), typed)
    context = {"offers": offers, "chosen": request.GET.get("chosen") or _chosen_now(agent)}
    return render(request, "chat/_models.html", context)


@require_POST
def model_test(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Have the model that is marked in the dialog tried."""
    agent = agent_for(request, agent_id)
    try:
        row, model = AgentModelForm(request.POST, agent=agent).chosen()
        services.check_model(agent.owner, row, model)
    except InvalidInput as error:
        return render(request, "chat/_trial.html", {"error": str(error)})
    if row is not None:
        services.connection_test(connection=row, model=model, by=person(request))
    return _trial(request, row, model)


@require_GET
def model_tested(request: HttpRequest, connection_id: int) -> HttpResponse:
    """What came of it, asked for until it is there."""
    row = selectors.connections_of(person(request)).filter(pk=connection_id).first()
    if row is None:
        raise Http404
    return _trial(request, row, request.GET.get("model", "")[: services.LONGEST_MODEL])


@require_GET
def model_pill(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    return render(request, "chat/_model_pill.html", {"agent": agent_for(request, agent_id)})


def _trial(request: HttpRequest, row: Connection | None, model: str) -> HttpResponse:
    facts = row.facts_of(model) if row else None
    return render(request, "chat/_trial.html", {"row": row, "model": model, "facts": facts})


def _model_dialog(request: HttpRequest, agent: Agent, form: AgentModelForm) -> HttpResponse:
    context = {"offers": selectors.models_offered(person(request), ""), "chosen": _chosen_now(agent)}
    return render(request, "chat/_agent_model.html", {"agent": agent, "form": form, **context})


def _chosen_now(agent: Agent) -> str:
    return selectors.choice_value(agent.connection, agent.model)


def _own(request: HttpRequest, connection_id: int) -> Connection:
    row = Connection.objects.filter(services.connections_changed_by(person(request)), pk=connection_id).first()
    if row is None:
        raise Http404
    return row


def _free_name(request: HttpRequest, name: str) -> str:
    taken = set(selectors.connections_of(person(request)).values_list("name", flat=True))
    return next(each for each in (name, *(f"{name} {number}" for number in range(2, 100))) if each not in taken)


def _draft(request: HttpRequest) -> ConnectionDraft:
    name, base_url, key, headers = (request.POST.get(field, "") for field in ("name", "base_url", "key", "headers"))
    timeout = number(request.POST, "timeout")
    return ConnectionDraft(name, base_url, key, headers, float(timeout or 120), shared="shared" in request.POST)


def _after(
    request: HttpRequest, draft: ConnectionDraft, changes: Connection | None, act: Callable[[], object]
) -> HttpResponse:
    try:
        act()
    except InvalidInput as error:
        return _dialog(request, draft=draft, changes=changes, error=str(error))
    return _dialog(request)


def _rows(request: HttpRequest) -> dict[str, object]:
    rows = list(selectors.connections_of(person(request)))
    return {
        "connections": rows,
        "looking": any(row.looking for row in rows),
        "staff": person(request).is_staff,
        "default": selectors.default_model(),
    }


def _dialog(
    request: HttpRequest,
    *,
    draft: ConnectionDraft | None = None,
    changes: Connection | None = None,
    error: str = "",
) -> HttpResponse:
    context: dict[str, object] = {
        "draft": draft,
        "changes": changes,
        "error": error,
        "most": services.LONGEST_CONNECTION_NAME,
        "services": SERVICES,
        "local_too": selectors.may_reach_this_machine(person(request)),
    }
    context |= {**_rows(request), **embeddings_context(request), **local_models_context(request)}
    return render(request, "chat/_connections.html", context)
