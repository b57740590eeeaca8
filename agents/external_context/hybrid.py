"""Hybrid search, the same for recall and archival storage: by meaning (vectors) and by words (BM25).

Each column that is searched brings its best 100 rows, and all that were brought are scored by every column; a storage
then makes its order of the scores. Two statements: what is asked and of how much, then the search. Only a large store
has an index of its vectors, which is approximate; a small one is searched exactly.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, Generic, TypeVar

from django.contrib.postgres.search import SearchQueryField
from django.db import connection, models, transaction
from django.db.models import BooleanField, F, QuerySet, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast
from pgvector import HalfVector
from pgvector.django import CosineDistance, HalfVectorField

from agents.exceptions import LLMError
from agents.external_context import bm25, words
from agents.external_context.bm25 import Asked
from agents.external_context.vector_index import Kind
from agents.llm.embeddings import Vector, get_embedder

Row = TypeVar("Row", bound=models.Model)

logger = logging.getLogger(__name__)

ARM = 100  # rows
REACHED = 1500  # rows that are read from an index, which gives them in about the right order, for the nearest of them
PAGE_SIZE = 5
MOST_COUNTED = 100_000  # rows
# Where a search also filters (by day, say), the index is read on until enough is found, or so many rows were seen. In
# any order: a strict one leaves out what is found late, and the rows are put in order anyway.
SETTINGS = {
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": "1000",
    "hnsw.max_scan_tuples": "40000",
    "hnsw.scan_mem_multiplier": "8",  # of work_mem: with less it would stop earlier
}

PLAN = f"""
    WITH large AS (
        SELECT relname, reltuples FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
        WHERE relname = ANY(%s) AND indisvalid AND relnamespace = current_schema()::regnamespace
    )
    SELECT {", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())},
        (SELECT coalesce(json_object_agg(relname, reltuples), '{{{{}}}}') FROM large),
        (SELECT count(*) FROM (
            SELECT FROM {{table}} WHERE {{store}} = ANY(ARRAY(
                SELECT store FROM unnest(%s::{{type}}[], %s::text[]) AS asked (store, name)
                WHERE name NOT IN (SELECT relname FROM large)
            )) LIMIT {MOST_COUNTED}
        ) AS small),
        (SELECT reltuples FROM pg_class WHERE oid = %s::regclass),
        ({bm25.FREQUENCIES})
"""
SEARCH = """
    WITH {parts}
    SELECT {columns} FROM ({pool}) AS pool JOIN {table} AS row USING (id)
"""


@dataclass(frozen=True)
class Arms:
    """The columns that a kind of store is searched by."""

    kind: Kind
    words: tuple[str, ...]
    vectors: tuple[str, ...]


@dataclass(frozen=True)
class Candidate(Generic[Row]):
    """A row that some arm brought. `scores` by column: cosine similarity (none without a vector) and BM25."""

    row: Row
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Hit(Generic[Row]):
    """A row with its score (weighted z-scores: 0 is about the average of what was found)."""

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


def candidates(rows: "QuerySet[Row]", stores: Sequence[Any], arms: Arms, text: str) -> list[Candidate[Row]]:
    """The best of `rows` for `text` by each column of `arms`, in no order. Two queries; columns of arms are deferred.

    `stores` names those that `rows` are of. If the embeddings endpoint fails, or a row has no vector of the configured
    model yet, words alone count.
    """
    try:
        vector: Vector | None = get_embedder().embed_query(text)
    except LLMError as error:
        logger.warning("Searching by words alone: %s", error)
        vector = None
    with transaction.atomic():
        return _Search(rows, arms, _plan(stores, arms, text), vector).run()


@dataclass(frozen=True)
class _Plan:
    """Stores without and with an index of their own; the number of their rows."""

    small: list[Any]
    large: list[Any]
    rows: float
    asked: Mapping[str, Asked]  # by column


def _plan(stores: Sequence[Any], arms: Arms, text: str) -> _Plan:
    table = arms.kind.model._meta.db_table
    names = [arms.kind.index_of(store) for store in stores]
    asked = (words.CONFIG, words.spaced(text), table, list(arms.words))
    with connection.cursor() as cursor:
        sql = PLAN.format(table=f'"{table}"', store=arms.kind.key, type=arms.kind.key_type)
        cursor.execute(sql, [names, list(stores), names, table, *asked])
        *_, indexed, counted, in_table, known = cursor.fetchone()
    small = [store for store, name in zip(stores, names, strict=True) if name not in indexed]
    large = [store for store, name in zip(stores, names, strict=True) if name in indexed]
    rows = counted + sum(indexed.values())
    # words are looked up among the rows of all, unless there are few of one's own
    searched = max(in_table, rows) if large else rows
    likely: dict[str, dict[str, float]] = {column: {} for column in arms.words}
    for lexeme, of_column, frequency in known:
        for column, found in likely.items():
            found.setdefault(lexeme, 0.0)
            if column == of_column:
                found[lexeme] = float(frequency)  # 1 comes as a whole number
    return _Plan(small, large, rows, {column: Asked(found, rows, searched) for column, found in likely.items()})


class _Search(Generic[Row]):
    """The statement, put together: parts are common table expressions, columns what is selected of the rows found."""

    def __init__(self, rows: "QuerySet[Row]", arms: Arms, plan: _Plan, vector: Vector | None) -> None:
        self._rows = rows.order_by().select_related(None)
        self._arms, self._plan, self._vector = arms, plan, vector
        self._model = get_embedder().name
        self._table = f'"{rows.model._meta.db_table}"'
        self._parts: list[str] = []
        self._part_parameters: list[Any] = []
        self._columns: list[str] = []
        self._column_parameters: list[Any] = []
        self._pool: list[str] = []

    def run(self) -> list[Candidate[Row]]:
        model = self._rows.model
        searched = (*self._arms.vectors, *self._arms.words)
        for number, column in enumerate(self._arms.words):
            self._said(number, column)
        for column in self._arms.vectors if self._vector else ():
            self._near(column, self._vector or [])
        if not self._pool:
            return []
        heavy = {*searched, *self._arms.kind.columns}
        shown = [f'row."{field.column}"' for field in model._meta.concrete_fields if field.name not in heavy]
        sql = SEARCH.format(
            parts=", ".join(self._parts),
            columns=", ".join([*shown, *self._columns]),
            pool=" UNION ".join(f"SELECT id FROM {name}" for name in self._pool),
            table=self._table,
        )
        found = []
        for row in model._default_manager.raw(sql, [*self._part_parameters, *self._column_parameters]):
            scores = {column: getattr(row, f"score_{column}", None) for column in searched}
            found.append(Candidate(row, {column: score for column, score in scores.items() if score is not None}))
        return found

    def _near(self, column: str, vector: Vector) -> None:
        """The nearest rows. An index is over the vectors of one store and model, cast to the model's dimension."""
        store = self._arms.kind.store
        embedded = self._rows.filter(embedding_model=self._model, **{f"{column}__isnull": False})
        indexed = embedded.annotate(apart=CosineDistance(Cast(column, HalfVectorField(dimensions=len(vector))), vector))
        exact = embedded.annotate(apart=CosineDistance(column, vector))
        near = [indexed.filter(**{store: one}).order_by("apart")[:REACHED] for one in self._plan.large]
        if self._plan.small:
            near.append(exact.filter(**{f"{store}__in": self._plan.small}).order_by("apart")[:ARM])
        for rows in near:
            name = f"near_{len(self._pool)}"
            self._part(f"reached_{name}", rows.values("id", "apart"))
            # + 0: the planner believes that they come in order
            self._parts.append(f"{name} AS (SELECT id FROM reached_{name} ORDER BY apart + 0 LIMIT {ARM})")
            self._pool.append(name)
        distance = f'CASE WHEN row.embedding_model = %s THEN 1 - (row."{column}" <=> %s::halfvec) END'
        self._columns.append(f"{distance} AS score_{column}")
        self._column_parameters += [self._model, HalfVector(vector).to_text()]

    def _said(self, number: int, column: str) -> None:
        """The best rows by their words."""
        asked = self._plan.asked[column]
        if not asked.lexemes:
            return
        found = []
        for lookup, most in asked.lookups(large=bool(self._plan.large)):
            wanted = Cast(Value(lookup), SearchQueryField())
            matches = CombinedExpression(F(column), "@@", wanted, output_field=BooleanField())
            found.append(self._rows.filter(matches).values("id")[:most])
        self._part(f"found_{number}", *found)
        self._parts.append(bm25.SAID.format(n=number, column=f'"{column}"', table=self._table))
        self._parts.append(bm25.BEST.format(n=number, most=ARM))
        self._part_parameters += asked.parameters
        self._pool.append(f"best_{number}")
        self._columns.append(bm25.SCORE.format(n=number, column=f'"{column}"') + f" AS score_{column}")

    def _part(self, name: str, *selected: "QuerySet[Any, Any]") -> None:
        statements = []
        for rows in selected:
            sql, parameters = rows.query.sql_with_params()
            statements.append(f"({sql})")
            self._part_parameters += parameters
        self._parts.append(f"{name} AS MATERIALIZED ({' UNION '.join(statements)})")


def standardised(values: Iterable[float | None]) -> list[float]:
    """z-scores of what is known; 0, the average, for the rest."""
    values = list(values)
    known = [value for value in values if value is not None]
    if not known:
        return [0.0] * len(values)
    mean, spread = fmean(known), pstdev(known)
    return [(value - mean) / spread if spread and value is not None else 0.0 for value in values]


def weighted(found: "list[Candidate[Row]]", weights: Mapping[str, float]) -> list[float]:
    """Of each, the sum of its z-scores among them all."""
    columns = [
        [weight * z for z in standardised(candidate.scores.get(column) for candidate in found)]
        for column, weight in weights.items()
    ]
    return [sum(scores) for scores in zip(*columns, strict=True)]
