"""Functions of one's own: found in modules, called by the loop outside of every transaction, each with one result."""

import json
import textwrap
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import connection
from django.utils import timezone

from agents import outside_calls, runs, services
from agents.functions import installed, toolset
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, FunctionSource, InstalledFunction, Message, OutsideCall, Run
from agents.prompts import CALL_NOT_MADE, CALL_UNKNOWN
from agents.services.runs import MOST_CLAIMS
from memweb.functions import sources
from memweb.functions.sources import Described, Source
from memweb.stack.env import Env
from tests.agents.outside import Killed, answered_once, killed, results
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
Module = Callable[[str, str], None]

COUNTING = """
    import os
    from pathlib import Path
    from memweb.functions import function

    @function()
    def count(word: str) -> str:
        '''Write a word down.

        Args:
            word: Which.
        '''
        with Path(os.environ["COUNTED"]).open("a") as file:
            file.write(word + "\\n")
        return f"Counted {word}."

    @function(idempotent=True)
    def count_again(word: str) -> str:
        '''The same.'''
        return count(word)
"""


OFFER = "from memweb.functions import function\n@function()\n"


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "counted"
    path.touch()
    monkeypatch.setenv("COUNTED", str(path))
    return path


@pytest.fixture(scope="module", autouse=True)
def looked_at_once() -> Iterator[None]:
    """A module that was looked at is known: a process each time takes long."""
    known: dict[str, list[Described]] = {}
    look = sources.describe

    def describe(source: Source) -> list[Described]:
        text = Path(source.place["file"]).read_text()
        return known.get(text) or known.setdefault(text, look(source))

    with patch.object(sources, "describe", describe):
        yield


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Module:
    """Put a module into the folder and have a worker look at it."""
    (tmp_path / "functions").mkdir()
    monkeypatch.setattr(installed, "env", lambda: Env(memweb_home=tmp_path))

    def put(name: str, text: str) -> None:
        (tmp_path / "functions" / f"{name}.py").write_text(textwrap.dedent(text))
        installed.refresh()

    return put


@pytest.fixture
def counting(agent: Agent, module: Module, counted: Path) -> Agent:
    """An agent that may count."""
    module("counting", COUNTING)
    services.function_switch(agent=agent, name="count", on=True)
    services.function_switch(agent=agent, name="count_again", on=True)
    return agent


def test_an_agent_calls_a_function_of_a_module(counting: Agent, counted: Path, serve_model: ServeModel) -> None:
    server = serve_model([call("count", word="heron"), say("Done.")])
    run = exchange(counting, "Count heron.")
    assert run.status == Run.Status.DONE and run.steps.count() == 2
    assert counted.read_text() == "heron\n" and results(counting)[0] == "Counted heron."
    told = {tool["function"]["name"]: tool["function"] for tool in server.requests[0]["tools"]}
    assert told["count"]["description"] == "Write a word down."
    assert told["count"]["parameters"]["properties"]["word"] == {"type": "string", "description": "Which."}
    assert answered_once(counting)


def test_what_an_agent_was_not_given_it_cannot_call(agent: Agent, module: Module, serve_model: ServeModel) -> None:
    module("counting", COUNTING)
    server = serve_model([call("count", word="heron"), say("I cannot.")])
    exchange(agent, "Count heron.")
    assert "no function “count”" in results(agent)[0]
    assert "count" not in {tool["function"]["name"] for tool in server.requests[0]["tools"]}


def test_no_transaction_is_open_and_the_answer_is_committed_while_it_runs(
    counting: Agent, serve_model: ServeModel
) -> None:
    serve_model([call("count", word="heron"), say("Done.")])
    depth = len(connection.savepoint_ids)  # of the test's own transaction
    seen = []

    def look(*_arguments: object, **_more: object) -> str:
        row = counting.messages.get(kind=Kind.ASSISTANT)
        seen.append(
            (len(connection.savepoint_ids), row.calls[0]["name"], OutsideCall.objects.get().begun_at is not None)
        )
        return "Seen."

    with patch.object(installed.OutsideFunction, "call", look):
        exchange(counting, "Count.")
    assert seen == [(depth, "count", True)]


