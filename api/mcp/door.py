"""`/mcp`: the protocol over HTTP, for the person of a token."""

import asyncio
from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from agents.models import Token
from api.errors import NoToken, answer_of
from api.mcp.bridge import Application, answer_by


@csrf_exempt
@login_not_required
async def door(request: HttpRequest) -> HttpResponseBase:
    """One message. It is answered as JSON, or as a stream: to older clients, and where it takes long."""
    program = getattr(request, "program", None)
    if not isinstance(program, Token):
        return answer_of(program or NoToken())
    if request.method != "POST":  # nothing is kept that could be listened to or ended
        return HttpResponseNotAllowed(["POST"])
    answers_for = await asyncio.to_thread(_loaded)
    token = request.headers["Authorization"].partition(" ")[2].strip()
    scope = request.scope  # type: ignore[attr-defined]
    return await answer_by(answers_for(token, scope["doors"]), scope, request.body)


def _loaded() -> Callable[[str, Application], Application]:
    """Loads the protocol for the first message: 30 MB that a process without one is not to have."""
    from api.mcp.in_process import answers_for

    return answers_for
