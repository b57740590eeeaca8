"""Another embedding model takes the place of the one in use, and search goes on meanwhile."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from agents import maintenance, queue_manager, services
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, exchange, hybrid, recall_storage
from agents.llm import embeddings
from agents.models import Agent, ComingPassageVector, Connection, EmbeddingChoice, Message, Passage
from tests.conftest import make_agent
from tests.model_server import Kind, ModelServer

MODEL = "nomic-embed-text"
ROWS = 10_000


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(Kind()) as server:
        yield server
    embeddings.forget()


@pytest.fixture
def far(server: ModelServer, db: None) -> Connection:
    """A server for everybody, with an embedding model."""
    return Connection.objects.create(name="Far", base_url=server.url)


def ask(far: Connection) -> EmbeddingChoice:
    choice = services.embeddings_ask(connection=far, model=MODEL)
    services.embeddings_measure(choice_id=choice.pk)
    choice.refresh_from_db()
    return choice


def change(far: Connection) -> None:
    services.embeddings_change(choice_id=ask(far).pk)


def say(agent: Agent, text: str) -> Message:
    message = Message(kind=Message.Kind.USER_MESSAGE, content=text, created_at=timezone.now())
    queue_manager.append(agent, message)
    return message


@pytest.fixture
def stored(agent: Agent) -> Agent:
    for number in range(40):
        archival_storage.insert(agent.archive, f"The lamp of cellar {number} hangs there.")
    for text in ("My parrot is called Bo.", "It talks.", "All day."):
        say(agent, text)
    assert sum(recall_storage.embed_missing(agent)) == 3
    return agent


def models_in_use() -> set[str]:
    rows = [
        model.objects.exclude(embedding=None).values_list("embedding_model", flat=True) for model in (Passage, Message)
    ]
    return {name for names in rows for name in names}


def test_what_it_costs_is_known_before(stored: Agent, far: Connection) -> None:
    choice = ask(far)
    assert (choice.total, choice.name, choice.dimension, choice.error) == (43, f"{MODEL}/384", 384, "")
    assert choice.seconds > 0 and choice.minutes == 1
    assert models_in_use() == {"hash/384"}


def test_all_rows_have_their_new_vectors_at_once(stored: Agent, far: Connection) -> None:
    change(far)
    while exchange.work():
        assert models_in_use() == {"hash/384"}
    assert models_in_use() == {f"{MODEL}/384"}
    assert embeddings.get_embedder().name == f"{MODEL}/384"
    assert not ComingPassageVector.objects.exists()
    message = Message.objects.exclude(embedding=None).latest("seq")
    assert message.context_embedding is not None
    assert archival_storage.find(stored, "something else entirely").total == 40


def test_a_process_that_does_not_know_of_the_exchange_finds_out_by_searching(stored: Agent, far: Connection) -> None:
    before = embeddings.current()
    change(far)
    exchange.work()
    embeddings._current = before
    assert archival_storage.find(stored, "something else entirely").total == 40
    assert embeddings.get_embedder().name == f"{MODEL}/384"


def test_an_exchange_in_the_middle_of_a_search_is_noticed(
    stored: Agent, far: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, plan = embeddings.current(), hybrid._plan
    change(far)

    def slow(*arguments: Any) -> Any:
        made = plan(*arguments)
        if exchange.work() or embeddings.current() is not before:
            embeddings._current = before  # another process did it
        return made

    monkeypatch.setattr(hybrid, "_plan", slow)
    assert archival_storage.find(stored, "something else entirely").total == 40
    assert models_in_use() == {f"{MODEL}/384"}


def test_it_goes_on_where_it_was_killed(
    stored: Agent, far: Connection, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(far)
    monkeypatch.setattr(exchange, "EMBED_BATCH", 10)
    asked: list[str] = []

    def dies(texts: list[str]) -> None:
        asked.extend(texts)
        if len(asked) == 30:
            raise KeyboardInterrupt

    embedder: Any = embeddings.EndpointEmbedder
    original = embedder.embed_passages

    def embed(self: Any, texts: Any) -> Any:
        dies(list(texts))
        return original(self, texts)

    monkeypatch.setattr(embedder, "embed_passages", embed)
    with pytest.raises(KeyboardInterrupt):
        exchange.work()
    assert ComingPassageVector.objects.count() == 20
    exchange.work()
    passages = [text for text in asked if "cellar" in text]
    assert len(passages) == len(set(passages)) + 10  # those of the batch that was lost
    assert models_in_use() == {f"{MODEL}/384"}


def test_what_was_rewritten_or_came_meanwhile_is_found_and_embedded_after(stored: Agent, far: Connection) -> None:
    change(far)
    original = exchange._exchange

    def late(choice: EmbeddingChoice) -> None:
        archival_storage.rewrite(Passage.objects.earliest("pk"), "A zebra in the pantry.")
        archival_storage.insert(stored.archive, "An okapi in the attic.")
        say(stored, "There is a lemur on the roof.")
        original(choice)

    exchange._exchange, restore = late, original
    try:
        exchange.work()
    finally:
        exchange._exchange = restore
    for word in ("zebra", "okapi"):
        assert word in archival_storage.find(stored, word).hits[0].row.text
    assert recall_storage.find(stored, "lemur").total
    exchange.settle()
    assert sum(archival_storage.embed_missing()) == 2
    assert sum(recall_storage.embed_missing(stored)) == 1
    assert models_in_use() == {f"{MODEL}/384"}


def test_a_vector_that_a_worker_ends_late_is_made_anew(stored: Agent, far: Connection) -> None:
    change(far)
    exchange.work()
    Message.objects.filter(content="It talks.").update(embedding_model="hash/384")
    services.embeddings_work()
    assert sum(recall_storage.embed_missing(stored)) == 1
    assert models_in_use() == {f"{MODEL}/384"}


def test_the_last_step_of_a_change_comes_back_though_its_message_was_lost(stored: Agent, far: Connection) -> None:
    change(far)
    exchange.work()
    with patch("agents.dispatch.change_embeddings") as asked:
        maintenance.reap()
        asked.assert_not_called()  # its own message is on its way
        EmbeddingChoice.objects.update(worked_at=timezone.now() - timedelta(minutes=3))
        maintenance.reap()
        asked.assert_called_once_with()


def test_a_change_can_be_stopped(stored: Agent, far: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    change(far)
    monkeypatch.setattr(exchange, "SLICE_SECONDS", 0)
    assert exchange.work()
    services.embeddings_stop()
    assert not exchange.work()
    assert models_in_use() == {"hash/384"} and not EmbeddingChoice.objects.exists()


def test_a_stop_just_before_the_exchange_leaves_all_vectors(
    stored: Agent, far: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(far)
    original = exchange._exchange

    def stopped(choice: EmbeddingChoice) -> None:
        services.embeddings_stop()
        original(choice)

    monkeypatch.setattr(exchange, "_exchange", stopped)
    exchange.work()
    assert models_in_use() == {"hash/384"} and not EmbeddingChoice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_stop_during_the_exchange_is_refused(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(User.objects.create_user("carol"))
    archival_storage.insert(agent.archive, "The lamp hangs there.")
    change(Connection.objects.create(name="Far", base_url=server.url))
    refused: list[str] = []

    def stop() -> None:
        try:
            services.embeddings_stop()
        except InvalidInput as error:
            refused.append(str(error))
        finally:
            database.close()

    def in_the_middle(*_arguments: Any) -> str:
        thread = threading.Thread(target=stop)
        thread.start()
        thread.join()
        return "SELECT 1"

    class Statements(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            for number, statement in enumerate(exchange_sql):
                yield in_the_middle() if number == 1 else "SELECT 1"
                yield statement

    exchange_sql = exchange.EXCHANGE_SQL
    monkeypatch.setattr(exchange, "EXCHANGE_SQL", Statements())
    exchange.work()
    assert len(refused) == 1 and models_in_use() == {f"{MODEL}/384"}


def test_vectors_are_labelled_with_the_model_that_made_them(stored: Agent, far: Connection) -> None:
    change(far)
    embedder: Any = embeddings.latest()
    original = embedder.embed_passages

    def slow(texts: Any) -> Any:
        vectors = original(texts)
        exchange.work()  # meanwhile, by another worker
        return vectors

    embedder.embed_passages = slow
    try:
        passage = archival_storage.insert(stored.archive, "An okapi in the attic.")
    finally:
        del embedder.embed_passages
    assert passage.embedding_model == "hash/384" and archival_storage.not_embedded().get() == passage
    archival_storage.insert(stored.archive, "A zebra in the pantry.")
    assert archival_storage.not_embedded().get() == passage


def test_nothing_is_left_of_a_change_for_the_next(stored: Agent, far: Connection) -> None:
    ComingPassageVector.objects.create(
        row=Passage.objects.earliest("pk").pk,
        text=exchange._hash("The lamp of cellar 0 hangs there."),
        embedding=[1] * 8,
    )
    change(far)
    exchange.work()
    assert {len(passage.embedding) for passage in Passage.objects.all()} == {384}


def test_a_server_that_fails_holds_the_change_up_and_is_told(
    stored: Agent, far: Connection, server: ModelServer
) -> None:
    change(far)
    server.kind.key = "wanted now"
    services.embeddings_work()
    choice = EmbeddingChoice.objects.get()
    assert "refused the key" in choice.error and choice.state == "coming"
    assert archival_storage.find(stored, "lamp of cellar 7").total
    server.kind.key = ""
    services.embeddings_work()
    assert models_in_use() == {f"{MODEL}/384"}


def test_the_way_back_to_the_local_model_is_the_same(stored: Agent, far: Connection) -> None:
    change(far)
    exchange.work()
    with pytest.raises(InvalidInput, match="makes the vectors"):
        services.connection_remove(connection=far)
    assert "in use" in ask(far).error


@pytest.mark.parametrize("owned", [True, False])
def test_only_connections_for_everybody_can_be_chosen(alice: User, server: ModelServer, owned: bool) -> None:
    row = Connection.objects.create(name="Mine", base_url=server.url, owner=alice if owned else None)
    with pytest.raises(InvalidInput):
        services.embeddings_ask(connection=row, model=MODEL if owned else "")


def test_a_model_that_gives_no_vectors_is_told(stored: Agent, far: Connection, server: ModelServer) -> None:
    server.kind.says["/v1/embeddings"] = {"data": [{"embedding": "none"}]}
    choice = ask(far)
    assert "did not answer with a vector" in choice.error
    with pytest.raises(InvalidInput):
        services.embeddings_change(choice_id=choice.pk)


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_passages_are_searched_all_the_while(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "EMBED_BATCH", 250)
    agent = make_agent(User.objects.create_user("carol"))
    texts = [f"Cellar {number} holds barrels of herring." for number in range(ROWS)]
    embedder = embeddings.get_embedder()
    vectors = embedder.embed_passages(texts)
    rows = [archival_storage.build(agent.archive, *pair, embedder.name) for pair in zip(texts, vectors, strict=True)]
    Passage.objects.bulk_create(rows, batch_size=1000)
    change(Connection.objects.create(name="Far", base_url=server.url))
    ended = threading.Event()
    found: list[int] = []

    def search() -> None:
        try:
            while not ended.is_set():
                hits = archival_storage.search_in([agent.archive_id], archival_storage.passages_of(agent), "Zanzibar")
                found.append(len(hits))
                assert len(models_in_use()) == 1
            found.append(-1)
        finally:
            database.close()

    thread = threading.Thread(target=search)
    thread.start()
    while exchange.work():
        pass
    ended.set()
    thread.join()
    assert found.pop() == -1 and len(found) > 5  # it ended, and not by an error
    assert min(found) == 100
    assert models_in_use() == {f"{MODEL}/384"}
