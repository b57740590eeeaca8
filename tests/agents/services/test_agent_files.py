"""An exported agent comes back as it was, here or elsewhere; a file that is none says where it is wrong."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import selectors, services, tasks
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.llm.scripted import call, say
from agents.models import Agent, FunctionSource, InstalledFunction, Run
from tests.conftest import ServeModel, exchange

SCRIPT = [
    call("core_memory_append", label="human", content="Name: Ann."),
    call("archival_memory_insert", content="The lamp was lit in 1871."),
    say("Noted and filed."),
    say("More."),
]


@pytest.fixture
def exported(agent: Agent, serve_model: ServeModel) -> bytes:
    serve_model(SCRIPT)
    exchange(agent, "I am Ann")
    exchange(agent, "And more")
    services.queue_flush(agent=agent)
    agent.refresh_from_db()
    return services.agent_export(agent=agent).model_dump_json().encode()


def prompt_of(agent: Agent) -> list[dict[str, Any]]:
    return selectors.context_view(agent).main.prompt.messages()


def test_an_imported_agent_sees_what_the_exported_one_saw(agent: Agent, bob: User, exported: bytes) -> None:
    again = services.agent_import(owner=bob, raw=exported)
    again.refresh_from_db()
    assert again.name == "Sam" and again.owner == bob
    assert prompt_of(again) == prompt_of(agent)
    assert [m.content for m in recall_storage.spoken(again)] == [m.content for m in recall_storage.spoken(agent)]
    filed, there = again.archive.passages.get(), agent.archive.passages.get()
    assert (filed.text, filed.created_at) == ("The lamp was lit in 1871.", there.created_at)
    assert exchange(again, "Go on").status == Run.Status.DONE


def test_what_was_imported_is_found_by_words_at_once_and_by_meaning_soon(bob: User, exported: bytes) -> None:
    again = services.agent_import(owner=bob, raw=exported)
    assert archival_storage.find(again, "lamp").total == 1
    assert again.archive.passages.filter(embedding=None).count() == 1
    tasks.embed_passages()
    assert not again.archive.passages.filter(embedding=None).exists()


def test_a_second_import_needs_another_name(alice: User, agent: Agent, exported: bytes) -> None:
    with pytest.raises(InvalidInput, match="already have an agent called “Sam”"):
        services.agent_import(owner=alice, raw=exported)
    assert services.agent_import(owner=alice, raw=exported, name="Sam the second").name == "Sam the second"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "letta"}, "format"),
        ({"version": 9}, "version"),
        ({"messages": [{"kind": "shout", "time": "2026-01-01T00:00:00Z"}]}, r"messages\.0\.kind"),
        ({"context_window": 12}, "context_window"),
        ({"core_memory": [{"label": "x", "value": "too long", "limit": 3}]}, "at most 3 characters"),
        ({"secrets": 1}, "secrets"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_makes_nothing(
    bob: User, exported: bytes, change: dict[str, Any], told: str
) -> None:
    raw = json.dumps({**json.loads(exported), **change}).encode()
    with pytest.raises(InvalidInput, match=told):
        services.agent_import(owner=bob, raw=raw)
    assert not Agent.objects.filter(owner=bob).exists()


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"[]", b"\xff\xfe{"])
def test_something_else_is_told_to_be_something_else(bob: User, raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="not an agent exported by memweb"):
        services.agent_import(owner=bob, raw=raw)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "function_result", "time": "2026-01-01T00:00:00Z", "content": "no JSON"},
        {"kind": "user_message", "time": "9999-12-31T23:59:59-12:00", "content": "late"},
    ],
)
def test_what_fits_the_form_and_cannot_be_kept_is_told_too(bob: User, exported: bytes, message: dict[str, Any]) -> None:
    raw = json.dumps({**json.loads(exported), "messages": [message]}).encode()
    with pytest.raises(InvalidInput, match="cannot be imported"):
        services.agent_import(owner=bob, raw=raw)
    assert not Agent.objects.filter(owner=bob).exists()


def test_text_that_no_database_holds_is_cleaned(bob: User, exported: bytes) -> None:
    calls = [{"id": "c", "name": "x\x00y", "arguments": "{}"}]
    message = {"kind": "assistant", "time": "2026-01-01T00:00:00Z", "content": "a\x00b", "calls": calls}
    raw = json.dumps({**json.loads(exported), "messages": [message]}).encode()
    kept = services.agent_import(owner=bob, raw=raw).messages.get()
    assert (kept.content, kept.calls[0]["name"]) == ("ab", "xy")


def test_the_functions_that_were_chosen_come_along(agent: Agent, bob: User) -> None:
    source = FunctionSource.objects.create(name="lake.py")
    for name, asks in (("depth", False), ("drain", True)):
        InstalledFunction.objects.create(source=source, name=name, ask_first=asks)
    services.functions_choose(agent=agent, names={"send_message", "depth", "drain", "elsewhere"})
    services.function_ask_first(agent=agent, name="depth", ask=True)
    services.function_ask_first(agent=agent, name="drain", ask=False)
    raw = services.agent_export(agent=agent).model_dump_json().encode()
    again = services.agent_import(owner=bob, raw=raw)
    again.refresh_from_db()
    assert again.detached_functions == agent.detached_functions
    assert again.attached_functions == ["depth", "drain", "elsewhere"]
    assert again.ask_first == ["depth", "drain"]  # a file turns off no question that the module wants to be asked


def test_a_file_of_version_1_has_every_function_of_memwebs_own(bob: User, exported: bytes) -> None:
    older = json.loads(exported) | {"version": 1}
    for name in ("functions_off", "functions_on", "functions_ask"):
        del older[name]
    again = services.agent_import(owner=bob, raw=json.dumps(older).encode())
    assert (again.detached_functions, again.attached_functions) == ([], [])


def test_a_file_cannot_silence_an_agent(bob: User, exported: bytes) -> None:
    raw = json.dumps(json.loads(exported) | {"functions_off": ["send_message", "nothing"]}).encode()
    again = services.agent_import(owner=bob, raw=raw)
    assert again.detached_functions == []
