"""Archival storage: passages an agent filed, a person added, or a document was cut into (paper section 2.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet, prefetch_related_objects
from django.utils import timezone

from agents import quotas
from agents.broadcast import bus
from agents.broadcast.events import DocumentChanged, Event, PassagesChanged
from agents.external_context import words
from agents.external_context.hybrid import PAGE_SIZE, Hit, Page, SearchColumns, candidates, page_of, total, weighted
from agents.external_context.vector_index import ARCHIVAL
from agents.llm import embeddings
from agents.llm.embeddings import Vector
from agents.locks import try_lock
from agents.models import Agent, Archive, Document, Passage, Run, Step
from agents.models.searched import SearchedQuerySet
from agents.text import tokens
from agents.text.clean import storable

WEIGHTS = {"embedding": 0.7, "words": 0.3}
COLUMNS = SearchColumns(ARCHIVAL, vectors=("embedding",), words=("words",))
EMBED_BATCH = 32
REBUILT = (
    "text",
    "tokens",
    "embedding",
    "embedding_model",
    "words",
    "words_form",
)  # what follows from a passage's text
REINDEX_SQL = """
    UPDATE agents_passage SET words = to_tsvector(%s::regconfig, %s), words_form = %s WHERE id = %s AND text = %s
"""


def archives_of(agent: Agent) -> list[int]:
    """What the agent may search: its own archive and those attached to it. One query."""
    return [agent.archive_id, *agent.attached_archives.values_list("pk", flat=True)]


def passages_of(agent: Agent) -> "SearchedQuerySet[Passage]":
    """Those of its archives. One query to find out which."""
    return Passage.objects.filter(archive__in=archives_of(agent), retracted_at=None)


@dataclass(frozen=True)
class AsOf:
    """A run's view of the archives: as they were at a time, and what the run itself filed since, up to `last_step`."""

    run: Run
    time: datetime
    last_step: int | None = None


def find(agent: Agent, query: str, *, page: int = 1, size: int = PAGE_SIZE, as_of: AsOf | None = None) -> Page[Passage]:
    """Passages about `query`, best first. `as_of` leaves out what others added since (a document that is being read),
    so that a result's pages do not shift."""
    rows = passages_of(agent)
    if as_of is not None:
        steps = as_of.run.steps.all()
        if as_of.last_step is not None:
            steps = steps.filter(number__lte=as_of.last_step)
        rows = rows.filter(Q(created_at__lte=as_of.time) | Q(step__in=steps.values("pk")))
    results = page_of(search(agent, rows, query), page, size)
    prefetch_related_objects([hit.row for hit in results.hits], "document")
    return results


def search(agent: Agent, rows: "QuerySet[Passage]", query: str) -> list[Hit[Passage]]:
    """The best of `rows`, some of the agent's, for `query`, best first. Three statements."""
    return search_in(archives_of(agent), rows, query)


def search_in(archives: list[int], rows: "QuerySet[Passage]", query: str) -> list[Hit[Passage]]:
    """The best of `rows`, all of these archives, best first. Two statements."""
    nominated = candidates(rows, archives, COLUMNS, query)
    scored = weighted(nominated, WEIGHTS)
    hits = [Hit(candidate.row, total(parts), parts) for candidate, parts in zip(nominated, scored, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, -hit.row.pk))


@dataclass(frozen=True, kw_only=True)
class Filing:
    """A passage to be. `created_at` is given where it was said before; `step` is the one that files it."""

    text: str
    tags: Sequence[str] = ()
    created_at: datetime | None = None
    step: Step | None = None


def insert(archive: Archive, text: str, *, step: Step | None = None) -> Passage:
    """File one passage; it is found at once. Embeds `text` first. Raises LLMError if that fails."""
    return insert_all(archive, [Filing(text=text, step=step)])[0]


def insert_all(archive: Archive, filings: Sequence[Filing]) -> list[Passage]:
    """File passages, all or none; they are found at once. Embeds them first.

    Raises QuotaReached; LLMError if they cannot be embedded.
    """
    quotas.check_passages(archive.owner_id, len(filings))
    texts = [storable(filing.text) for filing in filings]
    embedder = embeddings.latest()
    vectors = embedder.embed_passages(texts)
    passages = []
    with transaction.atomic():
        for filing, text, vector in zip(filings, texts, vectors, strict=True):
            passage = build(archive, text, vector, embedder.name)
            passage.step, passage.tags = filing.step, list(filing.tags)
            passage.created_at = filing.created_at or passage.created_at
            passage.save()
            passages.append(passage)
        announce(archive)
    return passages


