"""The long lists of the inspector: recall, archival, queue, runs. Each page costs the same, however long the list."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import Model, Prefetch, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from agents import ingest, selectors
from agents.exceptions import InvalidInput, LLMError
from agents.external_context import archival_storage, recall_ranking, recall_storage
from agents.external_context.hybrid import Hit, page_of
from agents.models import Agent, Message, Passage, Run
from agents.models.message import DERIVED
from chat.highlight import excerpt
from chat.views.filters import Filters, filters_of
from chat.views.numbers import number

PAGE = 30  # rows of a list
HEAVY = {Message: DERIVED, Passage: ("embedding", "words")}  # columns that no list shows
SPARK_RUNS = 30  # runs in the sparkline

Row = TypeVar("Row", bound=Model)
Context = dict[str, Any]
Kind = Message.Kind

RECALL_KINDS = {"you": _("by you"), "agent": _("by the agent")}
ARCHIVAL_KINDS = {"filed": _("filed by the agent"), "added": _("added by you"), "documents": _("from documents")}
QUEUE_KINDS = {"said": _("what was said"), "functions": _("functions"), "events": _("events")}
RUN_KINDS = {status.value: status.label for status in Run.Status}
QUEUE_GROUPS = {
    "said": {Kind.USER_MESSAGE, Kind.ASSISTANT},
    "functions": {Kind.FUNCTION_RESULT},
    "events": {Kind.HEARTBEAT, Kind.SYSTEM_ALERT, Kind.LOGIN},
}


@dataclass(frozen=True)
class Found(Generic[Row]):
    """A row of a list, with its text marked where it matches. `score` is None where nothing was searched."""

    row: Row
    text: SafeString
    score: float | None = None
    said: Message | None = None  # where in the conversation the agent filed it


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page. A list goes on `before` a key, a search on a `next_page`; `total` is known for a search."""

    rows: list[Found[Row]]
    filters: Filters
    before: int | None = None
    next_page: int | None = None
    total: int | None = None


def recall(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Message]:
        rows = filters.at(recall_storage.spoken(agent))
        wanted = {"you": Kind.USER_MESSAGE, "agent": Kind.ASSISTANT}.get(filters.kind)
        rows = rows.filter(kind=wanted) if wanted else rows
        if filters.query:
            hits = recall_ranking.search(agent, rows, filters.query)
            return _searched(hits, filters, lambda row: row.content)
        return _listed(rows, filters, "seq", lambda row: row.content)

    return _answer(request, read) | {"kinds": RECALL_KINDS}


def archival(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Passage]:
        rows = filters.at(archival_storage.passages_of(agent)).select_related("document", "archive")
        if filters.kind == "documents":
            rows = rows.filter(document__isnull=False)
        elif filters.kind in ("filed", "added"):
            rows = rows.filter(document=None, step__isnull=filters.kind == "added")
        rows = rows.filter(archive=filters.archive) if filters.archive is not None else rows
        if filters.query:
            listing = _searched(archival_storage.search(agent, rows, filters.query), filters, lambda row: row.text)
            prefetch_related_objects([found.row for found in listing.rows], "document", "archive")
            return _with_place(agent, listing)
        return _with_place(agent, _listed(rows, filters, "pk", lambda row: row.text))

    return _answer(request, read) | {
        "kinds": ARCHIVAL_KINDS,
        "archives": selectors.archives_of(agent),
        "attachable": selectors.archives_to_attach(agent),
        "documents": selectors.documents_of(agent),
        "limit_mb": settings.MAX_UPLOAD_BYTES // 1048576,
        "accepted": ingest.ACCEPTED,
    }


def _with_place(agent: Agent, listing: Listing[Passage]) -> Listing[Passage]:
    """With the message of the step that filed each passage. One query."""
    steps = {found.row.step_id for found in listing.rows if found.row.step_id}
    said = agent.messages.filter(step__in=steps, kind=Kind.ASSISTANT, retracted_at=None).only("seq", "step")
    by_step = {message.step_id: message for message in said}
    return replace(listing, rows=[replace(found, said=by_step.get(found.row.step_id)) for found in listing.rows])


def queue(request: HttpRequest, agent: Agent) -> Context:
    """The window's messages, newest last, of one kind if asked; and what left it before, newest first."""
    view = selectors.context_view(agent)
    kind = request.GET.get("kind", "")
    group = QUEUE_GROUPS.get(kind)
    shown = [m for m in view.main.messages if group is None or m.kind in group]
    evicted = agent.messages.filter(seq__lt=agent.queue_start, retracted_at=None).exclude(kind=Kind.NOTICE)
    if group is not None:
        evicted = evicted.filter(kind__in=group)
    rows = evicted.defer(*DERIVED).order_by("-seq")
    key = number(request.GET, "before")
    if key is not None:
        rows = rows.filter(seq__lt=key)
    page = list(rows[: PAGE + 1])
    return {
        "view": view,
        "shown": shown,
        "kind": kind if group else "",
        "kinds": QUEUE_KINDS,
        "evicted": page[:PAGE],
        "evicted_before": page[PAGE - 1].seq if len(page) > PAGE else None,
    }


def runs(request: HttpRequest, agent: Agent) -> Context:
    def read(filters: Filters) -> Listing[Run]:
        messages = Prefetch("steps__messages", agent.messages.filter(retracted_at=None).defer(*DERIVED))
        rows = filters.at(agent.runs.select_related("event").prefetch_related("steps", messages))
        rows = rows.defer(*(f"event__{column}" for column in DERIVED))
        rows = rows.filter(status=filters.kind) if filters.kind in RUN_KINDS else rows
        return _listed(rows, filters, "pk", lambda row: row.event.content if row.event else "")

    return _answer(request, read) | {"kinds": RUN_KINDS, "spark": selectors.sparkline(agent, SPARK_RUNS)}


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
    """Newest first, by key: no page costs more than the first. One query."""
    if rows.model in HEAVY:
        rows = rows.defer(*HEAVY[rows.model])
    rows = rows.order_by(f"-{key}")
    if filters.before is not None:
        rows = rows.filter(**{f"{key}__lt": filters.before})
    page = list(rows[: PAGE + 1])
    before = getattr(page[PAGE - 1], key) if len(page) > PAGE else None
    return Listing([Found(row, excerpt(text(row), "")) for row in page[:PAGE]], filters, before=before)


def _searched(hits: "list[Hit[Row]]", filters: Filters, text: Callable[[Row], str]) -> "Listing[Row]":
    page = page_of(hits, filters.page, PAGE)
    found = [Found(hit.row, excerpt(text(hit.row), filters.query), hit.score) for hit in page.hits]
    return Listing(found, filters, next_page=page.number + 1 if page.has_next else None, total=page.total)
