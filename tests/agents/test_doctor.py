"""`memweb doctor`: each rule finds what breaks it, says what to do, and finds nothing where all is well."""

import os
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from agents import doctor, services
from agents.external_context import archival_storage, recall_storage
from agents.llm.scripted import call, say
from agents.models import Agent, Document, Message, Passage, Run
from tests.agents.services.test_pictures import png
from tests.conftest import ServeModel, exchange
from tests.processes import database_url

LONG_AGO = timezone.now() - timedelta(hours=1)


def found(name: str) -> list[str]:
    (rule,) = (rule for rule in doctor.RULES if rule.name == name)
    assert rule.remedy.endswith(".")
    return list(rule.look())


@pytest.fixture
def lived_in(agent: Agent, serve_model: ServeModel, settings: Settings, tmp_path: Path) -> Agent:
    """An agent that has talked, written to its memory, and has a document."""
    settings.MEDIA_ROOT = tmp_path
    serve_model([call("core_memory_append", label="human", content="Likes tea."), say("Noted.")])
    exchange(agent, "I like tea.")
    file = SimpleUploadedFile("harbour.txt", b"The harbour freezes in January.", "text/plain")
    document = services.document_add(archive=agent.archive, file=file)
    archival_storage.insert_pieces(document, [archival_storage.Piece(0, None, "", "The harbour freezes in January.")])
    list(archival_storage.embed_missing())
    Document.objects.update(status=Document.Status.READY, total=1, worked_at=LONG_AGO)
    list(recall_storage.embed_missing(agent))
    Message.objects.update(created_at=LONG_AGO)
    Passage.objects.update(created_at=LONG_AGO)
    return agent


def test_nothing_is_wrong_with_an_agent_that_lived(lived_in: Agent) -> None:
    assert {rule.name: list(rule.look()) for rule in doctor.RULES} == {rule.name: [] for rule in doctor.RULES}


def test_an_agent_that_counts_too_low(lived_in: Agent) -> None:
    Agent.objects.update(next_seq=2)
    assert found("an agent counts past its last message") == [f"agent Sam ({lived_in.pk})"]


def test_a_message_that_somebody_deleted(lived_in: Agent) -> None:
    lived_in.messages.filter(seq=2).delete()
    assert found("an agent's messages are numbered without a gap") == [f"agent Sam ({lived_in.pk}): 1 missing"]


def test_a_call_without_its_result_and_a_result_without_its_call(lived_in: Agent) -> None:
    result = lived_in.messages.filter(kind="function_result").first()
    assert result is not None
    lived_in.messages.filter(pk=result.pk).update(call_id="another")
    assert set(found("a call has one result")) == {
        f"step {result.step_id}, call {result.call_id}: 0",
        f"step {result.step_id}, call another: 1",
    }


def test_a_run_without_its_lease(lived_in: Agent) -> None:
    run = Run.objects.get()
    Run.objects.update(status="running")
    assert found("a run that works has a lease, and no other has one") == [f"run {run.pk}, running"]


def test_a_run_that_nobody_takes(lived_in: Agent) -> None:
    run = services.message_send(agent=lived_in, text="Anybody?")
    assert found("no run waits for ever") == []
    Run.objects.filter(pk=run.pk).update(created_at=LONG_AGO)
    assert found("no run waits for ever") == [f"run {run.pk} of agent {lived_in.pk}"]


def test_a_block_that_somebody_wrote_in_the_database(lived_in: Agent) -> None:
    block = lived_in.blocks.get(label="human")
    lived_in.blocks.filter(label="human").update(value="Hates tea.")
    assert found("a block says what its last revision says") == [f"block {block.pk}, human"]


def test_a_document_and_its_file(lived_in: Agent) -> None:
    document = Document.objects.get()
    path = Path(document.file.path)
    other = path.with_name("left-behind.txt")
    path.rename(other)
    assert found("a document and a picture have their files") == [
        f"document {document.pk}, harbour.txt ({document.file.name})"
    ]
    assert found("a file has its document or message") == [], "somebody may be uploading it"
    os.utime(other, (0, 0))
    assert str(other) in found("a file has its document or message")
    other.unlink()


def test_a_picture_and_its_file(lived_in: Agent) -> None:
    services.message_send(agent=lived_in, text="Look", pictures=[png()])
    message = Message.objects.exclude(pictures=[]).get()
    path = Path(default_storage.path(message.pictures[0]["file"]))
    os.utime(path, (0, 0))
    assert found("a file has its document or message") == []
    path.unlink()
    (told,) = found("a document and a picture have their files")
    assert told == f"message {message.pk}, a picture ({message.pictures[0]['file']})"


def test_a_document_that_is_not_whole(lived_in: Agent) -> None:
    document = Document.objects.get()
    Document.objects.update(total=3)
    assert found("a document is read to its end") == [f"document {document.pk}, harbour.txt: 1 of 3"]


def test_what_has_no_vector_and_what_has_one_of_another_model(lived_in: Agent) -> None:
    Passage.objects.update(embedding_model="", embedding=None)
    assert found("what is stored has its vector") == [f"archive {lived_in.archive_id}: 1 passages"]
    Passage.objects.update(embedding_model="an-old-one")
    assert found("vectors are of the configured model") == ["an-old-one: 1 passages"]


def test_words_in_an_older_form(lived_in: Agent) -> None:
    Passage.objects.update(words_form=0)
    assert found("texts are indexed in today's form") == [f"archive {lived_in.archive_id}: 1 passages"]


@pytest.mark.django_db(transaction=True)
def test_an_index_that_is_half_built(agent: Agent) -> None:
    archival_storage.insert_all(agent.archive, [archival_storage.Filing(text=text) for text in ("One.", "Two.")])
    with connection.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY half_built ON agents_passage (archive_id)")
    assert found("every index is whole") == ["half_built"]
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX half_built")


@pytest.mark.django_db(transaction=True)
def test_a_system_that_sorts_otherwise_than_it_did() -> None:
    name = connection.settings_dict["NAME"]
    change = "UPDATE pg_database SET datcollversion = %s WHERE datname = %s RETURNING datcollversion"
    with psycopg.connect(database_url(), autocommit=True) as superuser:
        there = superuser.execute("SELECT datcollversion FROM pg_database WHERE datname = %s", [name]).fetchone()
        superuser.execute(change, ["0.1", name])
        try:
            assert found("texts are sorted as the database was made") == [f"{name}, made with 0.1"]
        finally:
            superuser.execute(change, [there and there[0], name])


def test_a_migration_that_waits(lived_in: Agent, alice: User) -> None:
    ((_app, last),) = MigrationLoader(connection).graph.leaf_nodes("agents")
    MigrationRecorder(connection).record_unapplied("agents", last)
    assert found("every migration is applied") == [f"agents.{last}"]
