"""A conversation as a file to be read (Markdown), the whole agent as a file to be kept and imported: JSON, or a zip
with its documents."""

from typing import IO, cast
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
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
MEDIA_TYPES = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "zip": "application/zip",
}


@require_GET
def export(request: HttpRequest, agent_id: UUID, form: str) -> HttpResponseBase:
    agent = agent_for(request, agent_id)
    if form not in MEDIA_TYPES:
        raise Http404
    answer: HttpResponseBase
    if form == "md":
        answer = HttpResponse(_markdown(agent), content_type=MEDIA_TYPES[form])
    else:
        file = services.agent_write(agent=agent, documents=form == "zip")
        answer = StreamingHttpResponse(file, content_type=MEDIA_TYPES[form], headers={"Content-Length": str(file.size)})
    answer["Content-Disposition"] = f'attachment; filename="{slugify(agent.name) or "conversation"}.{form}"'
    return answer


@require_POST
def agent_import(request: HttpRequest) -> HttpResponse:
    """A new agent from an exported file, whose page opens; if documents did not come along, these are named first."""
    file, name = request.FILES.get("file"), request.POST.get("name", "")
    try:
        if file is None:
            raise InvalidInput(_("Choose a file first."))
        agent = services.agent_import(owner=person(request), raw=cast(IO[bytes], file), name=name.strip())
    except InvalidInput as error:
        return render(request, "chat/_agent_import.html", {"name": name, "error": str(error)})
    if missing := selectors.documents_without_files(agent):
        return render(request, "chat/_agent_imported.html", {"agent": agent, "missing": missing})
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
