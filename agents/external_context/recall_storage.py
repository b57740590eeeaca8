"""Recall storage: every message ever, to be searched (paper section 2.1)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.utils import timezone
from pgvector import HalfVector

from agents.external_context import recall_ranking, words
from agents.external_context.hybrid import PAGE_SIZE, Hit, Page, page_of
from agents.external_context.matched_words import Beside
from agents.external_context.speakers import speakers_of
from agents.llm import embeddings
from agents.llm.embeddings import Embedder, Vector
from agents.locks import try_lock
from agents.models import Agent, Message
from agents.models.searched import SearchedQuerySet
from agents.person import own_time, person_of, works_for
from agents.text.days import day_end, day_start

SEARCHED_KINDS = (Message.Kind.USER_MESSAGE, Message.Kind.ASSISTANT)
EMBED_BATCH = 32
CONTEXT = 2  # messages before one that are read with it
NEAR = 8 * EMBED_BATCH  # seqs that a batch may span to be read in one go
# Written out, since every message of every turn comes here. A message that was corrected meanwhile is left.
EMBED_SQL = """
    UPDATE agents_message SET embedding = %s::halfvec, context_embedding = %s::halfvec, embedding_model = %s,
        words = to_tsvector(%s::regconfig, %s), context_words = to_tsvector(%s::regconfig, %s), words_form = %s,
        session = %s
    WHERE id = %s AND content = %s
"""
# The words alone; those of the context where it was embedded before.
REINDEX_SQL = """
    UPDATE agents_message SET words = to_tsvector(%s::regconfig, %s), words_form = %s,
        context_words = CASE WHEN context_words IS NOT NULL THEN to_tsvector(%s::regconfig, %s) END
    WHERE id = %s AND content = %s
"""
SESSION_GAP = timedelta(hours=3)  # of silence between two talks
FARTHEST = timedelta(days=1)  # of a clock from UTC


def spoken(agent: Agent) -> "SearchedQuerySet[Message]":
    """What was said, by either side: what search is about."""
    return _spoken(agent.messages.all())


def _spoken(messages: "SearchedQuerySet[Message]") -> "SearchedQuerySet[Message]":
    return messages.filter(kind__in=SEARCHED_KINDS, seq__isnull=False, retracted_at=None).exclude(content="")


def find(
    agent: Agent, query: str, *, page: int = 1, size: int = PAGE_SIZE, before_seq: int | None = None
) -> Page[Message]:
    """Messages about `query`, best first; `before_seq` leaves out the present run, whose question is in view anyway."""
    rows = spoken(agent)
    if before_seq is not None:
        rows = rows.filter(seq__lt=before_seq)
    return page_of(recall_ranking.search(agent, rows, query), page, size)


def find_between(agent: Agent, start: date, end: date, *, page: int = 1, size: int = PAGE_SIZE) -> Page[Message]:
    """What was said from `start` to `end`, both days included, oldest first: days as the messages' stamps have them."""
    near = Q(created_at__gte=day_start(start, UTC) - FARTHEST, created_at__lt=day_end(end, UTC) + FARTHEST)
    by_own_clock = ExpressionWrapper(F("created_at") + F("utc_offset"), DateTimeField())
    then = Q(GreaterThanOrEqual(by_own_clock, day_start(start, UTC)), LessThan(by_own_clock, day_end(end, UTC)))
    zone = timezone.get_current_timezone()
    now = Q(utc_offset=None, created_at__gte=day_start(start, zone), created_at__lt=day_end(end, zone))
    rows = spoken(agent).filter(near, then | now)
    rows = rows.without_search_columns().order_by("seq")
    page = max(1, page)
    shown = [Hit(message, 0.0) for message in rows[(page - 1) * size : page * size]]
    return Page(shown, page, size, rows.count())


def index_words(message: Message) -> None:
    """Make an unsaved message findable by its words at once."""
    if message.kind in SEARCHED_KINDS and message.content:
        message.words, message.words_form = words.vector(_with_day(message, message.content)), words.FORM


def _with_day(message: Message, text: str) -> str:
    """With the day it was said, so that a query that names a day finds it."""
    return f"{_day(message)}\n{text}"


def _day(message: Message) -> str:
    return f"{own_time(message):%d %B %Y}"


def beside(agent: Agent, messages: Iterable[Message]) -> dict[int, Beside]:
    """What the words of each message hold beside its text. Two queries."""
    speakers = speakers_of(agent)
    return {message.pk: Beside(_day(message), speakers.name_of(message)) for message in messages}


def not_embedded(agent: Agent) -> "SearchedQuerySet[Message]":
    """Messages without vectors, heavy columns deferred. An index holds them alone."""
    return spoken(agent).filter(context_embedding=None).without_search_columns()


def agents_not_embedded() -> "QuerySet[Message, UUID]":
    """Agents with such messages."""
    return everybodys_not_embedded().order_by().values_list("agent", flat=True).distinct()


def everybodys_not_embedded() -> "QuerySet[Message]":
    """Such messages of all agents."""
    return _spoken(Message.objects.all()).filter(context_embedding=None)


