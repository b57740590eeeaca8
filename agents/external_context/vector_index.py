"""HNSW indexes: a large store has one of its own per embedding column, a small one is searched row by row.

One index over everybody's rows would have to skip those of others, and the more it skips the less it finds. A store is
what is searched as one: the messages of an agent, the passages of an archive. The columns have no fixed dimension, so
that another embedding model needs no migration: an index is over a cast, of that model's rows alone.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, models
from django.db.backends.utils import CursorWrapper
from django.db.models import Count

from agents.llm.embeddings import get_embedder
from agents.models import Message, Passage
from agents.single import alone

logger = logging.getLogger(__name__)

LARGE = 5_000  # rows; up to that many a search row by row takes about as long as one by index
BUILD_MEMORY = "2GB"  # at most: enough for a million rows; beyond it the build is slower, not wrong
BEGINNING = "vectors_"  # of an index's name


@dataclass(frozen=True)
class Kind:
    """Of store: the rows of `model` that point to the same row by `store`, and their columns of vectors."""

    model: type[models.Model]
    store: str
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The column that `store` is."""
        return f"{self.store}_id"

    @property
    def key_type(self) -> str:
        return self.model._meta.get_field(self.store).db_type(connection) or ""

    def index_of(self, store: Any) -> str:
        """Its name, whether there is one or not: a store has all of its indexes or none."""
        return _Index(self, self.columns[0], store).name


RECALL = Kind(Message, "agent", ("context_embedding", "embedding"))
ARCHIVAL = Kind(Passage, "archive", ("embedding",))


@dataclass(frozen=True)
class _Index:
    kind: Kind
    column: str
    store: Any

    @property
    def name(self) -> str:
        """The same for the same rows and model, and none else."""
        embedder = get_embedder()
        told = f"{self.kind.model._meta.db_table} {self.column} {self.store} {embedder.name} {embedder.dimension}"
        return BEGINNING + hashlib.sha256(told.encode()).hexdigest()[:16]

    def build(self) -> None:
        """Writers go on meanwhile. Half precision: it costs no recall, and half the room."""
        embedder = get_embedder()
        with connection.cursor() as cursor, _memory(cursor):
            cursor.execute(
                f'CREATE INDEX CONCURRENTLY "{self.name}" ON "{self.kind.model._meta.db_table}" '
                f"USING hnsw (({self.column}::halfvec({int(embedder.dimension)})) halfvec_cosine_ops) "
                f"WHERE {self.kind.key} = %s AND embedding_model = %s",
                [self.store, embedder.name],
            )


def ensure() -> None:
    """Give each large store its indexes, and drop those that serve none: of a store that is gone or has become small,
    of a model no longer configured, or left half built. Not inside a transaction; minutes for a million rows."""
    with alone("vector indexes") as first:
        if first:
            wanted = {index.name: index for index in _wanted()}
            present = _present()
            for name in present.keys() - wanted.keys() | {name for name, valid in present.items() if not valid}:
                _drop(name)
                present.pop(name)
            for name in reversed(wanted):  # the first of a store last: it tells that all are there
                if name not in present:
                    logger.info("Building the index of %s for %s", wanted[name].column, wanted[name].store)
                    try:
                        wanted[name].build()
                    except DatabaseError:  # the disk is full, say: the other stores can do without
                        logger.exception("The index was not built; memweb tries again later")


def _wanted() -> Iterator[_Index]:
    for kind in (RECALL, ARCHIVAL):
        rows = kind.model._default_manager.order_by()
        large = rows.values(kind.store).annotate(rows=Count("pk")).filter(rows__gt=LARGE)
        for store in large.values_list(kind.store, flat=True):
            yield from (_Index(kind, column, store) for column in kind.columns)


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
            [BEGINNING.replace("_", r"\_") + "%"],
        )
        return dict(cursor.fetchall())


def _drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
