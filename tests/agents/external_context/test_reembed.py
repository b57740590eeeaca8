"""Changing the embedding model: everything is embedded anew, and search works meanwhile."""

from collections.abc import Iterator, Sequence

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from agents import queue_manager
from agents.external_context import archival_storage, recall_storage
from agents.llm import embeddings
from agents.llm.embeddings import Vector, get_embedder
from agents.models import Agent, Message, Passage


@pytest.fixture
def stored(agent: Agent) -> Agent:
    archival_storage.insert(agent.archive, "The key hangs behind the barometer.")
    queue_manager.append(
        agent, Message(kind=Message.Kind.USER_MESSAGE, content="My parrot is called Bo.", created_at=timezone.now())
    )
    assert list(recall_storage.embed_missing(agent)) == [1]
    return agent


@pytest.fixture
def smaller(stored: Agent, settings: Settings) -> Iterator[Agent]:
    """The same model with another dimension is configured now."""
    embeddings.forget()
    settings.EMBEDDING_DIMENSION = 64
    yield stored
    embeddings.forget()


def test_before_the_command_search_goes_by_words(smaller: Agent) -> None:
    assert archival_storage.find(smaller, "barometer").total == 1
    assert recall_storage.find(smaller, "parrot").total == 1


def test_the_command_embeds_everything_with_the_new_model(smaller: Agent) -> None:
    call_command("reembed")
    assert {p.embedding_model for p in Passage.objects.all()} == {"hash/64"}
    assert len(Passage.objects.get().embedding) == 64
    assert Message.objects.get(kind=Message.Kind.USER_MESSAGE).embedding_model == "hash/64"
    assert archival_storage.find(smaller, "behind the barometer").total == 1


def test_the_command_goes_on_where_it_stopped(smaller: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        archival_storage.insert(smaller.archive, f"lamp {number}")
    Passage.objects.update(embedding_model="another")
    monkeypatch.setattr(archival_storage, "EMBED_BATCH", 10)
    work = archival_storage.embed_missing()
    assert next(work) == 10
    del work  # as when it is interrupted
    assert archival_storage.not_embedded().count() == 31
    call_command("reembed")
    assert not archival_storage.not_embedded().exists()


def test_a_passage_that_is_rewritten_meanwhile_keeps_its_new_vector(
    smaller: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    passage = Passage.objects.get()
    embedder = get_embedder()
    real = embedder.embed_passages

    def rewriting(texts: Sequence[str]) -> list[Vector]:
        vectors = real(texts)
        monkeypatch.setattr(embedder, "embed_passages", real)
        archival_storage.rewrite(passage, "The key is lost.")
        return vectors

    monkeypatch.setattr(embedder, "embed_passages", rewriting)
    list(archival_storage.embed_missing())
    passage.refresh_from_db()
    (wanted,) = real(["The key is lost."])
    assert passage.text == "The key is lost." and passage.embedding == pytest.approx(wanted, abs=1e-3)


def test_the_command_says_what_another_worker_keeps_from_it(smaller: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archival_storage, "embed_missing", lambda: iter(()))
    with pytest.raises(CommandError, match="1 are left"):
        call_command("reembed")


def test_a_message_that_is_corrected_meanwhile_is_embedded_once_more(
    smaller: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall_storage.forget_other_vectors()
    embedder = get_embedder()
    real = embedder.embed_passages

    def correcting(texts: Sequence[str]) -> list[Vector]:
        monkeypatch.setattr(embedder, "embed_passages", real)
        smaller.messages.filter(kind=Message.Kind.USER_MESSAGE).update(content="My parrot is called Lo.")
        return real(texts)

    monkeypatch.setattr(embedder, "embed_passages", correcting)
    assert list(recall_storage.embed_missing(smaller)) == [0, 1]
    (wanted,) = real(["alice: My parrot is called Lo."])
    assert smaller.messages.get(kind=Message.Kind.USER_MESSAGE).embedding == pytest.approx(wanted, abs=1e-3)
