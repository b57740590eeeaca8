"""A conversation as a file to be read (Markdown), the whole agent as a file to be kept and imported: JSON, a zip
with its documents, or Letta's .af."""

import json
from collections.abc import Iterator
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import Agent, Message
from agents.person import own_time
from agents.services import Bringing, Imported
from agents.text.days import offset
from chat.access import agent_for, person

Kind = Message.Kind
MEDIA_TYPES = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "af": "application/json; charset=utf-8",
    "zip": "application/zip",
}
MOST_NAMED = 20  # names in a sentence


@require_GET
def export(request: HttpRequest, agent_id: UUID, form: str) -> HttpResponseBase:
    agent = agent_for(request, agent_id)
    if form not in MEDIA_TYPES:
        raise Http404
    answer: HttpResponseBase
    if form == "md":
        answer = HttpResponse(_markdown(agent), content_type=MEDIA_TYPES[form])
    elif form == "af":
        written = json.dumps(services.letta_export(agent=agent), ensure_ascii=False, indent=2)
        answer = HttpResponse(written, content_type=MEDIA_TYPES[form])
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
        made = services.agents_import(owner=person(request), file=file, how=Bringing(name=name.strip()))
    except InvalidInput as error:
        return render(request, "chat/_agent_import.html", {"name": name, "error": str(error)})
    for sentence in _to_be_told(made):
        messages.info(request, sentence)
    return HttpResponseClientRedirect(reverse("agent", args=[made[0].agent.pk]))


def _to_be_told(made: list[Imported]) -> Iterator[str]:
    """What is not as it was, and which other agents came along."""
    if others := [one.agent.name for one in made[1:]]:
        text = ngettext(
            "The file had %(count)d more agent: %(names)s.",
            "The file had %(count)d more agents: %(names)s.",
            len(others),
        )
        yield text % {"count": len(others), "names": _named(others)}
    if functions := sorted({name for one in made for name in one.missing_functions}):
        text = ngettext(
            "%(count)d function that the file names is not here, so it cannot be called: %(names)s.",
            "%(count)d functions that the file names are not here, so they cannot be called: %(names)s.",
            len(functions),
        )
        yield text % {"count": len(functions), "names": _named(functions)}
    if files := [name for one in made for name in one.missing_files]:
        text = ngettext(
            "%(count)d file did not come along, upload it again: %(names)s.",
            "%(count)d files did not come along, upload them again: %(names)s.",
            len(files),
        )
        yield text % {"count": len(files), "names": _named(files)}


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


@transaction.atomic
def _markdown(agent: Agent) -> str:
    parts = [f"# {agent.name}"]
    for message in selectors.timeline_whole(agent):
        if message.kind in (Kind.USER_MESSAGE, Kind.ASSISTANT) and message.content:
            who = agent.owner.get_username() if message.kind == Kind.USER_MESSAGE else agent.name
            time = own_time(message)
            parts.append(f"**{who}**, {time:%Y-%m-%d %H:%M} {offset(time)}\n\n{message.content}")
    return "\n\n".join(parts) + "\n"
