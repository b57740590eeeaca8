"""What is asked by those who watch over memweb: each fault has its sentence, and nothing else has one."""

import shutil
from collections import namedtuple
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from agents import health, maintenance, services
from agents.llm.scripted import say
from agents.models import Agent, Passage
from memweb import beat
from memweb.alive import LivingScheduler
from tests.conftest import ServeModel

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


def fault(name: str) -> str:
    return health._fault(health.PARTS[name])


def test_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault("database") == ""
    there = connection.get_connection_params()
    monkeypatch.setattr(connection, "get_connection_params", lambda: there | {"host": "127.0.0.1", "port": "9"})
    assert fault("database").startswith("The database cannot be reached: ")


def test_migrations() -> None:
    assert fault("migrations") == ""
    ((_app, last),) = MigrationLoader(connection).graph.leaf_nodes("agents")
    MigrationRecorder(connection).record_unapplied("agents", last)
    assert fault("migrations") == f"Migrations are not applied (agents.{last}): memweb up applies them."


def test_the_broker(settings: Settings) -> None:
    assert fault("broker") == ""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:9"}}
    assert fault("broker").startswith("The broker cannot be reached: ")
    assert fault("clock").startswith("The broker cannot be reached: ")


def test_workers() -> None:
    assert fault("workers") == "No worker takes the tasks of: background, ingest, runs."


def test_the_clock() -> None:
    cache.delete(health.LOOKED)
    assert "reaper has not looked" in fault("clock")
    maintenance.reap()
    assert fault("clock") == ""


def test_a_clock_that_starts_has_the_reaper_look_at_once(tmp_path: Path) -> None:
    for _start in range(2):
        scheduler = LivingScheduler(app=beat.app, schedule_filename=str(tmp_path / "schedule"))
        due = {name for name, entry in scheduler.schedule.items() if entry.is_due()[0]}
        scheduler.close()
        assert due == {"reap"}


def test_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault("disk") == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: Usage(10**12, 10**12, 5 * 2**20))
    assert fault("disk") == "Only 5 MB of disk are free where documents are kept."


def test_the_model(serve_model: ServeModel, settings: Settings) -> None:
    assert fault("model").startswith("The model's endpoint cannot be reached: ")
    serve_model([say("Hello.")])
    assert fault("model") == ""


@pytest.mark.parametrize(("status", "sentence"), [(401, "refuses the key."), (503, "answers with 503."), (404, "")])
def test_a_model_that_answers_otherwise(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, sentence: str
) -> None:
    answer = SimpleNamespace(status_code=status)
    monkeypatch.setattr("agents.llm.probing.httpx2.get", lambda *_arguments, **_named: answer)
    assert fault("model").endswith(sentence) and bool(fault("model")) == bool(sentence)


def test_embeddings(agent: Agent) -> None:
    passage = services.passage_add(archive=agent.archive, text="words")
    Passage.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert fault("embeddings") == ""
    Passage.objects.filter(pk=passage.pk).update(embedding=None, embedding_model="")
    cache.delete(health.EMBEDDED)
    assert fault("embeddings") == "No passage got its embedding for ten minutes, and so many wait: 1."
    health.note_embedded()  # of another import, say
    assert fault("embeddings") == ""
    cache.delete(health.EMBEDDED)
    assert fault("embeddings")


def test_who_asks_often_gets_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Mock(return_value="broken")
    monkeypatch.setattr(health, "PARTS", {"one": look})
    monkeypatch.setattr(health, "_last", None)
    assert [health.checks() for _ in range(3)] == [[health.Check("one", "broken")]] * 3
    assert look.call_count == 1
