"""Recall storage: every message ever, to be searched (paper section 2.1)."""

from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.external_context import words
from agents.external_context.hybrid import PAGE_SIZE, Hit, Page, page_of, search
from agents.llm.embeddings import get_embedder
from agents.models import Agent, Message

SEARCHED_KINDS = (Message.Kind.USER_MESSAGE, Message.Kind.ASSISTANT)
EMBED_BATCH = 32
LAST_DAY = date(9000, 1, 1)  # later ones overflow


def spoken(agent: Agent) -> "QuerySet[Message]":
    """What was said, by either side: what search is about."""
    return agent.messages.filter(kind__in=SEARCHED_KINDS, seq__isnull=False, retracted_at=None).exclude(content="")


def find(
    agent: Agent, query: str, *, page: int = 1, size: int = PAGE_SIZE, before_seq: int | None = None
) -> Page[Message]:
    """Messages about `query`, best first; `before_seq` leaves out the present run, whose question is in view anyway."""
    rows = spoken(agent)
    if before_seq is not None:
        rows = rows.filter(seq__lt=before_seq)
    return page_of(search(rows, query), page, size)


def find_between(agent: Agent, start: date, end: date, *, page: int = 1, size: int = PAGE_SIZE) -> Page[Message]:
    """What was said from `start` to `end`, both days included, oldest first."""
    after = _midnight(min(end, LAST_DAY) + timedelta(days=1))
    rows = spoken(agent).filter(created_at__gte=_midnight(start), created_at__lt=after)
    rows = rows.defer("embedding", "words").order_by("seq")
    page = max(1, page)
    shown = [Hit(message, 0.0) for message in rows[(page - 1) * size : page * size]]
    return Page(shown, page, size, rows.count())


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def index_words(message: Message) -> None:
    """Make an unsaved message findable by its words at once."""
    if message.kind in SEARCHED_KINDS and message.content:
        message.words = words.vector(message.content)


def embed_missing(agent: Agent) -> int:
    """Embed one batch of messages that have no vector of the configured model; returns how many."""
    embedder = get_embedder()
    with transaction.atomic():
        rows = spoken(agent).exclude(embedding_model=embedder.name).defer("words").order_by("-seq")
        batch = list(rows.select_for_update(skip_locked=True, no_key=True)[:EMBED_BATCH])
        for message, vector in zip(batch, embedder.embed_passages([m.content for m in batch]), strict=True):
            message.embedding, message.embedding_model = vector, embedder.name
        Message.objects.bulk_update(batch, ["embedding", "embedding_model"])
    return len(batch)
