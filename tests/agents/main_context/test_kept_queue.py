"""The queue is kept between steps, and what is kept is never another than what the rows say."""

from collections.abc import Callable

import pytest
from django.db import transaction

from agents import queue_manager, services
from agents.llm.scripted import say
from agents.main_context import fifo_queue, kept_queue
from agents.models import Agent, Message
from tests.conftest import ServeModel, exchange

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    """Four turns, compiled by the steps themselves."""
    serve_model([say("Calm.")])
    for text in ("one", "two", "three", "four"):
        exchange(agent, text)
    return Agent.objects.get(pk=agent.pk)


def rewrite(agent: Agent) -> None:
    services.reply_rewrite(agent=agent, text="Rough.")


def take_back(agent: Agent) -> None:
    services.turn_delete(agent=agent, hand=services.Hand(agent.owner))


def evict(agent: Agent) -> None:
    assert queue_manager.flush(agent, fifo_queue.messages_of(agent))


@pytest.mark.parametrize("change", [rewrite, take_back, evict])
def test_it_is_what_the_rows_say_after_every_kind_of_change(talked: Agent, change: Callable[[Agent], None]) -> None:
    before = kept_queue.messages_of(talked)
    change(talked)
    agent = Agent.objects.get(pk=talked.pk)
    now = kept_queue.messages_of(agent)
    assert [(m.seq, m.content) for m in now] == [(m.seq, m.content) for m in fifo_queue.messages_of(agent)]
    assert [(m.seq, m.content) for m in now] != [(m.seq, m.content) for m in before]


def test_only_what_is_new_is_read(talked: Agent) -> None:
    first = kept_queue.messages_of(talked)
    exchange(talked, "five")
    second = kept_queue.messages_of(Agent.objects.get(pk=talked.pk))
    assert [m.seq for m in second[: len(first)]] == [m.seq for m in first] and len(second) > len(first)
    assert all(one is other for one, other in zip(first, second, strict=False))


def test_nothing_is_kept_of_a_transaction_that_was_undone(talked: Agent) -> None:
    seqs = [m.seq for m in kept_queue.messages_of(talked)]
    with transaction.atomic():
        queue_manager.append(talked, Message(kind="system_alert", content="lost", created_at=talked.created_at))
        assert len(kept_queue.messages_of(talked)) == len(seqs) + 1
        transaction.set_rollback(True)
    assert [m.seq for m in kept_queue.messages_of(Agent.objects.get(pk=talked.pk))] == seqs


def test_what_was_not_used_for_long_is_dropped(talked: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_queue.messages_of(talked)
    monkeypatch.setattr(kept_queue, "MOST_KEPT", 1)
    kept_queue.messages_of(talked)
    assert not kept_queue._queues
