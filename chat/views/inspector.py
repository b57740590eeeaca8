"""The inspector's tabs, each a partial of its own that the page asks for and asks for again when told to."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from agents import selectors, services, tokens
from agents.exceptions import LLMError
from agents.external_context import archival_storage, recall_storage
from agents.external_context.hybrid import Hit, Page
from agents.main_context import working_context
from agents.models import Agent, Message, Passage
from chat import diff
from chat.access import agent_for
from chat.views.numbers import number
from chat.views.toast import toast

PAGE = 20  # rows of a list
RUNS = 15
SEARCHED = ("recall", "archival")  # tabs whose results are a part of their own

Context = dict[str, object]


@require_GET
def tab(request: HttpRequest, agent_id: UUID, name: str) -> HttpResponse:
    agent = agent_for(request, agent_id)
    read = TABS.get(name)
    if read is None:
        raise Http404
    context = {"agent": agent, "tab": name, **read(request, agent)}
    part = "_results" if name in SEARCHED and request.GET.get("part") == "results" else ""
    return render(request, f"chat/tabs/_{name}{part}.html", context)


def context_tab(request: HttpRequest, agent: Agent) -> Context:
    return {"view": selectors.context_view(agent), "counter": tokens.counter_name()}


def memory_tab(request: HttpRequest, agent: Agent) -> Context:
    return {"cards": [block_card(block.pk, agent) for block in working_context.blocks_of(agent)]}


def block_card(block_id: int, agent: Agent) -> Context:
    """A block with its last change, if it ever changed."""
    block = agent.blocks.get(pk=block_id)
    newest = list(block.revisions.select_related("user", "agent")[:2])
    change = diff.words(newest[1].value, newest[0].value) if len(newest) == 2 else None
    return {"block": block, "last": newest[0] if newest else None, "change": change}


def queue_tab(request: HttpRequest, agent: Agent) -> Context:
    view = selectors.context_view(agent)
    evicted = agent.messages.filter(seq__lt=agent.queue_start).exclude(kind=Message.Kind.NOTICE)
    last_evicted = list(reversed(evicted.defer("embedding", "words").order_by("-seq")[:10]))
    return {"view": view, "evicted": last_evicted, "evicted_total": evicted.count()}


def recall_tab(request: HttpRequest, agent: Agent) -> Context:
    query, page = _query(request)
    if query:
        return _found(query, lambda: recall_storage.find(agent, query, page=page, size=PAGE))
    newest = recall_storage.spoken(agent).defer("embedding", "words").order_by("-seq")
    return {"query": "", "page": _listed(newest, page)}


def archival_tab(request: HttpRequest, agent: Agent) -> Context:
    query, page = _query(request)
    context: Context = {"documents": selectors.documents_of(agent), "limit_mb": settings.MAX_UPLOAD_BYTES // 1048576}
    if query:
        return context | _found(query, lambda: archival_storage.find(agent, query, page=page, size=PAGE))
    newest = archival_storage.passages_of(agent).defer("embedding", "words").order_by("-pk")
    return context | {"query": "", "page": _listed(newest, page)}


def runs_tab(request: HttpRequest, agent: Agent) -> Context:
    runs = agent.runs.select_related("event").prefetch_related("steps").order_by("-id")
    return {"runs": Paginator(runs, RUNS).get_page(number(request.GET, "page") or 1)}


TABS: dict[str, Callable[[HttpRequest, Agent], Context]] = {
    "context": context_tab,
    "memory": memory_tab,
    "queue": queue_tab,
    "recall": recall_tab,
    "archival": archival_tab,
    "runs": runs_tab,
}


@require_GET
def gauge(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The slim gauge under the chat's header."""
    agent = agent_for(request, agent_id)
    return render(request, "chat/_gauge.html", {"agent": agent, "view": selectors.context_view(agent)})


@require_GET
def prompt(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """The exact prompt of the next step."""
    agent = agent_for(request, agent_id)
    view = selectors.context_view(agent)
    return render(request, "chat/_prompt.html", {"agent": agent, "messages": view.main.prompt.messages(), "view": view})


@require_POST
def flush(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Evict now what the next flush would."""
    agent = agent_for(request, agent_id)
    if services.queue_flush(agent=agent):
        return HttpResponse(status=204)
    return toast("The queue is too short to evict anything.")


def _query(request: HttpRequest) -> tuple[str, int]:
    return request.GET.get("q", "").strip()[:2000], number(request.GET, "page") or 1


def _found(query: str, find: "Callable[[], Page[Message]] | Callable[[], Page[Passage]]") -> Context:
    try:
        return {"query": query, "page": find()}
    except LLMError as error:
        return {"query": query, "page": None, "error": str(error)}


def _listed(rows: object, page_number: int) -> object:
    page = Paginator(rows, PAGE).get_page(page_number)  # type: ignore[var-annotated, arg-type]
    return Page([Hit(row, 0.0) for row in page.object_list], page.number, PAGE, page.paginator.count)
