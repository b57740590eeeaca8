"""What becomes of database connections when the database was away."""

import asyncio

import pytest
from django.db import connection

from agents.locks import renew_connections

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_connection_that_broke_is_not_given_out_again() -> None:
    broken = backend()
    with connection.pool.connection() as other:  # type: ignore[attr-defined]
        connection.close()  # back to the pool
        other.execute("SELECT pg_terminate_backend(%s)", [broken])
    renew_connections()
    assert backend() != broken


def test_a_pool_that_was_never_opened_is_left_as_it_is() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    renew_connections()
    assert backend()


def test_in_an_event_loop_a_thread_of_its_own_looks_through_the_pool() -> None:
    async def renew() -> None:
        renew_connections()

    connection.close()
    asyncio.run(renew())
    assert backend()
