"""Archival storage: passages an agent filed, a person added, or a document was cut into (paper section 2.1)."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from agents import bus, tokens
from agents.events import DocumentChanged, Event, PassagesChanged
from agents.external_context import words
from agents.external_context.hybrid import PAGE_SIZE, Page, page_of, search
from agents.llm.embeddings import Vector, get_embedder
from agents.models import Agent, Archive, Document, Passage, Step
from agents.text import storable

EMBED_BATCH = 32
REBUILT = ("text", "tokens", "embedding", "embedding_model", "words")  # what follows from a passage's text


def passages_of(agent: Agent) -> "QuerySet[Passage]":
    """What the agent may search: its own archive and those attached to it. One query to find out which.

    The archives are named to the database: behind a subquery it cannot tell a small one from a large one, and a scan of
    the vector index gives up among other people's rows.
    """
    readable = [agent.archive_id, *agent.attached_archives.values_list("pk", flat=True)]
    return Passage.objects.filter(archive__in=readable, retracted_at=None).select_related("document")


def find(agent: Agent, query: str, *, page: int = 1, size: int = PAGE_SIZE) -> Page[Passage]:
    """Passages about `query`, best first."""
    return page_of(search(passages_of(agent), query), page, size)


def insert(archive: Archive, text: str, *, step: Step | None = None) -> Passage:
    """File one passage; it is found at once. Embeds `text` first. Raises LLMError if that fails."""
    text = storable(text)
    vector = get_embedder().embed_passages([text])[0]
    with transaction.atomic():
        passage = build(archive, text, vector)
        passage.step = step
        passage.save()
        announce(archive)
    return passage


def rewrite(passage: Passage, text: str) -> Passage:
    """Give a passage another text. Embeds it first. Raises LLMError if that fails."""
    text = storable(text)
    renewed = build(passage.archive, text, get_embedder().embed_passages([text])[0])
    for name in REBUILT:
        setattr(passage, name, getattr(renewed, name))
    with transaction.atomic():
        passage.save(update_fields=REBUILT)
        announce(passage.archive)
    return passage


def insert_pieces(document: Document, pieces: Sequence[tuple[int, int | None, str, str]]) -> None:
    """Store a batch of a document's pieces: (position, page, place, text). Those already stored stay as they are."""
    vectors = get_embedder().embed_passages([text for _, _, _, text in pieces])
    batch = []
    for (position, page, place, text), vector in zip(pieces, vectors, strict=True):
        passage = build(document.archive, text, vector)
        passage.document, passage.position, passage.page, passage.place = document, position, page, place
        batch.append(passage)
    Passage.objects.bulk_create(batch, ignore_conflicts=True)


def not_embedded() -> "QuerySet[Passage]":
    """Passages without a vector of the configured model."""
    return Passage.objects.exclude(embedding_model=get_embedder().name)


def embed_missing() -> int:
    """Embed one batch of them; returns how many."""
    embedder = get_embedder()
    with transaction.atomic():
        batch = list(not_embedded().defer("words").order_by("pk").select_for_update(skip_locked=True)[:EMBED_BATCH])
        for passage, vector in zip(batch, embedder.embed_passages([p.text for p in batch]), strict=True):
            passage.embedding, passage.embedding_model = vector, embedder.name
        Passage.objects.bulk_update(batch, ["embedding", "embedding_model"])
    return len(batch)


def build(archive: Archive, text: str, vector: Vector | None) -> Passage:
    """An unsaved passage; without a vector it is found by its words alone until `embed_missing` comes to it."""
    return Passage(
        archive=archive,
        text=text,
        tokens=tokens.count(text),
        embedding=vector,
        embedding_model=get_embedder().name if vector is not None else "",
        words=words.vector(text),
    )


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
