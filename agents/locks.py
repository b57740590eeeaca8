"""What is held and let go: locks between workers, and this thread's database connection."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread

from django.db import InterfaceError, OperationalError, connection, connections

PLACE_PAUSE = 15  # seconds until who found no place of a person's free asks again
TRANSIENT = (OperationalError, InterfaceError)  # of the database, which pass by themselves: a restart, a full pool


@contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """An advisory lock, held by no row: true for the first who asks for `name`, false for others until it is freed.

    Never waits. The database frees it when the worker's connection ends, however that happens.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name])
        acquired = bool(cursor.fetchone()[0])
    try:
        yield acquired
    finally:
        if acquired:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


@contextmanager
def place_of(owner_id: int, work: str, *, at_once: int) -> Iterator[bool]:
    """One of the few places that a person has for a kind of background work: others must not wait for their endpoint.
    False if none is free.
    """
    with ExitStack() as stack:
        names = (f"{work} of person {owner_id}, {number}" for number in range(at_once))
        yield any(stack.enter_context(try_lock(name)) for name in names)


def release_connection() -> None:
    """Give this thread's connection back to the pool, before it waits for something else. Not inside a transaction."""
    if not connection.in_atomic_block:
        connections.close_all()


def renew_connections() -> None:
    """Throw away this thread's connection, and those of the pool that broke, as all do when the database restarts.

    An event loop holds none itself and must not wait: there a thread of its own looks through the pool.
    """
    if _in_event_loop():
        Thread(target=_renew_pool, daemon=True).start()
        return
    with suppress(*TRANSIENT):
        release_connection()
    _renew_pool()


def _renew_pool() -> None:
    pool = getattr(connection, "pool", None)
    if pool and not pool.closed:  # one that was never opened takes no work
        with suppress(*TRANSIENT):
            pool.check()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
