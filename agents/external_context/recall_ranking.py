"""How recall storage ranks: what was said, what it answered, when, by whom, and what else was said in that talk.

Four arms bring their best 100 messages: the vector of a message with the one before it, the vector of the message,
BM25 of the message with its date, BM25 of it with the two before it. Each arm's scores are standardised (z) over
the union and summed; a talk that scores well as a whole, the speaker whom the query names, and a message that says much
lift a score. The weights were measured on LoCoMo with `benchmarks/locomo.py`.
"""

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Cast
from pgvector.django import CosineDistance, HalfVectorField

from agents.exceptions import LLMError
from agents.external_context import bm25
from agents.external_context.hybrid import ARM, Hit, logger, standardised
from agents.external_context.speakers import speakers_of
from agents.external_context.words import spaced
from agents.llm.embeddings import Vector, get_embedder
from agents.models import Agent, Message
from agents.models.message import DERIVED

CONTEXT_VECTOR, OWN_VECTOR = 0.42, 0.18
DATED_WORDS, CONTEXT_WORDS = 0.25, 0.15
TALK, TALK_BEST = 0.8, 3
SPEAKER, LENGTH, QUESTION = 1.5, 0.4, 0.5
WORD = re.compile(r"[\w']+")
OF_THE_PERSON, OF_THE_AGENT = {"i", "my", "me", "mine", "i'm", "i've"}, {"you", "your", "yours"}

Scores = dict[int, float]


@dataclass(frozen=True)
class Arms:
    context_vector: Scores
    own_vector: Scores
    dated_words: Scores
    context_words: Scores


def search(agent: Agent, rows: "QuerySet[Message]", text: str) -> list[Hit[Message]]:
    """The best messages of `rows` for `text`, best first. Five queries.

    If the embeddings endpoint fails, or a message has no vectors yet, words alone count.
    """
    arms = _arms(agent, rows, text)
    union = set().union(*vars(arms).values())
    found = rows.defer(*DERIVED).in_bulk(list(union))
    scores = _ranked(arms, found, _speaker(agent, text))
    hits = [Hit(found[pk], score) for pk, score in scores.items()]
    return sorted(hits, key=lambda hit: (-hit.score, -(hit.row.seq or 0)))


def _arms(agent: Agent, rows: "QuerySet[Message]", text: str) -> Arms:
    total = agent.next_seq
    dated = bm25.scores(rows, "words", text, total=total, most=ARM)
    context = bm25.scores(rows, "context_words", text, total=total, most=ARM)
    embedder = get_embedder()
    try:
        vector = embedder.embed_query(text)
    except LLMError as error:
        logger.warning("Searching by words alone: %s", error)
        return Arms({}, {}, dated, context)
    embedded = rows.filter(embedding_model=embedder.name)
    near = _near(embedded, "context_embedding", vector, most=ARM)
    own = _near(embedded, "embedding", vector, most=ARM)
    union = {*dated, *context, *near, *own}
    rest = embedded.filter(pk__in=union)
    return Arms(
        _near(rest, "context_embedding", vector, most=None), _near(rest, "embedding", vector, most=None), dated, context
    )


def _near(rows: "QuerySet[Message]", column: str, vector: Vector, *, most: int | None) -> Scores:
    """Cosine similarity, of the nearest `most` or of all."""
    distance = CosineDistance(Cast(column, HalfVectorField(dimensions=len(vector))), vector)
    found: QuerySet[Any] = rows.filter(**{f"{column}__isnull": False}).annotate(distance=distance)
    with transaction.atomic():
        if most is not None:
            with connection.cursor() as cursor:  # without it a filtered HNSW scan may find nothing at all
                cursor.execute("SET LOCAL hnsw.iterative_scan = 'strict_order'")
            found = found.order_by("distance")[:most]
        return {pk: 1.0 - distance for pk, distance in found.values_list("pk", "distance")}


def _ranked(arms: Arms, found: dict[int, Message], speaker: str | None) -> Scores:
    pks = list(found)
    weighted = (
        (CONTEXT_VECTOR, standardised({pk: arms.context_vector[pk] for pk in pks if pk in arms.context_vector}, {})),
        (OWN_VECTOR, standardised({pk: arms.own_vector[pk] for pk in pks if pk in arms.own_vector}, {})),
        (DATED_WORDS, standardised({pk: arms.dated_words.get(pk, 0.0) for pk in pks}, {})),
        (CONTEXT_WORDS, standardised({pk: arms.context_words.get(pk, 0.0) for pk in pks}, {})),
    )
    scores = {pk: sum(weight * z.get(pk, 0.0) for weight, z in weighted) for pk in pks}
    talks: dict[int, list[float]] = defaultdict(list)
    for pk in pks:
        talks[found[pk].session or -pk].append(scores[pk])
    best = {talk: fmean(sorted(values, reverse=True)[:TALK_BEST]) for talk, values in talks.items()}
    length = standardised({pk: math.log(1 + len(spaced(found[pk].content).split())) for pk in pks}, {})
    return {
        pk: scores[pk]
        + TALK * best[found[pk].session or -pk]
        + SPEAKER * (found[pk].kind == speaker)
        + LENGTH * length[pk]
        - QUESTION * found[pk].content.rstrip().endswith(("?", "？"))
        for pk in pks
    }


def _speaker(agent: Agent, text: str) -> str | None:
    """Whose messages the query is about, if it names one of the two alone."""
    asked = {word.lower().removesuffix("'s") for word in WORD.findall(text)}
    speakers = speakers_of(agent)
    person = bool(asked & (OF_THE_PERSON | {name.lower() for name in speakers.person_names}))
    itself = bool(asked & (OF_THE_AGENT | {word.lower() for word in WORD.findall(speakers.agent_name)}))
    if person == itself:
        return None
    return Message.Kind.USER_MESSAGE if person else Message.Kind.ASSISTANT
