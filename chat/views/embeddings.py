"""By which embedding model memories are found: a part of the dialog of connections, for staff."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from agents import selectors, services
from agents.exceptions import InvalidInput
from chat.access import person
from chat.parameters import number


@require_GET
def embeddings(request: HttpRequest) -> HttpResponse:
    """The part alone, while something is on its way."""
    return _part(request)


@require_POST
def embeddings_ask(request: HttpRequest) -> HttpResponse:
    """What a change would cost. `chosen` is a connection's key, a colon and the model; nothing is the local one."""
    key, _colon, model = request.POST.get("chosen", "").partition(":")
    connection = (
        selectors.shared_connections().filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    )
    return _after(request, lambda: services.embeddings_ask(connection=connection, model=model if connection else ""))


@require_POST
def embeddings_change(request: HttpRequest) -> HttpResponse:
    choice_id = number(request.POST, "choice") or 0
    return _after(request, lambda: services.embeddings_change(choice_id=choice_id))


@require_POST
def embeddings_stop(request: HttpRequest) -> HttpResponse:
    return _after(request, services.embeddings_stop)


def embeddings_context(request: HttpRequest) -> dict[str, object]:
    """What the part shows; nothing for who may not change it."""
    return {"embeddings": selectors.embeddings_state() if person(request).is_staff else None}


def _after(request: HttpRequest, act: Callable[[], object]) -> HttpResponse:
    _check_staff(request)
    try:
        act()
    except InvalidInput as error:
        return _part(request, error=str(error))
    return _part(request)


def _part(request: HttpRequest, *, error: str = "") -> HttpResponse:
    _check_staff(request)
    return render(request, "chat/_embeddings.html", {**embeddings_context(request), "error": error})


def _check_staff(request: HttpRequest) -> None:
    if not person(request).is_staff:
        raise PermissionDenied
