"""MCP servers that a person adds for their agents: a dialog over the tab Functions."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import FunctionSource
from agents.services import ServerDraft
from chat.access import person


@require_GET
def servers(request: HttpRequest) -> HttpResponse:
    return _list(request)


@require_GET
def servers_listed(request: HttpRequest) -> HttpResponse:
    """The list alone, for a page that was told of a change."""
    return render(request, "chat/_servers_list.html", _rows(request))


@require_POST
@never_cache
def server_new(request: HttpRequest) -> HttpResponse:
    draft = _draft(request)
    return _after(request, draft, None, lambda: services.server_add(person=person(request), draft=draft))


@require_GET
def server(request: HttpRequest, server_id: int) -> HttpResponse:
    """The dialog with this server in its form. Its secrets are not in it."""
    row = _server(request, server_id)
    return _list(request, draft=ServerDraft(row.name, row.address, shared=row.owner is None), changes=row)


@require_POST
@never_cache
def server_change(request: HttpRequest, server_id: int) -> HttpResponse:
    row, draft = _server(request, server_id), _draft(request)
    return _after(request, draft, row, lambda: services.server_change(person=person(request), server=row, draft=draft))


@require_POST
def server_look(request: HttpRequest, server_id: int) -> HttpResponse:
    services.server_look(server=_server(request, server_id))
    return _list(request)


@require_POST
def server_remove(request: HttpRequest, server_id: int) -> HttpResponse:
    services.server_remove(server=_server(request, server_id))
    return _list(request)


def _server(request: HttpRequest, server_id: int) -> FunctionSource:
    row = FunctionSource.objects.filter(services.may_change(person(request)), pk=server_id).first()
    if row is None:
        raise Http404
    return row


def _draft(request: HttpRequest) -> ServerDraft:
    name, address, secrets = (request.POST.get(field, "") for field in ("name", "address", "secrets"))
    return ServerDraft(name, address, secrets, shared="shared" in request.POST)


def _after(
    request: HttpRequest, draft: ServerDraft, changes: FunctionSource | None, act: Callable[[], object]
) -> HttpResponse:
    try:
        act()
    except InvalidInput as error:
        return _list(request, draft=draft, changes=changes, error=str(error))
    return _list(request)


def _rows(request: HttpRequest) -> dict[str, object]:
    return {"servers": selectors.servers_of(person(request)), "staff": person(request).is_staff}


def _list(
    request: HttpRequest,
    *,
    draft: ServerDraft | None = None,
    changes: FunctionSource | None = None,
    error: str = "",
) -> HttpResponse:
    context = {"draft": draft, "changes": changes, "error": error, "most": services.LONGEST_SERVER_NAME}
    return render(request, "chat/_servers.html", {**context, **_rows(request)})
