"""The models that are served on this machine: a part of the dialog of connections, for staff."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from agents import selectors, services
from agents.exceptions import InvalidInput
from chat.access import person


@require_GET
def local_models(request: HttpRequest) -> HttpResponse:
    """The part alone, while something is on its way."""
    return _part(request)


@require_POST
def local_model_wish(request: HttpRequest) -> HttpResponse:
    """`act` is what is to be done with the model of that name."""
    _check_staff(request)
    act = request.POST.get("act", "")
    try:
        services.local_model_wish(name=request.POST.get("name", ""), act=act)
    except InvalidInput as error:
        return _part(request, error=str(error))
    answer = _part(request, used=act == "use")
    return trigger_client_event(answer, "memweb:agents") if act == "use" else answer


def local_models_context(request: HttpRequest) -> dict[str, object]:
    """What the part shows; nothing for who may not change it."""
    return {"local_models": selectors.local_models() if person(request).is_staff else None}


def _part(request: HttpRequest, *, error: str = "", used: bool = False) -> HttpResponse:
    _check_staff(request)
    context = {**local_models_context(request), "error": error, "used": used, "default": selectors.default_model()}
    return render(request, "chat/_local_models.html", context)


def _check_staff(request: HttpRequest) -> None:
    if not person(request).is_staff:
        raise PermissionDenied
