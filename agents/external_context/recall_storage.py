"""Recall storage: every message ever, to be searched (paper section 2.1)."""

from collections.abc import Iterator
from datetime import date, timedelta

from django.contrib.postgres.search import SearchVector
from django.utils import timezone

from agents.external_context import recall_ranking, words
from agents.external_context.hybrid import PAGE_SIZE, Hit, Page, page_of
from agents.external_context.speakers import speakers_of
from agents.llm.embeddings import get_embedder
from agents.locks import try_lock
from agents.models import Agent, Message
from agents.models.searched import SearchedQuerySet
from agents.text.days import day_end, day_start

SEARCHED_KINDS = (Message.Kind.USER_MESSAGE, Message.Kind.ASSISTANT)
EMBED_BATCH = 32
CONTEXT = 2  # messages before one that are read with it
SESSION_GAP = timedelta(hours=3)  # of silence between two talks


def spoken(agent: Agent) -> "SearchedQuerySet[Message]":
    """What was said, by either side: what search is about."""
    return agent.messages.filter(kind__in=SEARCHED_KINDS, seq__isnull=False, retracted_at=None).exclude(content="")


def find(
    agent: Agent, query: str, *, page: int = 1, size: int = PAGE_SIZE, before_seq: int | None = None
) -> Page[Message]:
    """Messages about `query`, best first; `before_seq` leaves out the present run, whose question is in view anyway."""
    rows = spoken(agent)
    if before_seq is not None:
        rows = rows.filter(seq__lt=before_seq)
    return page_of(recall_ranking.search(agent, rows, query), page, size)


def find_between(agent: Agent, start: date, end: date, *, page: int = 1, size: int = PAGE_SIZE) -> Page[Message]:
    """What was said from `start` to `end`, both days included, oldest first."""
    zone = timezone.get_current_timezone()
    rows = spoken(agent).filter(created_at__gte=day_start(start, zone), created_at__lt=day_end(end, zone))
    rows = rows.without_search_columns().order_by("seq")
    page = max(1, page)
    shown = [Hit(message, 0.0) for message in rows[(page - 1) * size : page * size]]
    return Page(shown, page, size, rows.count())


def index_words(message: Message) -> None:
    """Make an unsaved message findable by its words at once."""
    if message.kind in SEARCHED_KINDS and message.content:
        message.words = _dated(message, message.content)


def _dated(message: Message, text: str) -> SearchVector:
    """With the day it was said, so that a query that names a day finds it."""
    return words.vector(f"{timezone.localtime(message.created_at):%d %B %Y}\n{text}")


def not_embedded(agent: Agent) -> "SearchedQuerySet[Message]":
    """Messages without vectors of the configured model, heavy columns deferred."""
    rows = spoken(agent).exclude(embedding_model=get_embedder().name, context_embedding__isnull=False)
    return rows.without_search_columns()


def embed_missing(agent: Agent) -> Iterator[int]:
    """Embed those, batch by batch, oldest first; tells how many each time.

    Each alone, and with what was said just before it, which tells what it is about ("Yes, two of them."). Holds no row
    while it embeds; a message that was corrected meanwhile is embedded once more. None if another worker is at it.
    """
    last = 0
    with try_lock(f"embed {agent.pk}") as acquired:
        while acquired and (batch := list(not_embedded(agent).filter(seq__gt=last).order_by("seq")[:EMBED_BATCH])):
            done = _embed(agent, batch)
            last = (batch[-1].seq or 0) if done == len(batch) else 0
            yield done


def _embed(agent: Agent, batch: list[Message]) -> int:
    """How many of them still say what was embedded."""
    done = 0
    embedder = get_embedder()
    speakers = speakers_of(agent)
    own = embedder.embed_passages([speakers.line(message) for message in batch])
    for message, vector in zip(batch, own, strict=True):
        earlier = _before(agent, message)
        lines = [speakers.line(m) for m in (*reversed(earlier), message)]
        context = embedder.embed_passages(["\n".join(lines[-2:])])[0] if earlier else vector
        done += Message.objects.filter(pk=message.pk, content=message.content).update(
            embedding=vector,
            context_embedding=context,
            embedding_model=embedder.name,
            words=_dated(message, lines[-1]),
            context_words=words.vector("\n".join(lines)),
            session=(earlier[0].session or earlier[0].seq) if earlier else message.seq,
        )
    return done


def _before(agent: Agent, message: Message) -> list[Message]:
    """What was said before it in the same talk, newest first. One query."""
    rows = spoken(agent).filter(seq__lt=message.seq).without_search_columns().order_by("-seq")[:CONTEXT]
    earlier: list[Message] = []
    at = message.created_at
    for row in rows:
        if at - row.created_at > SESSION_GAP:
            break
        earlier.append(row)
        at = row.created_at
    return earlier
