"""HNSW indexes over the embedding columns: one per column and embedding model.

The columns have no fixed dimension, so that another model needs no migration: the index is over a cast, of that
model's rows alone.
"""

import hashlib

from django.db import connection

from agents.llm.embeddings import get_embedder
from agents.models import Message, Passage

INDEXED = (  # table, column, and what its index's name begins with
    (Message._meta.db_table, "embedding", f"{Message._meta.db_table}_hnsw_"),
    (Message._meta.db_table, "context_embedding", f"{Message._meta.db_table}_context_hnsw_"),
    (Passage._meta.db_table, "embedding", f"{Passage._meta.db_table}_hnsw_"),
)
MAX_DIMENSION = 4000  # of a half-precision HNSW index


def ensure() -> None:
    """Make the indexes for the configured model, if absent; drop those of models no longer configured."""
    embedder = get_embedder()
    slug = hashlib.sha256(f"{embedder.name} {embedder.dimension}".encode()).hexdigest()[:8]
    with connection.cursor() as cursor:
        for table, column, beginning in INDEXED:
            name = f"{beginning}{slug}"
            cursor.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
                " AND tablename = %s AND indexname LIKE %s",
                [table, f"{beginning}%"],
            )
            present = {row[0] for row in cursor.fetchall()}
            for old in present - {name}:
                cursor.execute(f'DROP INDEX "{old}"')
            if name not in present:
                cursor.execute(
                    f'CREATE INDEX "{name}" ON "{table}" USING hnsw '
                    f"(({column}::halfvec({int(embedder.dimension)})) halfvec_cosine_ops) WHERE embedding_model = %s",
                    [embedder.name],
                )
