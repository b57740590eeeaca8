"""A person's access tokens: made, shown once, revoked."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents import services
from agents.access import owned_by
from agents.exceptions import InvalidInput
from agents.models import Token
from chat.access import part_for, person


@require_GET
def tokens(request: HttpRequest) -> HttpResponse:
    return _list(request)


@require_POST
@never_cache
def token_new(request: HttpRequest) -> HttpResponse:
    """The list with the new token's text, which no other answer holds."""
    name = request.POST.get("name", "")
    try:
        _token, text = services.token_create(owner=person(request), name=name)
    except InvalidInput as error:
        return _list(request, name=name, error=str(error))
    return _list(request, made=text)


@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    services.token_revoke(token=part_for(request, Token, token_id))
    return _list(request)


def _list(request: HttpRequest, *, made: str = "", name: str = "", error: str = "") -> HttpResponse:
    context = {
        "tokens": owned_by(Token, person(request)),
        "made": made,
        "name": name[: services.LONGEST_TOKEN_NAME],
        "error": error,
        "most": services.LONGEST_TOKEN_NAME,
        "address": request.build_absolute_uri("/").removesuffix("/"),
    }
    return render(request, "chat/_tokens.html", context)
