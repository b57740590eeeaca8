"""Changing the embedding model: everything is embedded anew, and search works meanwhile."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from agents import queue_manager
from agents.external_context import archival_storage, recall_storage, vector_index
from agents.llm.embeddings import get_embedder
from agents.models import Agent, Message, Passage


@pytest.fixture
def stored(agent: Agent) -> Agent:
    archival_storage.insert(agent.archive, "The key hangs behind the barometer.")
    queue_manager.append(
        agent, Message(kind=Message.Kind.USER_MESSAGE, content="My parrot is called Bo.", created_at=timezone.now())
    )
    recall_storage.embed_missing(agent)
    connection.check_constraints()  # an index cannot be made while deferred checks of this transaction wait
    return agent


@pytest.fixture
def smaller(stored: Agent, settings: Settings) -> Iterator[Agent]:
    """The same model with another dimension is configured now."""
    get_embedder.cache_clear()
    settings.EMBEDDING_DIMENSION = 64
    yield stored
    get_embedder.cache_clear()


def indexes() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE '%\\_hnsw\\_%'")
        return [row[0] for row in cursor.fetchall()]


def test_before_the_command_search_goes_by_words(smaller: Agent) -> None:
    assert archival_storage.find(smaller, "barometer").total == 1
    assert recall_storage.find(smaller, "parrot").total == 1


def test_the_command_embeds_everything_with_the_new_model(smaller: Agent) -> None:
    call_command("reembed")
    assert {p.embedding_model for p in Passage.objects.all()} == {"hash/64"}
    assert len(Passage.objects.get().embedding) == 64
    assert Message.objects.get(kind=Message.Kind.USER_MESSAGE).embedding_model == "hash/64"
    assert archival_storage.find(smaller, "behind the barometer").total == 1


def test_there_is_one_index_per_column_and_it_is_of_the_configured_model(smaller: Agent) -> None:
    vector_index.ensure()
    assert len(indexes()) == 3 and all("halfvec(64)" in index and "hash/64" in index for index in indexes())
    vector_index.ensure()
    assert len(indexes()) == 3
