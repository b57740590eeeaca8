"""Hybrid search, the same for recall and archival storage: vectors and words, standardised scores summed.

Each arm brings its best 100 rows; scores are z-scores within their union, 0.7 for vectors and 0.3 for words.
"""

import logging
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, Generic, TypeVar

from django.contrib.postgres.search import SearchRank
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Cast
from pgvector.django import CosineDistance, HalfVectorField

from agents.exceptions import LLMError
from agents.external_context import words
from agents.llm.embeddings import get_embedder

Row = TypeVar("Row", bound=models.Model)

logger = logging.getLogger(__name__)

ARM = 100  # rows
VECTOR_WEIGHT, WORDS_WEIGHT = 0.7, 0.3
PAGE_SIZE = 5
RANK_NORMALIZATION = 1  # divide by 1 + the logarithm of the length


@dataclass(frozen=True)
class Hit(Generic[Row]):
    """A row with its score (a weighted z-score: 0 is the average of what was found)."""

    row: Row
    score: float


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a search, counted from 1. `total` is how many were found over all pages."""

    hits: list[Hit[Row]]
    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def has_next(self) -> bool:
        return self.number < self.pages


def page_of(hits: list[Hit[Row]], number: int, size: int) -> Page[Row]:
    """A page past the end is empty but tells the true total."""
    number = max(1, number)
    return Page(hits[(number - 1) * size : number * size], number, size, len(hits))


def search(rows: "models.QuerySet[Row]", text: str) -> list[Hit[Row]]:
    """The best rows of `rows` for `text`, best first. Three queries. Rows need `embedding` and `words` columns.

    If the embeddings endpoint fails, what has the words is found all the same.
    """
    scores = _fuse(_near(rows, text), _said(rows, text))
    found = rows.defer("embedding", "words").in_bulk(list(scores))
    hits = [Hit(found[pk], score) for pk, score in scores.items() if pk in found]
    return sorted(hits, key=lambda hit: (-hit.score, -hit.row.pk))


def _near(rows: "models.QuerySet[Row]", text: str) -> dict[Any, float]:
    """Cosine similarity of the nearest rows."""
    embedder = get_embedder()
    try:
        vector = embedder.embed_query(text)
    except LLMError as error:
        logger.warning("Searching by words alone: %s", error)
        return {}
    embedded = rows.filter(embedding_model=embedder.name)
    distance = CosineDistance(Cast("embedding", HalfVectorField(dimensions=embedder.dimension)), vector)
    with transaction.atomic():
        with connection.cursor() as cursor:
            # without it a filtered HNSW scan may find nothing at all
            cursor.execute("SET LOCAL hnsw.iterative_scan = 'strict_order'")
        found = _ids(embedded.annotate(score=distance).order_by("score"), "score")
    return {pk: 1.0 - value for pk, value in found}


def _said(rows: "models.QuerySet[Row]", text: str) -> dict[Any, float]:
    """Full-text rank of the rows with any of the words."""
    wanted = words.query(text)
    if wanted is None:
        return {}
    # F: a name alone would have the column turned into text and parsed anew
    rank = SearchRank(F("words"), wanted, normalization=RANK_NORMALIZATION)
    return dict(_ids(rows.filter(words=wanted).annotate(score=rank).order_by("-score", "-pk"), "score"))


def _ids(rows: "models.QuerySet[Any]", score: str) -> list[tuple[Any, float]]:
    return list(rows.values_list("pk", score)[:ARM])


def _fuse(near: dict[Any, float], said: dict[Any, float]) -> dict[Any, float]:
    """Weighted sum of z-scores over the union. A row without a vector yet counts as average there."""
    union = near.keys() | said.keys()
    vector_z = standardised(near, {})
    words_z = standardised(said, dict.fromkeys(union, 0.0))
    return {pk: VECTOR_WEIGHT * vector_z.get(pk, 0.0) + WORDS_WEIGHT * words_z.get(pk, 0.0) for pk in union}


def standardised(scores: dict[Any, float], rest: dict[Any, float]) -> dict[Any, float]:
    """z-scores of `scores`, and of `rest` where they say nothing."""
    known = {**rest, **scores}
    if not known:
        return {}
    mean, spread = fmean(known.values()), pstdev(known.values())
    return {pk: (value - mean) / spread if spread else 0.0 for pk, value in known.items()}
