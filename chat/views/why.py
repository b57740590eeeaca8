"""Why a search found what it found: a row of a list, a query as the agent would search, a call that it made."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import floatformat
from django.views.decorators.http import require_GET

from agents import selectors
from agents.exceptions import InvalidInput
from agents.models import Agent, Message, Passage
from agents.selectors import Storage
from chat import lists
from chat.access import agent_for, part_for
from chat.lists import Context
from chat.parameters import number


@require_GET
def message_why(request: HttpRequest, agent_id: UUID, message_id: int) -> HttpResponse:
    """A message that the Recall tab's search found."""
    return _row_why(request, agent_for(request, agent_id), part_for(request, Message, message_id))


@require_GET
def passage_why(request: HttpRequest, agent_id: UUID, passage_id: int) -> HttpResponse:
    """A passage that the Archival tab's search found."""
    return _row_why(request, agent_for(request, agent_id), part_for(request, Passage, passage_id))


def _row_why(request: HttpRequest, agent: Agent, row: Message | Passage) -> HttpResponse:
    context: Context
    try:
        why = lists.why(request, agent, row)
        listed = request.GET.get("score")  # as the list shows it
        context = {"why": why, "is_another_score": why and listed and listed != floatformat(why.score, "2u")}
    except InvalidInput as error:
        context = {"error": str(error)}
    return render(request, "chat/_figures.html", context)


@require_GET
def recall_why(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A query, as the agent searches recall storage."""
    return _search_why(request, agent_for(request, agent_id), "recall")


@require_GET
def archival_why(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A query, as the agent searches archival storage."""
    return _search_why(request, agent_for(request, agent_id), "archival")


def _search_why(request: HttpRequest, agent: Agent, storage: Storage) -> HttpResponse:
    query = request.GET.get("q", "").replace("\x00", "").strip()
    context: Context = {"agent": agent, "storage": storage, "query": query}
    try:
        if query:
            page = number(request.GET, "page") or 1
            context["explanation"] = selectors.search_explained(agent, storage, query, page)
    except InvalidInput as error:
        context["error"] = str(error)
    return render(request, "chat/_why.html", context)


@require_GET
def call_why(request: HttpRequest, message_id: int) -> HttpResponse:
    """A search that the agent made, by its result."""
    result = part_for(request, Message, message_id)
    context: Context = {"agent": result.agent, "call": result}
    try:
        context["explanation"] = selectors.call_explained(result)
    except InvalidInput as error:
        context["error"] = str(error)
    return render(request, "chat/_why.html", context)
