"""A conversation as a file to be read (Markdown), the whole agent as a file to be kept and imported (JSON)."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import Agent, Message
from agents.person import own_time
from agents.text.days import offset
from chat.access import agent_for, person

Kind = Message.Kind


@require_GET
def export(request: HttpRequest, agent_id: UUID, form: str) -> HttpResponse:
    agent = agent_for(request, agent_id)
    if form not in ("md", "json"):
        raise Http404
    text = _markdown(agent) if form == "md" else services.agent_export(agent=agent).model_dump_json(indent=2)
    media_type = "text/markdown" if form == "md" else "application/json"
    answer = HttpResponse(text, content_type=f"{media_type}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slugify(agent.name) or "conversation"}.{form}"'
    return answer


@require_POST
def agent_import(request: HttpRequest) -> HttpResponse:
    """A new agent from an exported file, whose page opens."""
    file, name = request.FILES.get("file"), request.POST.get("name", "")
    try:
        if file is None:
            raise InvalidInput(_("Choose a file first."))
        if (file.size or 0) > settings.MAX_UPLOAD_BYTES:
            limit = settings.MAX_UPLOAD_BYTES // 1048576
            raise InvalidInput(_("The file is too large: at most %(limit)d MB.") % {"limit": limit})
        agent = services.agent_import(owner=person(request), raw=file.read(), name=name.strip())
    except InvalidInput as error:
        return render(request, "chat/_agent_import.html", {"name": name, "error": str(error)})
    return HttpResponseClientRedirect(reverse("agent", args=[agent.pk]))


@transaction.atomic
def _markdown(agent: Agent) -> str:
    parts = [f"# {agent.name}"]
    for message in selectors.timeline_whole(agent):
        if message.kind in (Kind.USER_MESSAGE, Kind.ASSISTANT) and message.content:
            who = agent.owner.get_username() if message.kind == Kind.USER_MESSAGE else agent.name
            time = own_time(message)
            parts.append(f"**{who}**, {time:%Y-%m-%d %H:%M} {offset(time)}\n\n{message.content}")
    return "\n\n".join(parts) + "\n"
