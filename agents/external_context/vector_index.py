"""HNSW indexes over the embedding columns: one per table and embedding model.

The columns have no fixed dimension, so that another model needs no migration: the index is over a cast, of that
model's rows alone.
"""

import hashlib

from django.db import connection

from agents.llm.embeddings import get_embedder
from agents.models import Message, Passage

TABLES = (Message._meta.db_table, Passage._meta.db_table)
MAX_DIMENSION = 4000  # of a half-precision HNSW index


def ensure() -> None:
    """Make the indexes for the configured model, if absent; drop those of models no longer configured."""
    embedder = get_embedder()
    slug = hashlib.sha256(f"{embedder.name} {embedder.dimension}".encode()).hexdigest()[:8]
    with connection.cursor() as cursor:
        for table in TABLES:
            name = f"{table}_hnsw_{slug}"
            cursor.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
                " AND tablename = %s AND indexname LIKE %s",
                [table, f"{table}_hnsw_%"],
            )
            present = {row[0] for row in cursor.fetchall()}
            for old in present - {name}:
                cursor.execute(f'DROP INDEX "{old}"')
            if name not in present:
                cursor.execute(
                    f'CREATE INDEX "{name}" ON "{table}" USING hnsw '
                    f"((embedding::halfvec({int(embedder.dimension)})) halfvec_cosine_ops) WHERE embedding_model = %s",
                    [embedder.name],
                )