@pytest.mark.parametrize("point", ["before it begins", "while it runs", "before its result is written"])
@pytest.mark.parametrize("name", ["count", "count_again"])
def test_a_killed_worker_at_each_point(
    counting: Agent, counted: Path, serve_model: ServeModel, point: str, name: str
) -> None:
    answer = Answer(calls=((name, '{"word": "one"}'), ("count", '{"word": "two"}')))
    serve_model([answer, say("Done.")])
    services.message_send(agent=counting, text="Count both.")
    with killed(point), pytest.raises(Killed):
        services.run_next(agent_id=counting.pk)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_next(agent_id=counting.pk)
    assert answered_once(counting)
    ran = counted.read_text().split()
    unknown = point != "before it begins" and name == "count"
    assert (results(counting)[0] == CALL_UNKNOWN) is unknown
    assert ran.count("two") == 1 and (ran.count("one") == 1 or name == "count_again")
    assert counting.runs.get().status == Run.Status.DONE
    assert counting.messages.filter(kind=Kind.ASSISTANT, content="Done.").count() == 1


def test_stop_ends_the_call_and_makes_no_other(
    counting: Agent, counted: Path, serve_model: ServeModel, module: Module
) -> None:
    module(
        "slow", "from memweb.functions import function\n@function()\ndef slow():\n    import time; time.sleep(600)\n"
    )
    services.function_switch(agent=counting, name="slow", on=True)
    serve_model([Answer(calls=(("slow", "{}"), ("count", '{"word": "two"}')))])
    begin = outside_calls._begin

    def begun(one: OutsideCall, lease: outside_calls.Hold) -> None:
        begin(one, lease)
        services.run_cancel(agent=counting)

    with patch.object(outside_calls, "_begin", begun):
        run = exchange(counting, "Go.")
    assert run.status == Run.Status.STOPPED and results(counting) == [CALL_UNKNOWN, CALL_NOT_MADE]
    assert answered_once(counting) and counted.read_text() == ""


def test_a_run_that_is_given_up_leaves_no_call_without_a_result(counting: Agent, serve_model: ServeModel) -> None:
    serve_model([call("count", word="heron")])
    services.message_send(agent=counting, text="Count.")
    with patch.object(outside_calls, "_begin", side_effect=Killed), pytest.raises(Killed):
        services.run_next(agent_id=counting.pk)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1), claims=MOST_CLAIMS)
    services.run_next(agent_id=counting.pk)
    assert counting.runs.get().status == Run.Status.FAILED
    assert results(counting) == [CALL_NOT_MADE] and answered_once(counting)


def test_a_function_that_is_gone_is_told(counting: Agent, serve_model: ServeModel) -> None:
    serve_model([call("count", word="heron"), say("Gone.")])
    services.message_send(agent=counting, text="Count.")
    with patch.object(outside_calls, "_begin", side_effect=Killed), pytest.raises(Killed):
        services.run_next(agent_id=counting.pk)
    FunctionSource.objects.all().delete()
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_next(agent_id=counting.pk)
    assert "no function “count” any more" in results(counting)[0] and answered_once(counting)


def test_memory_is_written_with_the_answer_and_a_reply_is_said(
    counting: Agent, counted: Path, serve_model: ServeModel
) -> None:
    append = json.dumps({"label": "human", "content": "Likes herons."})
    calls = (
        ("count", '{"word": "heron"}'),
        ("core_memory_append", append),
        ("send_message", '{"message": "Counting."}'),
    )
    serve_model([Answer(calls=calls), say("Counted.")])
    exchange(counting, "Count.")
    assert "Likes herons." in counting.blocks.get(label="human").value and counted.read_text() == "heron\n"
    replies = counting.messages.filter(kind=Kind.ASSISTANT).order_by("seq").values_list("content", flat=True)
    assert list(replies) == ["Counting.", "Counted."] and answered_once(counting)


def test_a_call_without_heartbeat_ends_the_run(counting: Agent, serve_model: ServeModel) -> None:
    server = serve_model([call("count", heartbeat=False, word="heron"), say("never")])
    assert exchange(counting, "Count.").status == Run.Status.DONE
    assert len(server.requests) == 1


