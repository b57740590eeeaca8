"""Archival storage: passages of an agent and of archives."""

from typing import Any, ClassVar, Literal

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from agents import services
from agents.access import owned_by
from agents.external_context import archival_storage
from agents.external_context.archival_storage import Filing
from agents.functions.archival_memory import LONGEST_PASSAGE
from agents.models import Archive, Passage
from api.access import agent_for, archive_for, person, row_for
from api.answers import answer, when
from api.asked import MOST_NAMES, Asked, Body, Listing, Name, Time, between, only_known
from api.asked import Query as Text
from api.errors import Unknown
from api.ids import written
from api.letta import shapes
from api.letta.blocks import with_tags
from api.letta.shapes import Shape
from api.pages import page_of

router = Router(tags=["passages"])

TagMode = Literal["any", "all"]
MOST_FOUND = 100


class PassageOut(BaseModel):
    """A passage."""

    id: str
    text: str
    archive_id: str
    tags: list[str]
    created_at: str


class PassageCreate(Body):
    """A text to file, and when it was said if that was before."""

    NOT_SUPPORTED: ClassVar = frozenset({"metadata"})

    text: str = Field(min_length=1, max_length=LONGEST_PASSAGE)
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    created_at: Time | None = None


class Passages(Body):
    """Several at once."""

    passages: list[PassageCreate] = Field(max_length=1000)


def _filed(archive: Archive, payloads: list[PassageCreate]) -> list[Shape]:
    filings = [Filing(text=given.text, tags=given.tags or [], created_at=given.created_at) for given in payloads]
    return [shapes.passage(row) for row in services.passages_add(archive=archive, filings=filings)]


class PassageListing(Listing):
    """Passages, oldest first unless asked otherwise; `search` finds a text in them."""

    ascending: bool = True
    search: Text | None = None


@router.get("/agents/{agent_id}/archival-memory", response=list[PassageOut])
@only_known
def passage_list(request: HttpRequest, agent_id: str, asked: Query[PassageListing]) -> HttpResponse:
    """What the agent can find: its own passages and those of the archives it searches."""
    rows = archival_storage.passages_of(agent_for(request, agent_id)).without_search_columns()
    rows = rows.select_related("document")
    if asked.search:
        rows = rows.filter(text__icontains=asked.search)
    page = page_of(rows, asked, "passage", newest_first=not asked.ascending, limit=100)
    return answer([shapes.passage(row) for row in page])


@router.post("/agents/{agent_id}/archival-memory", response=list[PassageOut])
@only_known
def passage_create(request: HttpRequest, agent_id: str, payload: PassageCreate) -> HttpResponse:
    """File a passage in the agent's own archive. It is found at once."""
    return answer(_filed(agent_for(request, agent_id).archive, [payload]))


class PassageSearch(Asked):
    """What to look for, by meaning and by words."""

    query: Text
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    tag_match_mode: TagMode = "any"
    top_k: int | None = Field(None, ge=1, le=MOST_FOUND)
    start_datetime: Time | None = None
    end_datetime: Time | None = None


class PassagesFound(BaseModel):
    """Best first."""

    count: int
    results: list[dict[str, Any]]


@router.get("/agents/{agent_id}/archival-memory/search", response=PassagesFound)
@only_known
def passage_search(request: HttpRequest, agent_id: str, asked: Query[PassageSearch]) -> HttpResponse:
    """What the agent would find."""
    agent = agent_for(request, agent_id)
    rows = with_tags(archival_storage.passages_of(agent), asked.tags, all_of_them=asked.tag_match_mode == "all")
    rows = between(rows, asked.start_datetime, asked.end_datetime)
    hits = archival_storage.search(agent, rows, asked.query)[: asked.top_k or 10] if asked.query.strip() else []
    found = [_found(hit.row) for hit in hits]
    return answer({"count": len(found), "results": found})


def _found(row: Passage) -> Shape:
    told = {"content": row.text, "timestamp": when(row.created_at), "tags": row.tags}
    return {"id": written("passage", row.pk), **told}


@router.delete("/agents/{agent_id}/archival-memory/{memory_id}", response=dict)
@only_known
def passage_delete(request: HttpRequest, agent_id: str, memory_id: str) -> HttpResponse:
    """Delete a passage that the agent can find."""
    row = row_for(request, Passage, "passage", memory_id)
    _retract(archival_storage.passages_of(agent_for(request, agent_id)), row)
    return answer({})


def _retract(rows: Any, row: Passage) -> None:
    if not services.passages_retract(passages=rows.filter(pk=row.pk)):
        raise Unknown("passage", written("passage", row.pk))


# Of archives


@router.post("/archives/{archive_id}/passages", response=PassageOut)
@only_known
def archive_passage_create(request: HttpRequest, archive_id: str, payload: PassageCreate) -> HttpResponse:
    """File a passage in an archive, for all who search it."""
    return answer(_filed(archive_for(request, archive_id), [payload])[0])


@router.post("/archives/{archive_id}/passages/batch", response=list[PassageOut])
@only_known
def archive_passage_create_many(request: HttpRequest, archive_id: str, payload: Passages) -> HttpResponse:
    """File several passages; all of them or none."""
    return answer(_filed(archive_for(request, archive_id), payload.passages))


@router.delete("/archives/{archive_id}/passages/{passage_id}", response={204: None})
@only_known
def archive_passage_delete(request: HttpRequest, archive_id: str, passage_id: str) -> HttpResponse:
    """Delete a passage of an archive."""
    row = row_for(request, Passage, "passage", passage_id)
    _retract(archive_for(request, archive_id).passages.all(), row)
    return HttpResponse(status=204)


class SearchAll(Body):
    """What to look for in all archives, in an agent's, or in one; without a query, the newest."""

    query: str | None = Field(None, max_length=2000)
    agent_id: Name | None = None
    archive_id: Name | None = None
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    tag_match_mode: TagMode = "any"
    limit: int = Field(50, ge=1, le=MOST_FOUND)
    start_date: Time | None = None
    end_date: Time | None = None


class ScoredPassage(BaseModel):
    """A passage that was found."""

    passage: PassageOut
    score: float


@router.post("/passages/search", response=list[ScoredPassage])
@only_known
def passages_search(request: HttpRequest, payload: SearchAll) -> HttpResponse:
    """Search archival storage."""
    if payload.agent_id:
        archives = archival_storage.archives_of(agent_for(request, payload.agent_id))
    elif payload.archive_id:
        archives = [archive_for(request, payload.archive_id).pk]
    else:
        archives = list(owned_by(Archive, person(request)).values_list("pk", flat=True))
    rows = Passage.objects.filter(archive__in=archives, retracted_at=None)
    rows = with_tags(rows, payload.tags, all_of_them=payload.tag_match_mode == "all")
    rows = between(rows, payload.start_date, payload.end_date)
    query = (payload.query or "").strip()
    if query:
        scored = [(hit.row, hit.score) for hit in archival_storage.search_in(archives, rows, query)[: payload.limit]]
    else:
        scored = [(row, 0.0) for row in rows.without_search_columns().order_by("-pk")[: payload.limit]]
    prefetch_related_objects([row for row, _score in scored], "document")
    return answer([{"passage": shapes.passage(row), "score": score, "metadata": {}} for row, score in scored])
