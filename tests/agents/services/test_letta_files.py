"""Letta's `.af`: what is taken of it, what is told, and what a bad one says; `tests/api/test_letta_package.py` has real
ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from agents import selectors, services
from agents.exceptions import InvalidInput, QuotaReached
from agents.functions import registry
from agents.ingest import working
from agents.llm.scripted import call, say
from agents.models import Agent, Block, Document, FunctionSource, InstalledFunction, Message, Quota, Run, Summary
from agents.services import Bringing, Imported, letta_files
from tests.conftest import ServeModel, exchange

Kind = Message.Kind


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def bring(owner: User, data: Any, **how: Any) -> list[Imported]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return services.agents_import(owner=owner, file=ContentFile(raw), how=Bringing(**how))


def one(owner: User, *, agent: dict[str, Any] | None = None, **file: Any) -> Imported:
    (made,) = bring(owner, {"agents": [{"name": "Rui", **(agent or {})}], **file})
    made.agent.refresh_from_db()
    return made


def seen(agent: Agent) -> list[tuple[str, str]]:
    return [(message.kind, message.content) for message in agent.messages.order_by("seq")]


def said(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}], **more}


def asked(key: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


# Messages


def test_the_window_begins_where_the_file_says_and_in_its_order(bob: User) -> None:
    messages = [
        said("system", "You are.", id="s"),
        said("user", "new", id="new"),
        said("user", "newer", id="newer"),
        said("user", "old", id="old"),
    ]
    agent = one(bob, agent={"messages": messages, "in_context_message_ids": ["s", "newer", "new", "gone"]}).agent
    assert [text for _kind, text in seen(agent)] == ["old", "newer", "new"]
    assert agent.queue_start == 2


def test_a_system_message_in_the_window_brings_no_older_ones_in(bob: User) -> None:
    messages = [said("system", "You are.", id="s"), said("user", "old", id="old"), said("user", "new", id="new")]
    agent = one(bob, agent={"messages": messages, "in_context_message_ids": ["s", "new"]}).agent
    assert agent.queue_start == 2


def test_each_call_has_one_result_behind_it(bob: User) -> None:
    messages = [
        said("assistant", "Both.", id="1", tool_calls=[asked("a", "look"), asked("b", "leap")]),
        said("tool", "leapt", tool_call_id="b"),
        said("tool", "nobody asked", tool_call_id="z"),
        said("user", "Hello"),
        said("function", "late", tool_call_id="a"),
    ]
    agent = one(bob, agent={"messages": messages}).agent
    rows = list(agent.messages.order_by("seq"))
    assert [(row.kind, row.call_id) for row in rows] == [
        (Kind.ASSISTANT, ""),
        (Kind.FUNCTION_RESULT, "b"),
        (Kind.FUNCTION_RESULT, "a"),
        (Kind.USER_MESSAGE, ""),
    ]
    assert rows[0].inner_monologue == "Both." and rows[2].failed and "no result" in rows[2].content
    assert selectors.context_view(agent).main.prompt.messages()


def test_calls_and_thoughts_that_stand_in_the_content_are_found(bob: User) -> None:
    parts = [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "tool_call", "id": "a", "name": "look", "input": {"far": True}},
    ]
    messages = [{"role": "assistant", "content": parts}, {"role": "user", "content": [{"type": "image"}]}]
    agent = one(bob, agent={"messages": messages}).agent
    first, _result, last = agent.messages.order_by("seq")
    assert (first.inner_monologue, first.calls[0]["arguments"]) == ("Hm.", '{"far": true}')
    assert last.content == "[picture]"


def test_what_a_program_answered_for_a_call_is_its_result_and_a_yes_alone_is_none(bob: User) -> None:
    answers = [{"type": "tool", "tool_call_id": "a", "status": "error", "func_response": "too far"}]
    messages = [
        said("approval", "", tool_calls=[asked("a", "look")]),
        {
            "role": "approval",
            "approve": True,
            "approvals": [{"type": "approval", "tool_call_id": "a", "approve": True}],
        },
        {"role": "approval", "approvals": answers},
        said("tool", "once more", tool_call_id="a"),
    ]
    first, result = one(bob, agent={"messages": messages}).agent.messages.order_by("seq")
    assert first.calls[0]["name"] == "look"
    assert (result.call_id, result.failed) == ("a", True) and "too far" in result.content


@pytest.mark.parametrize("text", ['{"type": "order", "message": "tea"}', '{"type": []}', "[1]", '"x"', "{"])
def test_json_that_a_person_wrote_is_what_they_wrote(bob: User, text: str) -> None:
    assert seen(one(bob, agent={"messages": [said("user", text)]}).agent) == [(Kind.USER_MESSAGE, text)]


# Functions and files


def test_functions_are_chosen_by_name_and_the_others_are_told(bob: User) -> None:
    source = FunctionSource.objects.create(name="lake.py")
    for name in ("depth", "drain"):
        InstalledFunction.objects.create(source=source, name=name)
    tools = [
        {"id": "tool-0", "name": "memory_insert"},
        {"id": "tool-1", "name": "depth", "default_requires_approval": True},
        {"id": "tool-2", "name": "web_search"},
    ]
    rules = [{"tool_name": "drain", "type": "requires_approval"}]
    wanted = {"tool_ids": ["tool-0", "tool-1", "tool-2", "tool-9"], "tools": ["drain"], "tool_rules": rules}
    made = one(bob, agent=wanted, tools=tools)
    assert made.missing_functions == ["tool-9", "web_search"]
    assert made.agent.attached_functions == made.agent.ask_first == ["depth", "drain"]
    on = set(registry.registered()) - set(made.agent.detached_functions)
    assert on == {"send_message", "core_memory_append"}


def test_a_file_that_names_no_functions_turns_none_off(bob: User) -> None:
    made = one(bob, agent={"tool_ids": None})
    assert (made.agent.detached_functions, made.missing_functions) == ([], [])


def test_memwebs_own_file_tells_what_is_not_here_too(agent: Agent, bob: User) -> None:
    services.functions_choose(agent=agent, names={"send_message", "elsewhere"})
    raw = services.agent_export(agent=agent).model_dump_json(indent=2).encode()
    (made,) = bring(bob, raw, name="Ada", suffix=" II", with_messages=False)
    assert (made.agent.name, made.missing_functions) == ("Ada II", ["elsewhere"])
    assert not made.agent.messages.exists()


def test_files_become_documents_and_those_without_text_are_told(bob: User) -> None:
    files = [
        {"id": "1", "source_id": "s", "original_file_name": "a/plan.pdf", "content": "Oak."},
        {"id": "2", "source_id": "s", "original_file_name": "plan.pdf", "content": "Elm."},
        {"id": "3", "source_id": "s", "file_name": "same.txt", "content": "Oak."},
        {"id": "4", "source_id": "s", "file_name": "lost.txt", "content": " "},
        {"id": "5", "source_id": "other", "file_name": "foreign.txt", "content": "Not its own."},
        {"id": "6", "source_id": "t", "file_name": "..", "content": "Linked."},
        {"id": "7", "source_id": "s", "file_name": "data.json", "content": "%PDF no"},
    ]
    made = one(bob, agent={"source_ids": ["s"], "files_agents": [{"file_id": "6"}]}, files=files)
    documents = made.agent.archive.documents
    assert {document.name for document in documents.all()} == {"plan.pdf.md", "plan.pdf_1.md", "document"}
    assert {document.status for document in documents.all()} == {Document.Status.QUEUED}
    assert made.missing_files == ["lost.txt", "data.json"]


# Blocks, and several agents


def test_a_block_that_two_agents_have_is_one(bob: User) -> None:
    own = {"tags": ["x"], "metadata": {"a": 1}}
    blocks = [{"id": "b", "label": "rules", "value": None, "limit": 0, "read_only": True, **own}]
    agents = [{"name": name, "block_ids": ["b", "gone", "b"]} for name in ("Ann", "Bo")]
    ann, bo = (made.agent for made in bring(bob, {"agents": agents, "blocks": blocks}))
    block = Block.objects.get(owner=bob)
    assert ann.blocks.get() == bo.blocks.get() == block
    (written,) = services.letta_export(agent=bo)["blocks"]
    assert {"label": "rules", "read_only": True, **own}.items() <= written.items()


def test_of_several_agents_all_come_or_none(bob: User, settings: Settings) -> None:
    files = [{"id": "f", "source_id": "s", "file_name": "a.txt", "content": "words"}]
    agents = [{"name": "Ann", "source_ids": ["s"]}, {"name": "Ann"}]
    with pytest.raises(InvalidInput, match="already have an agent called “Ann”"):
        bring(bob, {"agents": agents, "files": files})
    assert not Agent.objects.filter(owner=bob).exists()
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*.txt") if path.read_text() == "words"]
    with pytest.raises(InvalidInput, match="2 agents"):
        bring(bob, {"agents": [{"name": "Ann"}, {"name": "Bo"}]}, name="Cy")
    Quota.objects.create(user=bob, agents=1)
    with pytest.raises(QuotaReached):
        bring(bob, {"agents": [{"name": "Ann"}, {"name": "Bo"}]})


# Bad files


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"messages": 7}, "agents.0.messages"),
        ({"messages": [{"role": "oracle", "content": "x"}]}, "agents.0.messages.0.role"),
        ({"messages": [said("tool", "x", created_at="9999-12-31T23:59:59-14:00")]}, "agents.0.messages.0.created_at"),
        ({"tool_rules": [{"type": 7}]}, "agents.0.tool_rules.0.tool_name"),
        ({"name": None}, "agents.0.name"),
        ({"memory_blocks": [{"label": "x", "value": {}}]}, "agents.0.memory_blocks.0.value"),
        ({"metadata": json.loads('{"a":' * 200 + "1" + "}" * 200)}, "agents.0.metadata"),
        ({"tools": ["x" * 300]}, "agents.0.tools.0"),
    ],
)
def test_a_shape_that_does_not_fit_is_told_with_its_place(bob: User, change: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInput, match=f"no agent file of Letta or of memweb: {place}, "):
        one(bob, agent=change)
    assert not Agent.objects.filter(owner=bob).exists()


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 5000])
def test_a_number_that_is_none_is_told(bob: User, number: str) -> None:
    with pytest.raises(InvalidInput, match="no agent file"):
        bring(bob, b'{"agents": [{"name": "Rui", "metadata": {"a": %s}}]}' % number.encode())


def test_text_that_no_database_holds_is_cleaned(bob: User) -> None:
    raw = b'{"agents": [{"name": "Rui", "tags": ["a\\u0000"], "metadata": {"\\ud800": "\\u0000"}, "messages": [%s]}]}'
    messages = [b'{"role": "user", "content": "a\\u0000b\\ud83d"}', b'{"role": "user", "content": "\xed\xa0\xbd"}']
    (made,) = bring(bob, raw % b",".join(messages))
    assert [text for _kind, text in seen(made.agent)] == ["ab?", "?"]
    assert (made.agent.tags, made.agent.metadata) == (["a"], {"?": ""})


def test_what_a_newer_letta_adds_is_passed_over(bob: User) -> None:
    new = {"dreams": [{"of": "sheep"}], "messages": [said("user", "Hello", mood={"x": 1})]}
    made = one(bob, agent=new, metadata={"revision_id": "later"}, dreams=[1], version=99)
    assert seen(made.agent) == [(Kind.USER_MESSAGE, "Hello")]


def test_a_schema_that_leads_to_itself_and_one_without_an_end_are_no_danger(bob: User) -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    tools = [{"id": "tool-0", "name": "loop", "json_schema": schema}]
    assert one(bob, agent={"tool_ids": ["tool-0"]}, tools=tools).missing_functions == ["loop"]
    deep = b'{"agents": [{"name": "Deep", "metadata": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_003
    with pytest.raises(InvalidInput, match="no agent file"):
        bring(bob, deep)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"agents": [' + b'{"role":""},' * 1001 + b"{}]}", "more than 1,000 messages"),
        (b'{"agents": [' + b"[]," * 10_001 + b"[]]}", "more than 10,000 objects"),
    ],
)
def test_far_too_many_of_anything_is_refused_before_it_is_read(
    bob: User, monkeypatch: pytest.MonkeyPatch, raw: bytes, told: str
) -> None:
    def read(_raw: bytes) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(letta_files, "MOST_MESSAGES", 1000)
    monkeypatch.setattr(letta_files, "MOST_PARTS", 10_000)
    monkeypatch.setattr(json, "loads", read)
    with pytest.raises(InvalidInput, match=told):
        bring(bob, raw)


def test_a_file_too_large_is_not_taken(bob: User, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    with pytest.raises(InvalidInput, match="at most 1 MB"):
        bring(bob, b" " * (1024 * 1024 + 1))


# The shape of before


def test_a_file_of_the_shape_before_is_taken(bob: User) -> None:
    old = {
        "agent_type": "memgpt_agent",
        "name": "Old",
        "system": "You are old.",
        "core_memory": [{"label": "human", "value": "Name: Ann", "limit": 5000}],
        "messages": [said("system", "You are old."), said("user", "before"), said("user", "now")],
        "in_context_message_indices": [0, 2],
        "tags": [{"tag": "grey"}],
        "tools": [{"name": "send_message"}, {"name": "google"}],
        "tool_rules": [{"tool_name": "send_message", "type": "exit_loop"}],
        "version": "0.7.0",
    }
    (made,) = bring(bob, old)
    agent = Agent.objects.get(pk=made.agent.pk)
    assert (agent.system_instructions, agent.tags, made.missing_functions) == ("You are old.", ["grey"], ["google"])
    assert agent.blocks.get().value == "Name: Ann"
    assert (seen(agent), agent.queue_start) == ([(Kind.USER_MESSAGE, "before"), (Kind.USER_MESSAGE, "now")], 2)


# Written


SCRIPT = [call("core_memory_append", label="human", content="Name: Ann."), say("Noted."), say("More.")]


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    serve_model(SCRIPT)
    exchange(agent, "I am Ann")
    exchange(agent, "And more")
    services.queue_flush(agent=agent)
    agent.refresh_from_db()
    agent.summary = Summary.objects.create(agent=agent, text="Ann: came.\n\nSaid who she is.", covers_to=2, tokens=9)
    agent.save()
    return agent


def test_what_is_written_is_read_as_it_was(talked: Agent, bob: User) -> None:
    talked.description, talked.tags, talked.metadata = "A friend", ["x"], {"a": 1}
    talked.save()
    (made,) = bring(bob, services.letta_export(agent=talked))
    again = Agent.objects.get(pk=made.agent.pk)

    def told(agent: Agent) -> list[tuple[Any, ...]]:
        rows = agent.messages.exclude(kind=Kind.NOTICE).order_by("seq")
        return [(row.kind, row.content, row.inner_monologue, row.calls, row.call_id, row.failed) for row in rows]

    def shown(agent: Agent) -> Any:
        return selectors.context_view(agent).main.prompt.messages()

    assert [row[0] for row in told(again)] == [row[0] for row in told(talked)]
    assert [row[3:] for row in told(again)] == [row[3:] for row in told(talked)]
    assert len(shown(again)) == len(shown(talked))
    assert again.summary and talked.summary and again.summary.text == talked.summary.text
    assert (again.description, again.tags, again.metadata) == ("A friend", ["x"], {"a": 1})
    assert (again.detached_functions, made.missing_functions) == (talked.detached_functions, [])
    assert exchange(again, "Go on").status == Run.Status.DONE


def test_functions_that_are_not_here_travel_by_name(agent: Agent, bob: User) -> None:
    InstalledFunction.objects.create(source=FunctionSource.objects.create(name="a.py"), name="depth")
    services.functions_choose(agent=agent, names={"send_message", "depth", "elsewhere"})
    services.function_ask_first(agent=agent, name="depth", ask=True)
    written = services.letta_export(agent=agent)
    assert {"tool_name": "depth", "type": "requires_approval"} in written["agents"][0]["tool_rules"]
    (made,) = bring(bob, written)
    assert (made.agent.attached_functions, made.agent.ask_first) == (["depth"], ["depth"])
    assert made.missing_functions == ["elsewhere"]
    assert made.agent.detached_functions == agent.detached_functions


@pytest.mark.parametrize(("name", "written"), [("Sam (2)", "Sam _2_"), ("灯塔 é-_'", "灯塔 é-_'")])
def test_a_name_has_the_characters_that_letta_takes(agent: Agent, name: str, written: str) -> None:
    services.agent_rename(agent=agent, name=name)
    assert services.letta_export(agent=agent)["agents"][0]["name"] == written


def test_documents_travel_as_their_texts_while_there_is_room(agent: Agent, bob: User, settings: Settings) -> None:
    for name, text in (
        ("lamp.txt", b"The lamp burns oil.\n\n\nIt is old."),
        ("book.md", b"# Keel\n\n" + b"Oak. " * 99),
    ):
        working.work(services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, text)))
    (made,) = bring(bob, services.letta_export(agent=agent))
    assert {document.name for document in made.agent.archive.documents.all()} == {"lamp.txt", "book.md"}
    settings.MAX_UPLOAD_BYTES = 100
    contents = {file["file_name"]: file["content"] for file in services.letta_export(agent=agent)["files"]}
    assert contents == {"lamp.txt": "The lamp burns oil.\n\n\nIt is old.", "book.md": None}
