"""The long lists of the inspector: recall, archival, queue, runs. Each page costs the same, however long the list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import Model, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from agents import queue_manager, selectors
from agents.exceptions import InvalidInput, LLMError
from agents.external_context import archival_storage, hybrid, recall_ranking, recall_storage
from agents.external_context.hybrid import Hit, page_of
from agents.functions import archival_memory
from agents.ingest import kinds
from agents.llm.gateway import config_of
from agents.models import Agent, Message, Passage, Run
from agents.models.searched import SearchedQuerySet
from chat import drawing
from chat.highlight import excerpt
from chat.parameters import Filters, filters_of, number

PAGE = 30  # rows of a list
CONVERSATIONS = 50  # of exports, in the list of documents, until more are asked for
SPARK_RUNS = 30  # runs in the sparkline

Row = TypeVar("Row", bound=Model)
Context = dict[str, Any]
Kind = Message.Kind

RECALL_KINDS = {"you": _("by you"), "agent": _("by the agent")}
RECALL_SPEAKERS = {"you": Kind.USER_MESSAGE, "agent": Kind.ASSISTANT}
ARCHIVAL_KINDS = {"filed": _("filed by the agent"), "added": _("added by you"), "documents": _("from documents")}
QUEUE_KINDS = {"said": _("what was said"), "functions": _("functions"), "events": _("events")}
RUN_KINDS = {status.value: status.label for status in Run.Status}
QUEUE_GROUPS = {
    "said": {Kind.USER_MESSAGE, Kind.ASSISTANT},
    "functions": {Kind.FUNCTION_RESULT},
    "events": {Kind.HEARTBEAT, Kind.SYSTEM_ALERT, Kind.LOGIN},
}


@dataclass(frozen=True)
class ListedRow(Generic[Row]):
    """A row of a list, with its text marked where it matches. `score` is None where nothing was searched."""

    row: Row
    text: SafeString
    score: float | None = None
    origin: Message | None = None  # where in the conversation the agent filed it


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page. A list goes on `before` a key, a search on a `next_page`; `total` is known for a search;
    after the row `cut` the agent's own first page would end, if it searched for the same."""

    rows: list[ListedRow[Row]]
    filters: Filters
    before: int | None = None
    next_page: int | None = None
    total: int | None = None
    cut: int | None = None


def recall(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Message]:
        rows = _recalled(agent, filters)
        if filters.query:
            hits = recall_ranking.search(agent, rows, filters.query)
            return _searched(hits, filters, lambda row: row.content, hybrid.PAGE_SIZE)
        return _listed(rows.without_search_columns(), filters, "seq", lambda row: row.content)

    return _answer(request, read) | {"kinds": RECALL_KINDS}


def _recalled(agent: Agent, filters: Filters) -> "SearchedQuerySet[Message]":
    rows = filters.at(recall_storage.spoken(agent))
    return rows.filter(kind=RECALL_SPEAKERS[filters.kind]) if filters.kind in RECALL_SPEAKERS else rows


def archival(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Passage]:
        rows = _archived(agent, filters)
        if filters.query:
            hits = archival_storage.search(agent, rows, filters.query)
            listing = _searched(hits, filters, lambda row: row.text, archival_memory.PAGE_SIZE)
            prefetch_related_objects([listed.row for listed in listing.rows], "document", "archive")
            return _with_origin(agent, listing)
        return _with_origin(agent, _listed(rows.without_search_columns(), filters, "pk", lambda row: row.text))

    return _answer(request, read) | {
        "kinds": ARCHIVAL_KINDS,
        "archives": selectors.archives_of(agent),
        "attachable": selectors.archives_to_attach(agent),
        **documents(request, agent),
        "limit_mb": settings.MAX_UPLOAD_BYTES // 1048576,
        "accepted": kinds.ACCEPTED,
        "kinds_read": ", ".join(kinds.DOCUMENTS),
    }


def _archived(agent: Agent, filters: Filters) -> "SearchedQuerySet[Passage]":
    rows = filters.at(archival_storage.passages_of(agent)).select_related("document", "archive")
    return selectors.passages_of_kind(rows, filters.kind, filters.archive)


