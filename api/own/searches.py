"""Why a search finds what it finds."""

from typing import Annotated, Literal

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, Field

from agents import selectors
from agents.functions.paging import LAST_PAGE, LONGEST_QUERY
from agents.models import Message
from agents.selectors import Storage, Why
from agents.text.clean import encodable
from api.access import agent_for
from api.answers import answer, when
from api.asked import Asked, only_known
from api.ids import written
from api.letta import timeline
from api.letta.shapes import Shape

router = Router(tags=["memweb"])


class WhySearch(Asked):
    """What to look for, and where: in what was said, or in archival storage and the archives attached to it."""

    query: Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY), AfterValidator(encodable)]
    storage: Storage = "recall"
    page: int = Field(1, ge=1, le=LAST_PAGE)


class WordOut(BaseModel):
    """A word of the query that stands in a row. `beside`: it is one of the day's or of the name's, and not of the text
    alone."""

    word: str
    beside: Literal["", "day", "name"]


class PartOut(BaseModel):
    """A part of a score: what was measured, if there was something to measure, and what it adds."""

    name: str
    label: str
    figure: float | None
    contribution: float
    words: list[WordOut]


class FoundOut(BaseModel):
    """A message or a passage. The contributions of its parts add up to its score; `note` says what is missing."""

    id: str
    text: str
    created_at: str
    score: float
    note: str
    parts: list[PartOut]


class WhyOut(BaseModel):
    """A page of a search as the agent makes it. `text` is what it reads; `below_cut` are the first of the next page."""

    storage: Storage
    query: str
    page: int
    pages: int
    total: int
    text: str
    results: list[FoundOut]
    below_cut: list[FoundOut]


@router.get("/agents/{agent_id}/why", response=WhyOut)
@only_known
def search_why(request: HttpRequest, agent_id: str, asked: Query[WhySearch]) -> HttpResponse:
    """What the agent would find now, with the parts of each score."""
    told = selectors.search_explained(agent_for(request, agent_id), asked.storage, asked.query, asked.page)
    messages = [why.row for why in (*told.found, *told.below) if isinstance(why.row, Message)]
    prefetch_related_objects(messages, "step", "run")
    place = {"page": told.page.number, "pages": told.page.pages, "total": told.page.total}
    found = {"results": [_found(why) for why in told.found], "below_cut": [_found(why) for why in told.below]}
    return answer({"storage": told.storage, "query": told.query, **place, "text": told.text, **found})


def _found(why: Why) -> Shape:
    row = why.row
    if isinstance(row, Message):
        key = timeline.id_of(row, "" if row.kind == Message.Kind.USER_MESSAGE else "said")
    else:
        key = written("passage", row.pk)
    parts = [
        {
            "name": figure.part.name,
            "label": figure.label,
            "figure": None if figure.part.figure is None else float(figure.part.figure),
            "contribution": figure.part.contribution,
            "words": [match._asdict() for match in figure.words],
        }
        for figure in why.figures
    ]
    told = {"id": key, "text": why.text, "created_at": when(row.created_at)}
    return {**told, "score": why.score, "note": why.note, "parts": parts}
