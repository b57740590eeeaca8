"""HNSW indexes: a large store may have one of its own per embedding column, another is searched row by row.

How many there are does not grow with the people, since each statement on a table looks at all of its indexes: the
largest stores have one, and every store that is too large to be gone through.

One index over everybody's rows would have to skip those of others, and the more it skips the less it finds. A store is
what is searched as one: the messages of an agent, the passages of an archive. The columns have no fixed dimension, so
that another embedding model needs no migration: an index is over a cast, of that model's rows alone.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, models
from django.db.backends.utils import CursorWrapper
from django.db.models import Count
from psycopg import sql

from agents.llm import embeddings
from agents.llm.embeddings import get_embedder
from agents.locks import try_lock
from agents.models import Message, Passage

logger = logging.getLogger(__name__)

LARGE = 5_000  # rows; up to that many a search row by row takes about as long as one by index
TOO_LARGE = 50_000  # rows; a search row by row takes a tenth of a second and more
MOST = 100  # stores of a kind that are only large; with all that are too large
STEADY = 2  # times as large must a store be to take another's place: an index is built in two looks at the whole table
BUILD_MEMORY = "2GB"  # at most: enough for a million rows; beyond it the build is slower, not wrong
NAME_PREFIX = "vectors_"


@dataclass(frozen=True)
class StoreKind:
    """A kind of store: the rows of `model` that point to the same row by `store`, and their columns of vectors."""

    model: type[models.Model]
    store: str
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The database column of `store`."""
        return f"{self.store}_id"

    @property
    def key_type(self) -> str:
        """The column's type in the database."""
        return self.model._meta.get_field(self.store).db_type(connection) or ""

    def index_name(self, store: Any) -> str:
        """Name of a store's first index, whether it exists or not: a store has all of its indexes or none."""
        return _Index(self, self.columns[0], store).name


RECALL = StoreKind(Message, "agent", ("context_embedding", "embedding"))
ARCHIVAL = StoreKind(Passage, "archive", ("embedding",))


@dataclass(frozen=True)
class _Index:
    """The index of one store's vectors in one column, of the configured embedding model."""

    kind: StoreKind
    column: str
    store: Any

    @property
    def name(self) -> str:
        """A hash of what the index is over: the same rows and model always give the same name."""
        embedder = get_embedder()
        over = f"{self.kind.model._meta.db_table} {self.column} {self.store} {embedder.name} {embedder.dimension}"
        return NAME_PREFIX + hashlib.sha256(over.encode()).hexdigest()[:16]

    def build(self) -> None:
        """Writers go on meanwhile. Half precision: it costs no recall, and half the room."""
        embedder = get_embedder()
        store, model = (
            sql.Literal(value).as_string() for value in (self.store, embedder.name)
        )  # DDL has no parameters
        with connection.cursor() as cursor, _memory(cursor):
            cursor.execute(
                f'CREATE INDEX CONCURRENTLY "{self.name}" ON "{self.kind.model._meta.db_table}" '
                f"USING hnsw (({self.column}::halfvec({int(embedder.dimension)})) halfvec_cosine_ops) "
                f"WHERE {self.kind.key} = {store} AND embedding_model = {model}"
            )


def ensure() -> None:
    """Give each large store its indexes, and drop those that serve none: of a store that is gone or has become small,
    of a model no longer configured, or left half built. Not inside a transaction; minutes for a million rows."""
    with try_lock("vector indexes") as acquired:
        if acquired:
            embeddings.latest()
            present = _present()
            needed = {index.name: index for index in _needed(present)}
            for name in present.keys() - needed.keys() | {name for name, valid in present.items() if not valid}:
                _drop(name)
                present.pop(name)
            for name in reversed(needed):  # the first of a store last: it tells that all are there
                if name not in present:
                    logger.info("Building the index of %s for %s", needed[name].column, needed[name].store)
                    try:
                        needed[name].build()
                    except DatabaseError:  # the disk is full, say: the other stores can do without
                        logger.exception("The index was not built; memweb tries again later")


def _needed(present: Collection[str]) -> Iterator[_Index]:
    """Those of the stores that are too large, and of the largest others; the largest first."""
    for kind in (RECALL, ARCHIVAL):
        for store in _stores(kind, present):
            yield from (_Index(kind, column, store) for column in kind.columns)


def _stores(kind: StoreKind, present: Collection[str]) -> list[Any]:
    rows = kind.model._default_manager.order_by()
    sizes = rows.values(kind.store).annotate(rows=Count("pk")).filter(rows__gt=LARGE)
    counted: dict[Any, int] = dict(sizes.values_list(kind.store, "rows"))

    def rank(store: Any) -> int:
        return counted[store] * (STEADY if kind.index_name(store) in present else 1)

    ranked = sorted(counted, key=rank, reverse=True)
    return [store for place, store in enumerate(ranked) if place < MOST or counted[store] > TOO_LARGE]


@contextmanager
def _memory(cursor: CursorWrapper) -> Iterator[None]:
    """The connection goes back to a pool afterwards."""
    cursor.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'")
    try:
        yield
    finally:
        cursor.execute("RESET maintenance_work_mem")


def _present() -> dict[str, bool]:
    """Names, and whether the index is whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relname LIKE %s AND relnamespace = current_schema()::regnamespace",
            [NAME_PREFIX.replace("_", r"\_") + "%"],
        )
        return dict(cursor.fetchall())


def _drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
