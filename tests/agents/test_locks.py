"""What becomes of database connections when the database was away."""

import asyncio

import pytest
from django.contrib.auth.models import User
from django.db import connection

from agents import dispatch, tasks
from agents.locks import place_of, renew_connections
from tests.conftest import make_agent

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_connection_that_broke_is_not_given_out_again() -> None:
    connection.close()  # it may be of a pool that an earlier test renewed
    broken = backend()
    with connection.pool.connection() as other:  # type: ignore[attr-defined]
        connection.close()  # back to the pool
        other.execute("SELECT pg_terminate_backend(%s)", [broken])
    renew_connections()
    assert backend() != broken


def test_a_person_has_so_many_places_for_a_kind_of_work() -> None:
    with connection.pool.connection() as other:  # type: ignore[attr-defined]
        for number, free in ((0, True), (1, False)):
            other.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"embedding of person 7, {number}"])
            with place_of(7, "embedding", at_once=2) as found:
                assert found is free
        with place_of(8, "embedding", at_once=2) as found:
            assert found
        other.execute("SELECT pg_advisory_unlock_all()")
    with place_of(7, "embedding", at_once=2) as found:
        assert found


def test_embeddings_that_find_no_place_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(User.objects.create_user("alice"))
    asked: list[object] = []
    monkeypatch.setattr(dispatch, "embed_messages_later", lambda agent_id, delay: asked.append(agent_id))
    with connection.pool.connection() as other:  # type: ignore[attr-defined]
        for number in range(tasks.EMBEDDINGS_AT_ONCE):
            name = f"embedding of person {agent.owner_id}, {number}"
            other.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        tasks.embed_messages(str(agent.pk))
        assert asked == [agent.pk]
        other.execute("SELECT pg_advisory_unlock_all()")
    tasks.embed_messages(str(agent.pk))
    assert asked == [agent.pk]


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
