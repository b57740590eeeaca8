"""Large stores have vector indexes of their own; search finds the same with them and without."""

from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents import tasks
from agents.external_context import archival_storage, vector_index
from agents.external_context.archival_storage import Filing
from agents.external_context.vector_index import ARCHIVAL
from agents.llm import embeddings
from agents.models import Agent, Archive, Passage
from memweb import beat
from memweb.stack.roles import superuser_url
from tests.conftest import make_agent
from tests.plugin import paths

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = ("harbour", "lighthouse", "boathouse", "orchard", "cellar")


@pytest.fixture(autouse=True)
def four_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(vector_index, "LARGE", 3)
    yield
    Passage.objects.all().delete()
    vector_index.ensure()
    assert not indexes()


@pytest.fixture
def large(agent: Agent) -> Agent:
    fill(agent.archive)
    vector_index.ensure()
    return agent


def fill(archive: Archive, what: str = "key") -> None:
    for place in PLACES:
        archival_storage.insert(archive, f"The {what} of the {place} hangs there.")


def indexes() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'vectors\\_%'")
        return dict(cursor.fetchall())


def texts(agent: Agent, query: str) -> list[str]:
    return [hit.row.text for hit in archival_storage.find(agent, query, size=20).hits]


def test_only_a_large_store_is_given_an_index(agent: Agent, bob: User) -> None:
    fill(agent.archive)
    archival_storage.insert(make_agent(bob, "Other").archive, "Alone.")
    assert beat.app.conf.beat_schedule["index vectors"]["task"] == tasks.index_vectors.name
    tasks.index_vectors()
    assert list(indexes()) == [ARCHIVAL.index_name(agent.archive_id)]


def test_a_store_with_an_index_is_searched_by_it(large: Agent) -> None:
    with CaptureQueriesContext(connection) as queries:
        texts(large, "lighthouse")
    (search,) = [query["sql"] for query in queries if "<=>" in query["sql"]]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {search}")
        assert ARCHIVAL.index_name(large.archive_id) in str(cursor.fetchall())


def test_the_same_is_found_with_an_index_as_without(agent: Agent) -> None:
    fill(agent.archive)
    before = texts(agent, "lighthouse key")
    vector_index.ensure()
    assert texts(agent, "lighthouse key") == before and len(before) == len(PLACES)


def test_a_passage_that_comes_after_the_index_is_found(large: Agent) -> None:
    archival_storage.insert(large.archive, "The barometer fell.")
    assert texts(large, "barometer")[0] == "The barometer fell."


def test_large_and_small_archives_are_searched_as_one(large: Agent) -> None:
    for name in ("Library", "Cupboard"):
        archive = Archive.objects.create(owner=large.owner, name=name)
        archival_storage.insert(archive, f"The rope of the {name} hangs there.")
        large.attached_archives.add(archive)
    other = Archive.objects.create(owner=large.owner, name="Attic")
    fill(other, "lamp")
    large.attached_archives.add(other)
    vector_index.ensure()
    assert len(indexes()) == 2
    assert texts(large, "rope of the Library")[0] == "The rope of the Library hangs there."
    assert texts(large, "lamp of the cellar")[0] == "The lamp of the cellar hangs there."
    assert len(texts(large, "hangs there")) == 2 * len(PLACES) + 2


def test_what_is_retracted_is_not_found_by_the_index(large: Agent) -> None:
    Passage.objects.filter(text__contains="cellar").update(retracted_at="2026-03-05T12:00Z")
    assert len(texts(large, "cellar")) == len(PLACES) - 1


def test_an_index_of_another_model_goes(large: Agent, settings: Settings) -> None:
    embeddings.forget()
    settings.EMBEDDING_DIMENSION = 64
    try:
        vector_index.ensure()
        assert sum(archival_storage.embed_missing()) == len(PLACES)
        (definition,) = indexes().values()
        assert "halfvec(64)" in definition and "hash/64" in definition
        assert len(texts(large, "lighthouse")) == len(PLACES)
    finally:
        embeddings.forget()


def test_an_index_that_was_left_half_built_is_built_again(large: Agent) -> None:
    name = ARCHIVAL.index_name(large.archive_id)
    with psycopg.connect(superuser_url(paths, connection.settings_dict["NAME"])) as superuser:
        superuser.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
    with connection.cursor() as cursor:
        assert len(texts(large, "lighthouse")) == len(PLACES)  # row by row meanwhile
        vector_index.ensure()
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name])
        assert cursor.fetchone() == (True,)


def test_an_archive_that_goes_takes_its_index_with_it(large: Agent, alice: User) -> None:
    other = Archive.objects.create(owner=alice, name="Attic")
    fill(other)
    vector_index.ensure()
    assert len(indexes()) == 2
    other.delete()
    vector_index.ensure()
    assert list(indexes()) == [ARCHIVAL.index_name(large.archive_id)]


def archives_with_an_index(*archives: Archive) -> set[str]:
    there = indexes()
    return {archive.name for archive in archives if ARCHIVAL.index_name(archive.pk) in there}


def test_the_number_of_indexes_does_not_grow_with_the_stores(
    agent: Agent, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "MOST", 2)
    monkeypatch.setattr(vector_index, "TOO_LARGE", 12)
    named = [Archive.objects.create(owner=alice, name=name) for name in "abcd"]
    for archive, size in zip(named, (4, 5, 6, 13), strict=True):
        archival_storage.insert_all(archive, [Filing(text=f"Key {number}.") for number in range(size)])
    vector_index.ensure()
    assert archives_with_an_index(*named) == {"c", "d"}
    archival_storage.insert_all(named[0], [Filing(text=f"Lamp {number}.") for number in range(4)])  # 8 to 6: too little
    vector_index.ensure()
    assert archives_with_an_index(*named) == {"c", "d"}
    archival_storage.insert_all(named[1], [Filing(text=f"Rope {number}.") for number in range(8)])  # 13: too large
    vector_index.ensure()
    assert archives_with_an_index(*named) == {"b", "d"}
    archival_storage.insert_all(
        named[0], [Filing(text=f"Sail {number}.") for number in range(5)]
    )  # three are too large
    vector_index.ensure()
    assert archives_with_an_index(*named) == {"a", "b", "d"}


def test_the_words_of_a_small_store_are_not_looked_up_among_everybodys(agent: Agent) -> None:
    archival_storage.insert(agent.archive, "The key of the harbour.")
    with CaptureQueriesContext(connection) as queries:
        assert texts(agent, "harbour") == ["The key of the harbour."]
    (search,) = (query["sql"] for query in queries if "match_0" in query["sql"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname ~ '^(passage_newest|agents_passage_archive)'")
        for (name,) in cursor.fetchall():  # so the planner would take whatever else there is
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("EXPLAIN " + search)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        transaction.set_rollback(True)
    assert "match_0" in plan and "passage_words" not in plan


def test_small_and_large_archives_are_searched_together(large: Agent, alice: User) -> None:
    small = Archive.objects.create(owner=alice, name="small")
    archival_storage.insert(small, "The key of the observatory hangs there.")
    large.attached_archives.add(small)
    found = texts(large, "key of the harbour or observatory")
    assert {"The key of the observatory hangs there.", "The key of the harbour hangs there."} <= set(found)