def rewrite(passage: Passage, text: str) -> Passage:
    """Give a passage another text. Embeds it first. Raises LLMError if that fails."""
    text = storable(text)
    embedder = embeddings.latest()
    renewed = build(passage.archive, text, embedder.embed_passages([text])[0], embedder.name)
    for name in REBUILT:
        setattr(passage, name, getattr(renewed, name))
    with transaction.atomic():
        passage.save(update_fields=REBUILT)
        announce(passage.archive)
    return passage


class Piece(NamedTuple):
    """One passage of a document to be. `position` counts from 0 within it; `said_at` is in seconds since 1970, where
    it was said at a time."""

    position: int
    page: int | None
    place: str
    text: str
    said_at: float | None = None


def insert_pieces(document: Document, pieces: Sequence[Piece]) -> None:
    """Store a batch of a document's pieces. Those already stored stay as they are."""
    embedder = embeddings.latest()
    vectors = embedder.embed_passages([piece.text for piece in pieces])
    batch = []
    for piece, vector in zip(pieces, vectors, strict=True):
        passage = build(document.archive, piece.text, vector, embedder.name)
        passage.document, passage.position = document, piece.position
        passage.page, passage.place = piece.page, piece.place
        if piece.said_at is not None:
            passage.created_at = datetime.fromtimestamp(piece.said_at, UTC)
        batch.append(passage)
    Passage.objects.bulk_create(batch, ignore_conflicts=True)


def not_embedded() -> "SearchedQuerySet[Passage]":
    """Passages without a vector of the configured model."""
    name = embeddings.latest().name
    # As two ranges, which an index answers; "is not" would read every row.
    return Passage.objects.filter(Q(embedding_model__lt=name) | Q(embedding_model__gt=name))


def embed_missing() -> Iterator[int]:
    """Embed those, batch by batch; tells how many each time. Holds no row while it embeds: a passage that is rewritten
    meanwhile has its vector from there. None if another worker is at it."""
    embedder = embeddings.latest()
    last = 0
    with try_lock("embed passages") as acquired:
        while acquired and (
            batch := list(not_embedded().filter(pk__gt=last).order_by("pk").only("text")[:EMBED_BATCH])
        ):
            vectors = embedder.embed_passages([passage.text for passage in batch])
            for passage, vector in zip(batch, vectors, strict=True):
                same = Passage.objects.filter(pk=passage.pk, text=passage.text)
                same.update(embedding=vector, embedding_model=embedder.name)
            last = batch[-1].pk
            yield len(batch)


def build(archive: Archive, text: str, vector: Vector | None = None, model: str = "") -> Passage:
    """An unsaved passage with a vector of this model; without one it is found by its words alone until `embed_missing`
    comes to it."""
    return Passage(
        archive=archive,
        created_at=timezone.now(),
        text=text,
        tokens=tokens.count(text),
        embedding=vector,
        embedding_model=model,
        words=words.vector(text),
        words_form=words.FORM,
    )


def index_older_words(most: int) -> int:
    """Index the words of up to `most` passages in an older form anew; tells how many. A passage that is rewritten
    meanwhile has its words from there."""
    batch = list(Passage.objects.filter(words.of_older_form()).order_by("pk").only("text")[:most])
    with connection.cursor() as cursor:
        cursor.executemany(
            REINDEX_SQL, [(words.CONFIG, words.indexed(row.text), words.FORM, row.pk, row.text) for row in batch]
        )
    return len(batch)


def announce(archive: Archive) -> None:
    """Tell the pages of every agent that searches this archive that its passages changed."""
    _publish(archive, PassagesChanged(archive.pk))


def announce_document(document: Document) -> None:
    """Tell them of a document's progress."""
    _publish(document.archive, DocumentChanged(document.pk))


def _publish(archive: Archive, event: Event) -> None:
    searching = Agent.objects.filter(Q(archive=archive) | Q(attached_archives=archive)).distinct()
    for agent_id in searching.values_list("pk", flat=True):
        bus.publish_on_commit(bus.agent_group(agent_id), event)