FAULTY = """
    import os, sys, time
    from enum import Enum
    from pydantic import BaseModel
    from memweb.functions import Call, function

    print("A module that talks.")

    class Unit(str, Enum):
        C = "celsius"

    class Place(BaseModel):
        city: str

    @function()
    async def weather(call: Call, place: Place, unit: Unit = Unit.C) -> dict:
        '''How the weather is.'''
        return {"city": place.city, "unit": unit.value, "asked by": call.agent}

    @function()
    def raises():
        raise ValueError("no such lake")

    @function()
    def leaves():
        sys.exit(3)

    @function()
    def crashes():
        os._exit(4)

    @function()
    def breaks_off():
        for number in range(3, 20):  # whatever the answer is written to
            try:
                os.write(number, b'{"result": "ha')
            except OSError:
                pass
        os._exit(0)

    @function(time_limit=1)
    def sleeps():
        time.sleep(600)

    @function()
    def writes_much():
        print("x" * 1_000_000)
        return "y" * 10_000_000

    @function()
    def nothing():
        pass

    @function()
    def half_an_emoji():
        return "\\ud83d"
"""
FAULTS = {
    ("weather", '{"place": {"city": "Graz"}}'): '{"city": "Graz", "unit": "celsius", "asked by": "Sam"}',
    ("weather", '{"place": {}}'): "place.city: field required",
    ("weather", '{"place": {"city": "Graz"}, "sun": 1}'): "sun: extra inputs are not permitted",
    ("weather", "[1]"): "must be a JSON object",
    ("weather", '{"place": '): "not valid JSON",
    ("raises", "{}"): "ValueError: no such lake",
    ("leaves", "{}"): "SystemExit: 3",
    ("crashes", "{}"): "without an answer (exit code 4)",
    ("breaks_off", "{}"): "in the middle of its answer",
    ("sleeps", "{}"): "did not end within 1 seconds",
    ("writes_much", "{}"): "[cut: ",
    ("nothing", ""): "Done.",
    ("half_an_emoji", "{}"): "",
}


def test_whatever_a_function_does_is_a_result(agent: Agent, module: Module, serve_model: ServeModel) -> None:
    module("faulty", FAULTY)
    for name in InstalledFunction.objects.values_list("name", flat=True):
        services.function_switch(agent=agent, name=name, on=True)
    serve_model([*(Answer(calls=(asked,)) for asked in FAULTS), say("That was all.")])
    run = exchange(agent, "Try everything.")
    assert run.status == Run.Status.DONE and answered_once(agent)
    told = results(agent)
    assert len(told) == len(FAULTS) + 1
    for text, expected in zip(told, FAULTS.values(), strict=False):
        assert expected in text and len(text) < 4000


BROKEN = {
    "absent": ("import nothing_of_that_name", "ModuleNotFoundError"),
    "syntax": ("def broken(:", "SyntaxError"),
    "exits": ("import sys; sys.exit()", "SystemExit"),
    "crashes": ("import os; os._exit(0)", "without an answer"),
    "ours": (f"{OFFER}def send_message(): pass", "another function with the name send_message"),
    "twice": (f"{OFFER}def count(): pass", "another function with the name count"),
    "letters": (f"{OFFER}def größe(): pass", "letters of English"),
    "limit": ("from memweb.functions import function\n@function(time_limit=0)\ndef f(): pass", "time_limit"),
    "types": (f"{OFFER}def f(x: 'Nowhere'): pass", "Nowhere"),
}


def test_a_broken_module_is_reported_by_name_and_hurts_nothing_else(
    counting: Agent, module: Module, tmp_path: Path
) -> None:
    for name, (text, _reason) in BROKEN.items():
        (tmp_path / "functions" / f"{name}.py").write_text(text)
    installed.refresh()
    errors = dict(FunctionSource.objects.values_list("name", "error"))
    assert errors.pop("counting.py") == ""
    unlike = {name: errors[f"{name}.py"] for name, (_, reason) in BROKEN.items() if reason not in errors[f"{name}.py"]}
    assert not unlike
    assert set(installed.by_name(counting.owner_id)) == {"count", "count_again"}
    assert "send_message" in toolset.of(counting).functions


def test_a_module_that_comes_back_is_there_again(counting: Agent, module: Module) -> None:
    module("counting", "broken(")
    assert "count" not in toolset.of(counting).functions
    module("counting", COUNTING)
    counting.refresh_from_db()
    assert "count" in toolset.of(counting).functions


def test_an_agent_without_functions_of_its_own_asks_nothing(agent: Agent, module: Module) -> None:
    module("counting", COUNTING)
    with patch.object(installed, "by_name") as asked:
        toolset.of(agent)
    asked.assert_not_called()


def test_a_lease_that_is_lost_begins_no_call(counting: Agent, counted: Path, serve_model: ServeModel) -> None:
    serve_model([call("count", word="heron")])
    services.message_send(agent=counting, text="Count.")
    begin = outside_calls._begin

    def taken_over(one: OutsideCall, lease: outside_calls.Hold) -> None:
        Run.objects.update(lease_token=uuid.uuid4())
        begin(one, lease)

    with patch.object(outside_calls, "_begin", taken_over):
        services.run_next(agent_id=counting.pk)
    assert counted.read_text() == "" and OutsideCall.objects.get().begun_at is None
    assert runs.claim(counting.pk) is None
