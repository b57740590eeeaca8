"""Core memory blocks, passages and documents: what a person changes in the inspector."""

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents import selectors, services
from agents.exceptions import InvalidInput, LLMError, StaleEdit
from agents.models import Agent, Block, Document, Passage
from chat.access import agent_for, part_for, person
from chat.views.inspector import block_card
from chat.views.numbers import number


@require_GET
def block(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """The card of one block."""
    agent = agent_for(request, agent_id)
    return render(request, "chat/_block.html", {"agent": agent, "card": block_card(_block(agent, block_id).pk, agent)})


@require_http_methods(["GET", "POST"])
def block_edit(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """The form in the card's place. A rejected text stays in it, with the reason."""
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    context = {"agent": agent, "block": subject, "value": subject.value, "revision": subject.revision}
    if request.method == "GET":
        return render(request, "chat/_block_edit.html", context)
    context["value"] = value = request.POST.get("value", "").replace("\r\n", "\n")
    context["revision"] = revision = number(request.POST, "revision") or 0
    try:
        services.block_edit(block=subject, value=value, from_revision=revision, editor=person(request))
    except StaleEdit as error:
        context |= {"error": str(error), "current": error.current_value, "revision": error.current_revision}
        return render(request, "chat/_block_edit.html", context)
    except InvalidInput as error:
        return render(request, "chat/_block_edit.html", context | {"error": str(error)})
    return render(request, "chat/_block.html", {"agent": agent, "card": block_card(subject.pk, agent)})


def _block(agent: Agent, block_id: int) -> Block:
    found = agent.blocks.filter(pk=block_id).first()
    if found is None:
        raise Http404
    return found


@require_POST
def passage_add(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    text = request.POST.get("text", "")
    try:
        services.passage_add(agent=agent, text=text)
    except (InvalidInput, LLMError) as error:
        return render(request, "chat/_passage_add.html", {"agent": agent, "text": text, "error": str(error)})
    return render(request, "chat/_passage_add.html", {"agent": agent})


@require_POST
def passage_delete(request: HttpRequest, passage_id: int) -> HttpResponse:
    services.passage_delete(passage=part_for(request, Passage, passage_id))
    return HttpResponse("")


@require_POST
def document_add(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Several files at once; each that cannot be taken says why, the others are taken."""
    agent = agent_for(request, agent_id)
    files = request.FILES.getlist("files")
    errors = [] if files else ["Choose a file first."]
    for file in files:
        try:
            services.document_add(archive=agent.archive, file=file)
        except InvalidInput as error:
            errors.append(str(error))
    context = {"agent": agent, "errors": errors, "limit_mb": settings.MAX_UPLOAD_BYTES // 1048576}
    return render(request, "chat/_upload.html", context)


@require_POST
def document_delete(request: HttpRequest, document_id: int) -> HttpResponse:
    services.document_delete(document=part_for(request, Document, document_id))
    return HttpResponse("")


@require_POST
def document_retry(request: HttpRequest, document_id: int) -> HttpResponse:
    services.document_retry(document=part_for(request, Document, document_id))
    return HttpResponse(status=204)


@require_GET
def documents(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    context = {"agent": agent, "documents": selectors.documents_of(agent)}
    return render(request, "chat/_documents.html", context)
