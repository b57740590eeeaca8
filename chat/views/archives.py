"""Archival storage as a person changes it: archives, documents, passages."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents import selectors, services
from agents.access import owned_by
from agents.exceptions import InvalidInput, LLMError
from agents.models import Agent, Archive, Document, Passage
from chat import lists
from chat.access import agent_for, part_for, person
from chat.answers import toast
from chat.highlight import excerpt
from chat.lists import ListedRow
from chat.parameters import number, numbers

MOST_AT_ONCE = 500  # passages deleted with one press

# Archives


@require_POST
def archive_new(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Make an archive and let this agent search it."""
    agent = agent_for(request, agent_id)
    name = request.POST.get("name", "")
    try:
        services.archive_attach(agent=agent, archive=services.archive_create(owner=person(request), name=name))
    except InvalidInput as error:
        return _archives(request, agent, name=name, error=str(error))
    return _archives(request, agent)


@require_POST
def archive_attach(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    chosen = number(request.POST, "archive") or number(request.GET, "archive")
    if chosen is None:
        return _archives(request, agent, error=_("Choose an archive first."))
    try:
        services.archive_attach(agent=agent, archive=part_for(request, Archive, chosen))
    except InvalidInput as error:
        return _archives(request, agent, error=str(error))
    return _archives(request, agent)


@require_POST
def archive_detach(request: HttpRequest, agent_id: UUID, archive_id: int) -> HttpResponse:
    agent = agent_for(request, agent_id)
    archive = part_for(request, Archive, archive_id)
    services.archive_detach(agent=agent, archive=archive)
    undo = f"{reverse('archive_attach', args=[agent.pk])}?archive={archive.pk}"
    names = {"agent": agent.name, "archive": archive.name}
    return toast(_("%(agent)s searches “%(archive)s” no more.") % names, undo=undo, answer=_archives(request, agent))


@require_POST
def archive_delete(request: HttpRequest, agent_id: UUID, archive_id: int) -> HttpResponse:
    agent = agent_for(request, agent_id)
    try:
        services.archive_delete(archive=part_for(request, Archive, archive_id))
    except InvalidInput as error:
        return _archives(request, agent, error=str(error))
    return _archives(request, agent)


@require_GET
def archives(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    return _archives(request, agent_for(request, agent_id))


def _archives(request: HttpRequest, agent: Agent, *, name: str = "", error: str = "") -> HttpResponse:
    context = {
        "agent": agent,
        "archives": selectors.archives_of(agent),
        "attachable": selectors.archives_to_attach(agent),
        "name": name,
        "error": error,
    }
    return render(request, "chat/_archives.html", context)


# Passages


@require_POST
def passage_add(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    text = request.POST.get("text", "")
    try:
        services.passage_add(archive=agent.archive, text=text)
    except (InvalidInput, LLMError) as error:
        return render(request, "chat/_passage_add.html", {"agent": agent, "text": text, "error": str(error)})
    return render(request, "chat/_passage_add.html", {"agent": agent})


@require_GET
def passage(request: HttpRequest, agent_id: UUID, passage_id: int) -> HttpResponse:
    """A passage as the list shows it."""
    return _passage(request, agent_for(request, agent_id), part_for(request, Passage, passage_id))


def _passage(request: HttpRequest, agent: Agent, row: Passage) -> HttpResponse:
    return render(request, "chat/_passage.html", {"agent": agent, "listed": ListedRow(row, excerpt(row.text, ""))})


@require_http_methods(["GET", "POST"])
def passage_edit(request: HttpRequest, agent_id: UUID, passage_id: int) -> HttpResponse:
    agent = agent_for(request, agent_id)
    row = part_for(request, Passage, passage_id)
    text = request.POST.get("text", row.text)
    context = {"agent": agent, "passage": row, "text": text}
    if request.method == "GET":
        return render(request, "chat/_passage_edit.html", context)
    try:
        return _passage(request, agent, services.passage_edit(passage=row, text=text))
    except (InvalidInput, LLMError) as error:
        return render(request, "chat/_passage_edit.html", {**context, "error": str(error)})


@require_POST
def passages_delete(request: HttpRequest) -> HttpResponse:
    """Delete the passages that are `chosen`; for an hour the toast's Undo brings them back."""
    chosen = numbers(request.POST.getlist("chosen"))
    if not chosen:
        return toast(_("Choose passages first."))
    chosen = chosen[:MOST_AT_ONCE]
    gone = services.passages_retract(passages=owned_by(Passage, person(request)).filter(pk__in=chosen))
    undo = f"{reverse('passages_bring_back')}?chosen={'-'.join(map(str, gone))}"
    text = ngettext("%(count)d passage was deleted.", "%(count)d passages were deleted.", len(gone))
    return toast(text % {"count": len(gone)}, undo=undo if gone else "")


@require_POST
def passages_bring_back(request: HttpRequest) -> HttpResponse:
    chosen = numbers(request.GET.get("chosen", "").split("-")[:MOST_AT_ONCE])
    services.passages_bring_back(passages=owned_by(Passage, person(request)).filter(pk__in=chosen))
    return HttpResponse(status=204)


# Documents


@require_POST
def document_add(request: HttpRequest, agent_id: UUID) -> JsonResponse:
    """Take files into the agent's own archive, or into `archive`. Each that cannot be taken says why."""
    agent = agent_for(request, agent_id)
    chosen = number(request.POST, "archive")
    archive = part_for(request, Archive, chosen) if chosen else agent.archive
    files = request.FILES.getlist("files")
    errors = [] if files else [_("Choose a file first.")]
    for file in files:
        try:
            services.document_add(archive=archive, file=file)
        except InvalidInput as error:
            errors.append(str(error))
    return JsonResponse({"errors": errors})


@require_POST
def document_delete(request: HttpRequest, document_id: int) -> HttpResponse:
    services.document_delete(document=part_for(request, Document, document_id))
    return HttpResponse(status=204)


@require_POST
def document_retry(request: HttpRequest, document_id: int) -> HttpResponse:
    services.document_retry(document=part_for(request, Document, document_id))
    return HttpResponse(status=204)


@require_GET
def documents(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    return render(request, "chat/_documents.html", {"agent": agent, **lists.documents(request, agent)})
