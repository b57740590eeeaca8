"""The real path: rows in PostgreSQL, tasks over the real broker, a Celery worker in a process of its own."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents import health, maintenance, services
from agents.llm.scripted import Answer, Request, ScriptedServer, call, last_event, say
from agents.models import Agent, InstalledFunction, Message, Run
from agents.prompts import CALL_UNKNOWN
from memweb.stack.signs import is_there
from tests.conftest import make_agent
from tests.processes import Process, until, worker

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Message.Kind
HANGS: list[int] = []  # after how many pieces the next such answers fall silent


@pytest.fixture
def agent(transactional_db: None) -> Agent:
    return make_agent(User.objects.create_user("worker-owner"), context_window=4096)


def brain(request: Request) -> Answer:
    if "tools" not in request:
        return Answer(content="They counted numbers.")
    event = last_event(request)
    if event.get("status") == "OK" and "Done" in str(event["message"]):
        return say("Noted.")
    text = str(event.get("message", ""))
    if "remember" in text:
        return call("core_memory_append", label="human", content="Likes tea.")
    if "wait" in text:
        return call("wait")
    if "hang" in text:
        return say("Here I am again.", hang_after=HANGS.pop() if HANGS else None)
    return say(f"re: {text[:40]}")


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer(brain) as server:
        yield server


def runs_worker(model: ScriptedServer, folder: Path, name: str = "runs", **environment: str) -> Process:
    return worker("runs", folder / f"{name}.log", threads=2, OPENAI_BASE_URL=model.url, **environment)


def done(run: Run) -> bool:
    run.refresh_from_db()
    return run.status not in (Run.Status.QUEUED, Run.Status.RUNNING)


def replies(agent: Agent) -> list[str]:
    rows = agent.messages.filter(kind=Kind.ASSISTANT).exclude(content="").order_by("seq")
    return list(rows.values_list("content", flat=True))


def test_the_life_of_a_message(agent: Agent, model: ScriptedServer, tmp_path: Path) -> None:
    with runs_worker(model, tmp_path) as process:
        process.line("ready.")
        run = services.message_send(agent=agent, text="please remember that I like tea")
        until(lambda: done(run), "the run ends")
    assert run.status == Run.Status.DONE and run.steps.count() == 2
    assert replies(agent) == ["Noted."]
    assert agent.blocks.get(label="human").value.endswith("Likes tea.")


def test_a_message_sent_while_no_worker_is_there_is_answered_when_one_comes(
    agent: Agent, model: ScriptedServer, tmp_path: Path
) -> None:
    run = services.message_send(agent=agent, text="anybody?")
    assert agent.messages.get(kind=Kind.USER_MESSAGE).seq is None
    with runs_worker(model, tmp_path):
        until(lambda: done(run), "the run ends")
    assert replies(agent) == ["re: anybody?"]


def test_a_worker_takes_up_what_one_of_another_machine_left_behind(
    agent: Agent, model: ScriptedServer, tmp_path: Path
) -> None:
    """By itself, though nothing is sent to it: the clock is away, or the broker lost the message."""
    with runs_worker(model, tmp_path):
        first = services.message_send(agent=agent, text="hello")
        until(lambda: done(first), "the worker's look at its start is over")
        with patch("agents.dispatch.run_agent"):
            run = services.message_send(agent=agent, text="anybody?")
        lease = {"lease_token": uuid4(), "lease_until": timezone.now(), "held_by": "elsewhere/1"}
        Run.objects.filter(pk=run.pk).update(status=Run.Status.RUNNING, **lease)
        until(lambda: done(run), "the run ends")
    assert replies(agent) == ["re: hello", "re: anybody?"]


def test_kill_9_in_the_middle_of_a_step_loses_nothing_and_does_nothing_twice(
    agent: Agent, model: ScriptedServer, tmp_path: Path
) -> None:
    HANGS.append(2)
    with runs_worker(model, tmp_path) as first:
        run = services.message_send(agent=agent, text="please hang")
        until(lambda: len(model.requests) == 1, "the model is asked")
        first.kill()
    assert replies(agent) == []
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    with runs_worker(model, tmp_path, "second"):
        maintenance.reap()
        until(lambda: done(run), "the run ends")
    assert replies(agent) == ["Here I am again."]
    assert agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 1
    assert run.steps.count() == 1


SLOW = """
import os, time
from pathlib import Path
from memweb.functions import function

@function(time_limit=600)
def wait():
    Path(os.environ["BEGUN"]).write_text(str(os.getpid()))
    time.sleep(600)
"""


def test_kill_9_while_a_function_runs_ends_it_and_says_that_nobody_knows(
    agent: Agent, model: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "slow.py").write_text(SLOW)
    services.function_switch(agent=agent, name="wait", on=True)
    begun = tmp_path / "begun"
    settings = {"MEMWEB_HOME": str(tmp_path), "BEGUN": str(begun)}
    with runs_worker(model, tmp_path, **settings) as first:
        until(lambda: InstalledFunction.objects.filter(name="wait").exists(), "the worker sees the file")
        run = services.message_send(agent=agent, text="please wait")
        until(lambda: begun.exists() and begun.read_text(), "the function is called")
        first.kill()
    until(lambda: not is_there(int(begun.read_text())), "the function's process ends with its worker")
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    with runs_worker(model, tmp_path, "second", **settings):
        maintenance.reap()
        until(lambda: done(run), "the run ends")
    results = agent.messages.filter(kind=Kind.FUNCTION_RESULT, function="wait")
    assert [CALL_UNKNOWN in row.content for row in results] == [True]


def test_a_worker_with_other_settings_is_told_of(transactional_db: None, tmp_path: Path) -> None:
    other = {"MEMWEB_SECRET_KEY": "of another machine", "MEMWEB_EMBEDDING_DIMENSION": "8"}
    odd = worker("background", tmp_path / "odd.log", threads=2, **other)
    told: list[str] = []

    def both_tell() -> bool:
        told.append(health.PARTS["workers"]())
        return "takes the tasks of: ingest." in told[-1]

    with worker("runs", tmp_path / "alike.log"), odd:
        until(both_tell, "both workers tell their queues")
    assert "runs@test" not in told[-1]
    assert "background@test has another MEMWEB_EMBEDDING_DIMENSION and MEMWEB_SECRET_KEY than this" in told[-1]


def test_summaries_and_embeddings_are_made_in_the_background(
    agent: Agent, model: ScriptedServer, tmp_path: Path
) -> None:
    background = worker("background", tmp_path / "background.log", OPENAI_BASE_URL=model.url)
    with runs_worker(model, tmp_path), background:
        for number in range(12):
            run = services.message_send(agent=agent, text=f"number {number} " + "and more " * 80)
            until(partial(done, run), "the run ends")
        agent.refresh_from_db()
        assert agent.queue_start > 1
        until(lambda: Agent.objects.filter(pk=agent.pk, summary__isnull=False).exists(), "a summary heads the queue")
        spoken = agent.messages.filter(kind__in=[Kind.USER_MESSAGE, Kind.ASSISTANT]).exclude(content="")
        until(lambda: not spoken.filter(embedding_model="").exists(), "every message is embedded")
