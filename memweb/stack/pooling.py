"""A pooler before the database, such as PgBouncer: whether what needs a session of its own has one.

Locks that outlive a transaction, indexes that are built beside writers, and backups belong to a session of the server.
In transaction mode a pooler gives each transaction whichever session is free: such a lock would never be given back.
"""

from contextlib import suppress

import psycopg

NEED_SESSIONS = ("upgrade", "worker-background", "worker-ingest")  # programs that do such things
ADVICE = (
    "DATABASE_URL leads to a pooler that shares sessions, as PgBouncer does in transaction mode. Only web and "
    "worker-runs can work with it. Everything else needs the database server's own address, or a pool in session mode: "
    "set that DATABASE_URL here."
)
TRIES = 5  # somebody else may take the session between the two looks
PATIENCE = 5  # seconds


def shares_sessions(url: str) -> bool:
    """True when two connections that are open at the same time have one session between them. False where nobody
    answers: who needs the database waits for it."""
    with suppress(psycopg.Error), _connected(url) as one, _connected(url) as other:
        return any(_session(one) == _session(other) for _ in range(TRIES))
    return False


def _connected(url: str) -> "psycopg.Connection[tuple[int]]":
    return psycopg.connect(url, autocommit=True, connect_timeout=PATIENCE, prepare_threshold=None)


def _session(connection: "psycopg.Connection[tuple[int]]") -> int:
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert found is not None
    return found[0]