def forget_other_vectors() -> None:
    """Take away the vectors of other embedding models than the configured one; `embed_missing` makes new ones."""
    rows = Message.objects.exclude(embedding_model__in=["", embeddings.latest().name])
    rows.update(embedding=None, context_embedding=None, embedding_model="")


def embed_missing(agent: Agent) -> Iterator[int]:
    """Embed those, batch by batch, oldest first; tells how many each time.

    Each alone, and with what was said just before it, which tells what it is about ("Yes, two of them."). Holds no row
    while it embeds; a message that was corrected meanwhile is embedded once more. None if another worker is at it.
    """
    embedder = embeddings.latest()
    with try_lock(f"embed {agent.pk}") as acquired:
        while acquired and (batch := list(not_embedded(agent).order_by("seq")[:EMBED_BATCH])):
            with works_for(person_of(agent.owner_id)):
                done = _embed(agent, batch, embedder)
            yield done


def _embed(agent: Agent, batch: list[Message], embedder: Embedder) -> int:
    """How many of them still say what was embedded."""
    done = 0
    talks: dict[int, int | None] = {}  # of this batch: its rows were read before they had theirs
    with connection.cursor() as cursor:
        for message, vector, context, earlier, lines in vectors_of(agent, batch, embedder):
            before = earlier[0] if earlier else None
            talks[message.pk] = (talks.get(before.pk) or before.session or before.seq) if before else message.seq
            cursor.execute(
                EMBED_SQL,
                [
                    HalfVector(vector).to_text(),
                    HalfVector(context).to_text(),
                    embedder.name,
                    *(words.CONFIG, words.indexed(_with_day(message, lines[-1]))),
                    *(words.CONFIG, words.indexed("\n".join(lines)), words.FORM),
                    talks[message.pk],
                    *(message.pk, message.content),
                ],
            )
            done += cursor.rowcount
    return done


class Vectors(NamedTuple):
    """Of a message: its own, and the one with what was said just before. `earlier` are the messages before it in the
    same talk, newest first; `lines` all of them with who said what, oldest first."""

    message: Message
    own: Vector
    context: Vector
    earlier: list[Message]
    lines: list[str]


def vectors_of(agent: Agent, batch: list[Message], embedder: Embedder) -> Iterator[Vectors]:
    """Those of some of the agent's messages, in their order. Raises LLMError."""
    speakers = speakers_of(agent)
    own = embedder.embed_passages([speakers.line(message) for message in batch])
    near = _near(agent, batch)
    for message, vector in zip(batch, own, strict=True):
        earlier = _before(agent, message) if near is None else _same_talk(message, near)
        lines = [speakers.line(m) for m in (*reversed(earlier), message)]
        context = embedder.embed_passages(["\n".join(lines[-2:])])[0] if earlier else vector
        yield Vectors(message, vector, context, earlier, lines)


def index_older_words(most: int) -> int:
    """Index the words of up to `most` messages of one agent in an older form anew; tells how many. A message that is
    corrected meanwhile has its words from there."""
    older = Message.objects.filter(words.of_older_form()).without_search_columns().order_by("agent", "seq")
    first = older.select_related("agent").first()
    if first is None:
        return 0
    agent = first.agent
    batch = list(older.filter(agent=agent)[:most])
    with works_for(person_of(agent.owner_id)):
        _index_anew(agent, batch)
    return len(batch)


def _index_anew(agent: Agent, batch: list[Message]) -> None:
    speakers = speakers_of(agent)
    near = _near(agent, batch)
    rows = []
    for message in batch:
        earlier = _before(agent, message) if near is None else _same_talk(message, near)
        lines = [speakers.line(m) for m in (*reversed(earlier), message)]
        rows.append(
            (
                *(words.CONFIG, words.indexed(_with_day(message, lines[-1])), words.FORM),
                *(words.CONFIG, words.indexed("\n".join(lines)), message.pk, message.content),
            )
        )
    with connection.cursor() as cursor:
        cursor.executemany(REINDEX_SQL, rows)


def _near(agent: Agent, batch: list[Message]) -> list[Message] | None:
    """All that was said from just before the batch up to its end, newest first; None if that is much more than the
    batch. Two queries, or none."""
    first, last = batch[0].seq or 0, batch[-1].seq or 0
    if last - first > NEAR:
        return None
    rows = spoken(agent).without_search_columns().order_by("-seq")
    return [*rows.filter(seq__gte=first, seq__lte=last), *rows.filter(seq__lt=first)[:CONTEXT]]


def _before(agent: Agent, message: Message) -> list[Message]:
    """What was said before it in the same talk, newest first. One query."""
    return _same_talk(
        message, spoken(agent).filter(seq__lt=message.seq).without_search_columns().order_by("-seq")[:CONTEXT]
    )


def _same_talk(message: Message, rows: Iterable[Message]) -> list[Message]:
    """Of `rows`, newest first, those just before the message in the same talk."""
    before = [row for row in rows if (row.seq or 0) < (message.seq or 0)][:CONTEXT]
    earlier: list[Message] = []
    at = message.created_at
    for row in before:
        if at - row.created_at > SESSION_GAP:
            break
        earlier.append(row)
        at = row.created_at
    return earlier