def why(request: HttpRequest, agent: Agent, row: Message | Passage) -> selectors.Why | None:
    """Why a search of the list found the row; None if it does not, or no more. Raises InvalidInput."""
    filters = filters_of(request)
    hits: Sequence[Hit[Any]] = []
    if filters.query and isinstance(row, Message):
        hits = recall_ranking.search(agent, _recalled(agent, filters), filters.query)
    elif filters.query:
        hits = archival_storage.search(agent, _archived(agent, filters), filters.query)
    storage: selectors.Storage = "recall" if isinstance(row, Message) else "archival"
    found = [hit for hit in hits if hit.row.pk == row.pk]
    return selectors.why_found(agent, storage, found, filters.query)[0] if found else None


def documents(request: HttpRequest, agent: Agent) -> Context:
    """The agent's documents; of conversations as many as were asked for."""
    most = number(request.GET, "conversations") or CONVERSATIONS
    listed, left = selectors.documents_listed(agent, most)
    return {"documents": listed, "conversations": most, "more": most + 2 * CONVERSATIONS, "left": left}


def _with_origin(agent: Agent, listing: Listing[Passage]) -> Listing[Passage]:
    """With the message of the step that filed each passage. One query."""
    origins = selectors.filed_in(agent, [listed.row for listed in listing.rows])
    rows = [replace(listed, origin=origins.get(listed.row.step_id or 0)) for listed in listing.rows]
    return replace(listing, rows=rows)


def queue(request: HttpRequest, agent: Agent) -> Context:
    """The window's messages, newest last, of one kind if asked; and what left it before, newest first."""
    view = selectors.context_view(agent)
    kind = request.GET.get("kind", "")
    group = QUEUE_GROUPS.get(kind)
    evicted, evicted_before = _page(selectors.evicted(agent, group), number(request.GET, "before"), "seq")
    return {
        "view": view,
        "shown": [m for m in view.main.messages if group is None or m.kind in group],
        "kind": kind if group else "",
        "kinds": QUEUE_KINDS,
        "evicted": evicted,
        "evicted_before": evicted_before,
    }


def runs(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Run]:
        rows = filters.at(selectors.runs_of(agent, filters.kind))
        return _listed(rows, filters, "pk", lambda row: row.event.content if row.event else "")

    marks = queue_manager.marks(config_of(agent))
    spark = drawing.sparkline(selectors.newest_prompts(agent, SPARK_RUNS), marks)
    return _answer(request, read) | {"kinds": RUN_KINDS, "spark": spark}


def _answer(request: HttpRequest, read: "Callable[[Filters], Listing[Any]]") -> Context:
    """The listing, or in its place a sentence that says what is wrong with what was asked."""
    try:
        filters = filters_of(request)
    except InvalidInput as error:
        return {"filters": Filters(), "listing": None, "error": str(error)}
    try:
        return {"filters": filters, "listing": read(filters)}
    except LLMError as error:
        return {"filters": filters, "listing": None, "error": str(error)}


def _listed(rows: "QuerySet[Row]", filters: Filters, key: str, text: Callable[[Row], str]) -> "Listing[Row]":
    page, before = _page(rows, filters.before, key)
    return Listing([ListedRow(row, excerpt(text(row), "")) for row in page], filters, before=before)


def _page(rows: "QuerySet[Row]", before: int | None, key: str) -> tuple[list[Row], int | None]:
    """The newest rows before a key, and the key to go on before, None at the end. One query: no page costs more than
    the first."""
    rows = rows.order_by(f"-{key}")
    if before is not None:
        rows = rows.filter(**{f"{key}__lt": before})
    page = list(rows[: PAGE + 1])
    return page[:PAGE], getattr(page[PAGE - 1], key) if len(page) > PAGE else None


def _searched(hits: "list[Hit[Row]]", filters: Filters, text: Callable[[Row], str], agents_page: int) -> "Listing[Row]":
    page = page_of(hits, filters.page, PAGE)
    cut = agents_page if filters.page == 1 and filters.is_query_alone else None
    rows = [ListedRow(hit.row, excerpt(text(hit.row), filters.query), hit.score) for hit in page.hits]
    return Listing(rows, filters, next_page=page.number + 1 if page.has_next else None, total=page.total, cut=cut)
