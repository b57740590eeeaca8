"""Hybrid search, the same for recall and archival storage: by meaning (vectors) and by words (BM25).

Each searched column nominates its best 100 rows (a vector column 100 of each large store), and all nominated rows are
scored by every column; a storage then ranks these candidates by their scores. Two statements: a plan (how large the
stores are, how common each word is), and the search. Only a large store has an index of its vectors, which is
approximate, and its words are looked up in the index of everybody's; a small one is gone through row by row.

The search for "harbour lights" in the small archive 7, shortened:

    WITH match_0 AS (SELECT id FROM (SELECT id, words FROM passage WHERE archive_id = 7 OFFSET 0) AS row
                     WHERE words @@ '''harbour'' | ''light''' LIMIT 10000),       -- has the rarer words
         candidate_0 AS (...), term_0 AS (...), occurrence_0 AS (...), weight_0 AS (...), length_0 AS (...),
         best_0 AS (SELECT id FROM ... ORDER BY sum(weight) DESC LIMIT 100),       -- nominated by their words
         scan_1 AS (SELECT id, embedding <=> '[...]' AS distance FROM passage
                    WHERE archive_id = 7 ORDER BY distance LIMIT 100),
         nearest_1 AS (SELECT id FROM scan_1 ORDER BY distance + 0 LIMIT 100)      -- nominated by their vectors
    SELECT row.*, <bm25 of row> AS score_words, 1 - (row.embedding <=> '[...]') AS score_embedding
    FROM (SELECT id FROM best_0 UNION SELECT id FROM nearest_1) AS nominated JOIN passage AS row USING (id)
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, Generic, NamedTuple, TypeVar

from django.contrib.postgres.search import SearchQueryField
from django.db import connection, models, transaction
from django.db.models import BooleanField, F, QuerySet, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast
from pgvector import HalfVector
from pgvector.django import CosineDistance, HalfVectorField

from agents.exceptions import LLMError
from agents.external_context import bm25, words
from agents.external_context.bm25 import QueryTerms
from agents.external_context.vector_index import StoreKind
from agents.llm import embeddings
from agents.llm.embeddings import Embedder, Vector

Row = TypeVar("Row", bound=models.Model)
_Selection = tuple[str, tuple[Any, ...]]  # SQL and its parameters

logger = logging.getLogger(__name__)

CANDIDATE_LIMIT = 100  # rows that each column nominates
INDEX_SCAN_LIMIT = 1500  # rows read from a vector index, whose order is approximate, to take the nearest of them
PAGE_SIZE = 5
BELOW = 3  # hits after a page that it tells of
MOST_COUNTED = 100_000  # rows
TRIES = 3  # of a search during which the embedding model is exchanged
CHOICE_SQL = "(SELECT coalesce(max(id), 0) FROM agents_embeddingchoice WHERE state = 'used')"
# Where a search also filters (by day, say), an index scan goes on until it has enough rows, or has seen so many. In
# relaxed order: a strict one leaves out near rows that are visited late, and the rows are sorted anyway.
INDEX_SCAN_SETTINGS = {
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": "1000",
    "hnsw.max_scan_tuples": "40000",
    "hnsw.scan_mem_multiplier": "8",  # of work_mem: with less it would stop earlier
}


@dataclass(frozen=True)
class SearchColumns:
    """The columns by which stores of a kind are searched."""

    kind: StoreKind
    words: tuple[str, ...]
    vectors: tuple[str, ...]


@dataclass(frozen=True)
class Candidate(Generic[Row]):
    """A nominated row. `scores` by column: cosine similarity (none without a vector) and BM25."""

    row: Row
    scores: Mapping[str, float]


class Part(NamedTuple):
    """One part of a score. `figure` is what was measured (None where there was nothing to measure), `contribution` what
    it adds to the score."""

    name: str
    figure: float | None
    contribution: float


@dataclass(frozen=True)
class Hit(Generic[Row]):
    """A row that was found, with the score it is ranked by: the sum of its parts' contributions."""

    row: Row
    score: float
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a search, counted from 1. `total` is how many were found over all pages; `below` are the first that
    came after this page."""

    hits: list[Hit[Row]]
    number: int
    size: int
    total: int
    below: Sequence[Hit[Row]] = ()

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.number < self.pages


def page_of(hits: list[Hit[Row]], number: int, size: int) -> Page[Row]:
    """A page past the end is empty but tells the true total."""
    number = max(1, number)
    end = number * size
    return Page(hits[end - size : end], number, size, len(hits), hits[end : end + BELOW])


def candidates(
    rows: "QuerySet[Row]", stores: Sequence[Any], columns: SearchColumns, query: str
) -> list[Candidate[Row]]:
    """The best of `rows` for `query` by each of the columns, in no order. Two statements; search columns are deferred.

    `stores` are the keys of the stores that the rows are of. If the embeddings endpoint fails, or a row has no vector
    of the configured model yet, words alone count.
    """
    used = embeddings.current()
    for _try in range(TRIES):
        vector = _vector(used.embedder, query)
        with transaction.atomic():
            plan = _plan(stores, columns, query)
            found: list[Candidate[Row]] = []
            choice = plan.choice
            if choice == used.choice:
                found, choice = _Search(rows, columns, plan, used.embedder.name, vector).run()
        if choice == used.choice:
            break
        used = embeddings.current(instead_of=used.choice)  # all vectors are of another model since then
    return found


def _vector(embedder: Embedder, query: str) -> Vector | None:
    try:
        return embedder.embed_query(query)
    except LLMError as error:
        logger.warning("Searching by words alone: %s", error)
        return None


@dataclass(frozen=True)
class _Plan:
    """Keys of the stores without and with a vector index of their own, and the query's terms by column. `choice` is
    that of the embedding model in use."""

    small: list[Any]
    large: list[Any]
    terms: Mapping[str, QueryTerms]
    choice: int


def _plan(stores: Sequence[Any], columns: SearchColumns, query: str) -> _Plan:
    """One statement, which also sets INDEX_SCAN_SETTINGS for the transaction."""
    kind = columns.kind
    table = kind.model._meta.db_table
    index_names = [kind.index_name(store) for store in stores]
    with connection.cursor() as cursor:
        cursor.execute(
            _plan_sql(kind),
            [
                index_names,
                *(value for setting in INDEX_SCAN_SETTINGS.items() for value in setting),
                *(list(stores), index_names, table),
                *(words.CONFIG, words.asked(query), f" {words.asked_before(query)}", table, list(columns.words)),
            ],
        )
        *_settings, choice, rows_by_index, small_store_rows, table_rows, statistics = cursor.fetchone()
    small = [store for store, name in zip(stores, index_names, strict=True) if name not in rows_by_index]
    large = [store for store, name in zip(stores, index_names, strict=True) if name in rows_by_index]
    store_rows = small_store_rows + sum(rows_by_index.values())
    # a large store's words are looked up in the index of the whole table; few rows are filtered first
    lookup_rows = max(table_rows, store_rows) if large else store_rows
    frequencies: dict[str, dict[str, float]] = {column: {} for column in columns.words}
    for lexeme, of_column, frequency in statistics:
        for column, by_lexeme in frequencies.items():
            by_lexeme.setdefault(lexeme, 0.0)
            if column == of_column:
                by_lexeme[lexeme] = float(frequency)  # JSON gives 1.0 as the integer 1
    terms = {column: QueryTerms(found, store_rows, lookup_rows) for column, found in frequencies.items()}
    return _Plan(small, large, terms, choice)


def _plan_sql(kind: StoreKind) -> str:
    """Selects: the settings as set; the choice of the embedding model; estimated rows by the name of each vector index;
    the rows of stores without one, counted; estimated rows of the table; and `bm25.FREQUENCIES_SQL`."""
    older = f'EXISTS (SELECT FROM "{kind.model._meta.db_table}" WHERE words IS NOT NULL AND words_form < {words.FORM})'
    set_scan = ", ".join("set_config(%s, %s, true)" for _setting in INDEX_SCAN_SETTINGS)
    return f"""
        WITH large AS (
            SELECT relname, reltuples FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
            WHERE relname = ANY(%s) AND indisvalid AND relnamespace = current_schema()::regnamespace
        )
        SELECT {set_scan},
            {CHOICE_SQL},
            (SELECT coalesce(json_object_agg(relname, reltuples), '{{}}') FROM large),
            (SELECT count(*) FROM (
                SELECT FROM "{kind.model._meta.db_table}" WHERE {kind.key} = ANY(ARRAY(
                    SELECT store FROM unnest(%s::{kind.key_type}[], %s::text[]) AS named (store, index_name)
                    WHERE index_name NOT IN (SELECT relname FROM large)
                )) LIMIT {MOST_COUNTED}
            ) AS small),
            (SELECT reltuples FROM pg_class WHERE oid = %s::regclass),
            ({bm25.FREQUENCIES_SQL.format(older=older)})
    """


def _choice() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {CHOICE_SQL}")
        choice: int = cursor.fetchone()[0]
    return choice


class _Search(Generic[Row]):
    """The search statement, put together part by part; the module's docstring shows a whole one."""

    def __init__(
        self, rows: "QuerySet[Row]", columns: SearchColumns, plan: _Plan, model: str, vector: Vector | None
    ) -> None:
        self._rows = rows.order_by().select_related(None)
        self._columns, self._plan, self._vector = columns, plan, vector
        self._embedding_model = model
        self._table = f'"{rows.model._meta.db_table}"'
        self._ctes: list[str] = []
        self._cte_parameters: list[Any] = []
        self._scores: list[str] = []
        self._score_parameters: list[Any] = []
        self._nominations: list[str] = []  # names of the CTEs whose ids are candidates

    def run(self) -> tuple[list[Candidate[Row]], int]:
        """What it finds, and the choice of the embedding model at that very moment. One statement, and a small one
        where nothing is found."""
        model = self._rows.model
        for number, column in enumerate(self._columns.words):
            self._matching_rows(number, column)
        if self._vector:
            for column in self._columns.vectors:
                self._nearest_rows(column, self._vector)
        if not self._nominations:
            return [], self._plan.choice
        searched = (*self._columns.vectors, *self._columns.words)
        hidden = {*searched, *self._columns.kind.columns}
        shown = [f'row."{field.column}"' for field in model._meta.concrete_fields if field.name not in hidden]
        nominated = " UNION ".join(f"SELECT id FROM {name}" for name in self._nominations)
        sql = f"""
            WITH {", ".join(self._ctes)}
            SELECT {", ".join([*shown, *self._scores])}, {CHOICE_SQL} AS choice
            FROM ({nominated}) AS nominated JOIN {self._table} AS row USING (id)
        """
        results = []
        for row in model._default_manager.raw(sql, [*self._cte_parameters, *self._score_parameters]):
            scores = {column: getattr(row, f"score_{column}", None) for column in searched}
            results.append(Candidate(row, {column: score for column, score in scores.items() if score is not None}))
        return results, results[0].row.choice if results else _choice()  # type: ignore[attr-defined]

    def _nearest_rows(self, column: str, vector: Vector) -> None:
        """Nominate by a vector. An index is over the vectors of one store and model, cast to the model's dimension."""
        store = self._columns.kind.store
        embedded = self._rows.filter(embedding_model=self._embedding_model, **{f"{column}__isnull": False})
        cast = Cast(column, HalfVectorField(dimensions=len(vector)))
        by_index = embedded.annotate(distance=CosineDistance(cast, vector))
        exact = embedded.annotate(distance=CosineDistance(column, vector))
        scans = [by_index.filter(**{store: key}).order_by("distance")[:INDEX_SCAN_LIMIT] for key in self._plan.large]
        if self._plan.small:
            scans.append(exact.filter(**{f"{store}__in": self._plan.small}).order_by("distance")[:CANDIDATE_LIMIT])
        for rows in scans:
            number = len(self._nominations)
            self._add_cte(f"scan_{number}", rows.values("id", "distance").query.sql_with_params())
            # + 0 forces a sort: the planner takes the scan's order for exact
            self._ctes.append(
                f"nearest_{number} AS (SELECT id FROM scan_{number} ORDER BY distance + 0 LIMIT {CANDIDATE_LIMIT})"
            )
            self._nominations.append(f"nearest_{number}")
        similarity = f'CASE WHEN row.embedding_model = %s THEN 1 - (row."{column}" <=> %s::halfvec) END'
        self._scores.append(f"{similarity} AS score_{column}")
        self._score_parameters += [self._embedding_model, HalfVector(vector).to_text()]

    def _matching_rows(self, number: int, column: str) -> None:
        """Nominate by words."""
        terms = self._plan.terms[column]
        if not terms.lexemes:
            return
        matches = []
        if self._plan.large:
            matches += [self._looked_up(column, *lookup) for lookup in terms.lookups(large=True)]
        if self._plan.small:
            matches += [self._gone_through(column, *lookup) for lookup in terms.lookups(large=False)]
        self._add_cte(f"match_{number}", *matches)
        quoted = f'"{column}"'
        self._ctes += bm25.ranking_ctes(number, column=quoted, table=self._table, limit=CANDIDATE_LIMIT)
        self._cte_parameters += terms.parameters
        self._nominations.append(f"best_{number}")
        self._scores.append(f"{bm25.score(number, column=quoted)} AS score_{column}")

    def _looked_up(self, column: str, tsquery: str, limit: int) -> _Selection:
        """Rows of the large stores, by the index of everybody's words."""
        cast = Cast(Value(tsquery), SearchQueryField())
        match = CombinedExpression(F(column), "@@", cast, output_field=BooleanField())
        rows = self._rows.filter(match, **{f"{self._columns.kind.store}__in": self._plan.large})
        return rows.values("id")[:limit].query.sql_with_params()

    def _gone_through(self, column: str, tsquery: str, limit: int) -> _Selection:
        """Rows of the small stores, row by row: with many people the index has more of others' rows to pass over than
        such a store has rows. OFFSET 0 keeps the planner from using it."""
        rows = self._rows.filter(**{f"{self._columns.kind.store}__in": self._plan.small}).values("id", column)
        sql, parameters = rows.query.sql_with_params()
        sql = f'SELECT id FROM ({sql} OFFSET 0) AS row WHERE row."{column}" @@ %s::tsquery LIMIT {limit}'
        return sql, (*parameters, tsquery)

    def _add_cte(self, name: str, *selections: _Selection) -> None:
        """The union of what they select."""
        statements = []
        for sql, parameters in selections:
            statements.append(f"({sql})")
            self._cte_parameters += parameters
        self._ctes.append(f"{name} AS MATERIALIZED ({' UNION '.join(statements)})")


def standardised(values: Iterable[float | None]) -> list[float]:
    """z-scores of the values there are; 0, the average, for None."""
    values = list(values)
    present = [value for value in values if value is not None]
    if not present:
        return [0.0] * len(values)
    mean, spread = fmean(present), pstdev(present)
    return [(value - mean) / spread if spread and value is not None else 0.0 for value in values]


def weighted(nominated: "list[Candidate[Row]]", weights: Mapping[str, float]) -> list[tuple[Part, ...]]:
    """For each candidate a part for each column: its weighted z-score among them all."""
    columns = []
    for column, weight in weights.items():
        figures = [candidate.scores.get(column) for candidate in nominated]
        columns.append(
            [Part(column, figure, weight * z) for figure, z in zip(figures, standardised(figures), strict=True)]
        )
    return list(zip(*columns, strict=True))


def total(parts: Iterable[Part]) -> float:
    """The score that they make."""
    return sum(part.contribution for part in parts)
