"""MCP servers: what they offer is found, called outside of every transaction, and hurts nobody when it is broken."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from mcp_types import Tool
from pytest_django import Settings

from agents import selectors, services
from agents.exceptions import FunctionError, InvalidInput
from agents.functions import installed, mcp_servers, registry, toolset
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, FunctionSource, InstalledFunction, Message, OutsideCall, Run
from agents.prompts import CALL_UNKNOWN
from agents.services import ServerDraft
from memweb.functions import servers
from memweb.functions.mcp_tools import functions_of
from memweb.functions.sources import Described, FunctionFault
from memweb.stack.env import Env
from memweb.stack.plan import free_port
from tests.agents.outside import Killed, answered_once, killed, results
from tests.conftest import ServeModel, exchange, make_agent

PROGRAM = Path(__file__).parent.parent / "mcp_server.py"
STDIO = f"{sys.executable} {PROGRAM}"
Kind = Message.Kind
Add = Callable[..., FunctionSource]


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    path = tmp_path / "counted"
    path.touch()
    return path


@pytest.fixture
def staff(alice: User) -> User:
    alice.is_staff = True
    alice.save()
    return alice


@pytest.fixture
def add(staff: User, counted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Add a server and have a worker look at it."""
    monkeypatch.setattr(mcp_servers, "env", lambda: Env(memweb_home=tmp_path, memweb_mcp_allow_private=True))
    secrets = f"COUNTED={counted}\nPYTHONPATH={PROGRAM.parent.parent}"
    made = []

    def add(address: str = STDIO, name: str = "counting", secrets: str = secrets, **more: Any) -> FunctionSource:
        draft = ServerDraft(
            name, address, secrets if not address.startswith("http") else more.pop("headers", ""), **more
        )
        server = services.server_add(person=staff, draft=draft)
        made.append(server.pk)
        return look(server)

    yield add
    for pk in made:
        servers.forget(pk)


@pytest.fixture
def by_http(counted: Path) -> Iterator[str]:
    """The address of such a server over HTTP."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(port)], env={**os.environ, "COUNTED": str(counted)})
    try:
        wait_for(f"http://127.0.0.1:{port}/mcp")
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def wait_for(url: str) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as client:
        for _attempt in range(2000):
            try:
                client.get(url)
                return
            except httpx.ConnectError:
                subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError("no server")


def look(server: FunctionSource) -> FunctionSource:
    mcp_servers.ask(server.pk)
    mcp_servers.look(server.pk)
    server.refresh_from_db()
    return server


def turned_on(agent: Agent, *names: str) -> Agent:
    for name in names:
        services.function_switch(agent=agent, name=name, on=True)
        if name in agent.ask_first:
            services.function_ask_first(agent=agent, name=name, ask=False)
    return agent


def called(agent: Agent, name: str, arguments: str, check: Callable[[], None] = lambda: None) -> str:
    return installed.by_name(agent.owner_id)[name].call(arguments, agent=agent, call_id="1", check=check)


def runs(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("way", ["stdio", "http"])
def test_an_agent_calls_the_functions_of_a_server(
    way: str, request: pytest.FixtureRequest, agent: Agent, add: Add, counted: Path, serve_model: ServeModel
) -> None:
    server = add(STDIO if way == "stdio" else request.getfixturevalue("by_http"))
    assert server.error == "" and not server.looking and server.looked_at
    asks = dict(server.functions.values_list("name", "ask_first"))
    assert asks["count"] and not asks["lookup"] and len(asks) == 8
    turned_on(agent, "count", "lookup")
    model = serve_model([call("count", word="heron"), call("lookup", word="heron"), say("Done.")])
    assert exchange(agent, "Count heron.").status == Run.Status.DONE
    assert results(agent)[:2] == ["Counted heron.", "heron is a bird."]
    assert counted.read_text() == "heron\n" and answered_once(agent)
    told = {tool["function"]["name"]: tool["function"] for tool in model.requests[0]["tools"]}
    assert told["count"]["description"] == "Write a word down." and "word" in told["count"]["parameters"]["properties"]
    card = next(card for card in selectors.function_cards(agent) if card.name == "count")
    assert (card.source, card.on, card.calls, card.asks) == ("counting", True, 1, False) and card.tokens > 10


def test_what_may_change_something_asks_first(agent: Agent, add: Add, counted: Path, serve_model: ServeModel) -> None:
    add()
    for name in ("count", "lookup"):
        services.function_switch(agent=agent, name=name, on=True)
    assert agent.ask_first == ["count"]
    serve_model([call("count", word="heron"), say("Done.")])
    assert exchange(agent, "Count.").status == Run.Status.WAITING and counted.read_text() == ""
    services.call_approve(call=OutsideCall.objects.get())
    services.run_next(agent_id=agent.pk)
    assert counted.read_text() == "heron\n" and answered_once(agent)


@pytest.mark.parametrize(
    ("way", "point"),
    [
        *(("stdio", point) for point in ("before it begins", "while it runs", "before its result is written")),
        ("http", "while it runs"),
    ],
)
def test_a_worker_killed_at_each_point_calls_nothing_twice(
    way: str,
    point: str,
    request: pytest.FixtureRequest,
    agent: Agent,
    add: Add,
    counted: Path,
    serve_model: ServeModel,
) -> None:
    add(STDIO if way == "stdio" else request.getfixturevalue("by_http"))
    turned_on(agent, "count")
    serve_model([Answer(calls=(("count", '{"word": "one"}'), ("count", '{"word": "two"}'))), say("Done.")])
    services.message_send(agent=agent, text="Count both.")
    with killed(point), pytest.raises(Killed):
        services.run_next(agent_id=agent.pk)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    services.run_next(agent_id=agent.pk)
    assert sorted(counted.read_text().split()) == ["one", "two"] and answered_once(agent)
    assert (results(agent)[0] == CALL_UNKNOWN) is (point != "before it begins")


def test_a_server_that_dies_is_started_anew(agent: Agent, add: Add, counted: Path, serve_model: ServeModel) -> None:
    add()
    turned_on(agent, "end", "lookup")
    serve_model([call("end"), call("lookup", word="heron"), say("Done.")])
    exchange(agent, "End it.")
    died, after, _said = results(agent)
    assert "Nobody knows whether it was carried out. Its last words: I am tired" in died
    assert after == "heron is a bird." and counted.read_text() == "end\n" and answered_once(agent)


def test_a_keeper_that_is_killed_in_the_middle_of_a_call(
    agent: Agent, add: Add, counted: Path, serve_model: ServeModel
) -> None:
    """Its server goes with it, and the next call finds another."""
    server = add()
    turned_on(agent, "count_slowly", "lookup")
    keeper = servers._kept[server.pk]
    server_pid = int(Path(f"{counted}.pid").read_text())

    def check() -> None:
        if counted.read_text():
            os.kill(keeper._process.pid, signal.SIGKILL)

    with pytest.raises(FunctionError, match="Nobody knows whether it was carried out"):
        called(agent, "count_slowly", '{"word": "once"}', check)
    serve_model([call("lookup", word="heron"), say("Done.")])
    exchange(agent, "Look.")
    assert results(agent)[0] == "heron is a bird." and counted.read_text() == "once\n"
    assert int(Path(f"{counted}.pid").read_text()) != server_pid and not runs(server_pid)


@pytest.mark.parametrize("name", ["count_slowly", "hang"])
def test_a_call_that_takes_too_long_fails_and_the_next_one_is_answered(agent: Agent, add: Add, name: str) -> None:
    """Also where the server answers nobody any more."""
    server = add()
    server.functions.filter(name=name).update(time_limit=0.5)
    arguments = '{"word": "one"}' if name == "count_slowly" else "{}"
    with pytest.raises(FunctionError, match=r"did not end within 0.5 seconds. Nobody knows"):
        called(agent, name, arguments)
    server.functions.filter(name="lookup").update(time_limit=20)
    assert called(agent, "lookup", '{"word": "owl"}') == "owl is a bird."


def test_a_call_that_is_stopped_ends_at_the_server_too(agent: Agent, add: Add, counted: Path) -> None:
    add()

    def stop() -> None:
        if counted.read_text():
            raise Killed

    with pytest.raises(Killed):
        called(agent, "count_twice", '{"word": "stopped"}', stop)
    called(agent, "count_slowly", '{"word": "later", "seconds": 1.5}')
    assert counted.read_text() == "stopped\nlater\n"


def test_results_are_texts_and_mistakes_are_failed_results(agent: Agent, add: Add, serve_model: ServeModel) -> None:
    add()
    turned_on(agent, "picture", "lookup")
    serve_model([call("picture"), call("lookup", bird="heron"), call("lookup", word="owl"), say("Done.")])
    exchange(agent, "Go.")
    shown, wrong, right, _said = results(agent)
    assert shown == "Here.\n\n[image/png, 3 bytes: not shown]" and "word" in wrong and right == "owl is a bird."
    assert list(agent.messages.filter(kind=Kind.FUNCTION_RESULT, failed=True).values_list("content", flat=True)) != []


# What is no server, and what is a bad one

PROGRAMS = {
    "no_such_program --flag": "There is no program “no_such_program”",
    "true": "It is no MCP server.",
    "cat": "It is no MCP server.",
    "yes": "It writes what is no message of MCP.",
    """sh -c "echo hello; echo 'Error: no key' >&2; exit 1" """: "Its last words: Error: no key",
}


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_program_that_is_no_server_is_reported(add: Add, command: str) -> None:
    server = add(command)
    assert PROGRAMS[command] in server.error and not server.looking and not server.functions.exists()


def test_an_address_where_nobody_answers(add: Add) -> None:
    port = free_port()
    assert add(f"http://127.0.0.1:{port}/mcp").error == f"No server answers at 127.0.0.1:{port}."


def test_a_server_that_is_away_keeps_its_functions(agent: Agent, add: Add) -> None:
    server = add()
    server.place = {"command": ["true"]}
    server.save()
    assert "no MCP server" in look(server).error and server.functions.count() == 8


def tool(name: str = "ok", schema: Any = None, **more: Any) -> Tool:
    return Tool(name=name, input_schema=schema or {"type": "object", "properties": {}}, **more)


DRAFT_3, DRAFT_7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (3, 7))
NESTED: dict[str, Any] = {}
for _level in range(3000):
    NESTED = {"type": "object", "properties": {"a": NESTED}}
DOUBLING = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/d0"}},
    "$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {"type": "string"}},
}
UNUSABLE = {
    "no object": (tool("bad", {"type": "string"}), "its schema is no object"),
    "no type": (tool("bad", {"type": "object", "properties": {"a": {"type": 12}}}), "its schema is broken"),
    "a list for properties": (tool("bad", {"type": "object", "properties": ["a"]}), "its schema is broken"),
    "too deep": (tool("bad", NESTED), "too deep"),
    "doubling": (tool("bad", DOUBLING), "at most 20,000 parts"),
    "a number for its dialect": (tool("bad", {"type": "object", "$schema": 5}), "its schema is broken"),
    "a yes for what is required": (
        tool("bad", {"type": "object", "$schema": DRAFT_3, "required": True}),
        "its schema is broken",
    ),
    "no number": (
        tool("bad", {"type": "object", "properties": {"a": {"const": float("inf")}}}),
        "its schema is broken",
    ),
    "refers elsewhere": (
        tool("bad", {"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}),
        "refers to http",
    ),
    "refers nowhere": (tool("bad", {"type": "object", "properties": {"a": {"$ref": "#/nix"}}}), "refers to #/nix"),
    "too long": (
        tool("bad", {"type": "object", "properties": {"a": {"type": "string", "description": "x" * 30_000}}}),
        "more than 20,000 characters",
    ),
    "our name": (
        tool("bad", {"type": "object", "properties": {"request_heartbeat": {"type": "string"}}}),
        "uses the name request_heartbeat",
    ),
    "no name": (tool("…"), "no name that a model can be told"),
    "a name twice": (tool("ok."), "another tool with the name ok_"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_tool_with_a_broken_schema_is_left_out_alone(kind: str) -> None:
    bad, reason = UNUSABLE[kind]
    found = functions_of([tool("ok/"), bad])
    assert [one["name"] for one in found["functions"]] == ["ok_"] and len(found["left_out"]) == 1
    assert reason in found["left_out"][0]


def test_a_schema_that_refers_to_itself_is_usable() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}
    schema = {"type": "object", "properties": {"tree": {"$ref": "#/$defs/Tree"}}, "$defs": {"Tree": tree}}
    (one,) = functions_of([tool("grow", schema, description="Grow.")])["functions"]
    assert one["parameters"]["properties"]["tree"]["properties"]["children"] == {"type": "array", "items": {}}
    assert one["parameters"]["required"] == ["request_heartbeat"] and one["ask_first"]


def test_references_of_every_form_are_resolved() -> None:
    """As servers in other languages write them."""
    schema = {
        "type": "object",
        "$schema": DRAFT_7,
        "properties": {
            "filter": {"$ref": "#/definitions/Filter"},
            "same": {"$ref": "#/properties/filter"},
            "first": {"anyOf": [{"$ref": "#/definitions/a~1b%20c"}]},
        },
        "definitions": {"Filter": {"type": "string", "enum": ["a"]}, "a/b c": {"type": "integer"}},
    }
    (one,) = functions_of([tool("find", schema)])["functions"]
    told = one["parameters"]["properties"]
    assert told["filter"] == told["same"] == {"type": "string", "enum": ["a"]}
    assert told["first"] == {"anyOf": [{"type": "integer"}]} and "$ref" not in json.dumps(one)


# Names


def test_names_that_clash_get_the_servers_name_before_them_and_keep_it(agent: Agent, add: Add) -> None:
    first, second = add(), add(name="other")
    assert {"count", "lookup"} <= set(first.functions.values_list("name", flat=True))
    assert {"other_count", "other_lookup"} <= set(second.functions.values_list("name", flat=True))
    services.server_remove(server=first)
    look(second)
    assert "other_count" in second.functions.values_list("name", flat=True)
    mine = turned_on(agent, "other_count")
    assert toolset.of(mine).functions["other_count"].schema.description == "Write a word down."


def test_a_function_that_becomes_one_that_changes_things_asks_from_then_on(agent: Agent, add: Add) -> None:
    server = add()
    server.functions.filter(name="count").update(ask_first=False)
    services.function_switch(agent=agent, name="count", on=True)
    assert agent.ask_first == []
    look(server)
    agent.refresh_from_db()
    assert agent.ask_first == ["count"]


def described(name: str, *, ask_first: bool, **more: Any) -> Described:
    schema = {"type": "object", "properties": {}, "required": []}
    return Described(name, "", schema, idempotent=False, ask_first=ask_first, time_limit=60, remote_name=name, **more)


def offered(server: FunctionSource, *tools: Described) -> None:
    """What it says next time."""
    mcp_servers.ask(server.pk)
    with patch.object(servers, "tools", lambda *_: servers.Tools(list(tools), [])):
        mcp_servers.look(server.pk)


@pytest.fixture
def remote(staff: User) -> FunctionSource:
    return services.server_add(person=staff, draft=ServerDraft("remote", "https://example.org/mcp"))


@pytest.mark.parametrize("between", ["it goes and comes back", "another server has it", "an agent was given the name"])
def test_a_yes_to_one_function_is_none_to_another_of_its_name(
    between: str, agent: Agent, staff: User, remote: FunctionSource
) -> None:
    if between == "an agent was given the name":
        services.functions_choose(agent=agent, names={*registry.registered(), "lookup"})
    else:
        offered(remote, described("lookup", ask_first=False))
        turned_on(agent, "lookup")
    assert agent.ask_first == []
    if between == "another server has it":
        services.server_remove(server=remote)
        remote = services.server_add(person=staff, draft=ServerDraft("second", "https://example.com/mcp"))
    elif between == "it goes and comes back":
        offered(remote)
    offered(remote, described("lookup", ask_first=True))
    agent.refresh_from_db()
    assert agent.ask_first == ["lookup"]
    turned_on(agent, "lookup")
    offered(remote, described("lookup", ask_first=True))
    agent.refresh_from_db()
    assert agent.ask_first == []  # the person said so of this very function


def test_a_new_tool_does_not_take_the_name_of_a_known_one(agent: Agent, add: Add, remote: FunctionSource) -> None:
    add()
    offered(remote, described("count", ask_first=False))
    turned_on(agent, "remote_count")
    offered(remote, described("remote_count", ask_first=True), described("count", ask_first=False))
    names = dict(remote.functions.values_list("remote_name", "name"))
    assert names == {"count": "remote_count", "remote_count": "remote_remote_count"}


def test_a_look_that_comes_too_late_writes_nothing(staff: User, remote: FunctionSource) -> None:
    """The address was changed while it was under way, or the server removed."""

    def changed(*_: object) -> servers.Tools:
        services.server_change(person=staff, server=remote, draft=ServerDraft("remote", "https://example.com/mcp"))
        return servers.Tools([described("old", ask_first=True)], [])

    def removed(*_: object) -> servers.Tools:
        services.server_remove(server=FunctionSource.objects.get(pk=remote.pk))
        return servers.Tools([described("old", ask_first=True)], [])

    for during in (changed, removed):
        mcp_servers.ask(remote.pk)
        with patch.object(servers, "tools", during):
            mcp_servers.look(remote.pk)
        assert not InstalledFunction.objects.exists()


def test_a_schema_that_no_database_holds_is_cleaned(remote: FunctionSource) -> None:
    odd = described("odd", ask_first=True)
    odd.parameters["properties"]["a"] = {"type": "string", "description": "\x00\ud800"}
    offered(remote, odd)
    assert remote.functions.get().parameters["properties"]["a"]["description"] == "?"


def test_what_a_shared_server_said_is_for_staff(agent: Agent, bob: User, staff: User, client: Client) -> None:
    draft = ServerDraft("all", "https://example.org/s3cret/mcp", shared=True)
    server = services.server_add(person=staff, draft=draft)
    FunctionSource.objects.filter(pk=server.pk).update(error="Of a call of Ada's.", looked_at=timezone.now())
    for person, told in ((staff, True), (bob, False)):
        client.force_login(person)
        page = client.get(reverse("servers")).content.decode()
        assert ("s3cret" in page, "Of a call of Ada" in page) == (told, told)
        theirs = agent if person == staff else make_agent(bob, "Bee")
        theirs.owner.refresh_from_db()
        assert selectors.broken_sources(theirs).exists() is told


def test_a_server_is_its_owners_alone_unless_it_is_shared(agent: Agent, bob: User, add: Add) -> None:
    add()
    theirs = make_agent(bob, "Bee")
    assert "count" not in {card.name for card in selectors.function_cards(theirs)}
    turned_on(theirs, "count")
    assert "count" not in toolset.of(theirs).functions and "count" in toolset.there_are(agent.owner_id)
    add(name="all", shared=True)
    assert "all_lookup" in toolset.there_are(agent.owner_id)
    assert {"all_count", "all_lookup"} <= set(toolset.there_are(bob.pk))


# Secrets, and where it may lead


def test_secrets_are_stored_sealed_and_reach_the_server(
    add: Add, by_http: str, agent: Agent, settings: Settings
) -> None:
    server = add(by_http, headers="Authorization: Bearer s3cret")
    assert "s3cret" not in server.secrets and server.secrets
    assert called(agent, "who_asks", "{}") == "Bearer s3cret"
    settings.SECRET_KEY = "another"
    with pytest.raises(FunctionError, match="stored with another secret key"):
        called(agent, "who_asks", "{}")


def test_secrets_stay_when_they_are_left_empty_and_go_with_another_host(staff: User, add: Add, by_http: str) -> None:
    server = add(by_http, headers="Authorization: Bearer s3cret")
    kept = server.secrets
    changed = services.server_change(person=staff, server=server, draft=ServerDraft("n", by_http + "?x=1"))
    assert changed.secrets == kept and changed.looking
    gone = services.server_change(person=staff, server=server, draft=ServerDraft("n", "https://example.org/mcp"))
    assert gone.secrets == ""


def test_private_networks_are_refused_unless_the_operator_allows_them(
    add: Add, by_http: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mcp_servers, "env", lambda: Env(memweb_home=tmp_path))
    server = add(by_http)
    assert "127.0.0.1 is an address of a private network" in server.error and not server.functions.exists()


def test_only_staff_can_have_programs_run(alice: User, staff: User, agent: Agent, add: Add, bob: User) -> None:
    with pytest.raises(InvalidInput, match="Only staff"):
        services.server_add(person=bob, draft=ServerDraft("mine", "npx some-server"))
    with pytest.raises(InvalidInput, match="Only staff"):
        services.server_add(person=bob, draft=ServerDraft("mine", "https://example.org/mcp", shared=True))
    add()
    staff.is_staff = False
    staff.save()
    with pytest.raises(FunctionError, match="Only staff may have programs run"):
        called(agent, "lookup", "{}")


WRONG = {
    ("", "https://example.org/mcp", ""): "A name has",
    ("two words", "https://example.org/mcp", ""): "A name has",
    ("n" * 33, "https://example.org/mcp", ""): "A name has",
    ("ok", "", ""): "Write the server's URL",
    ("ok", "https://", ""): "This is no URL",
    ("ok", "https://exa mple.org", ""): "This is no URL",
    ("ok", "http://[::1", ""): "This is no URL",
    ("ok", "https://example.org:port/", ""): "This is no URL",
    ("ok", "https://me:secret@example.org/mcp", ""): "Leave the password out",
    ("ok", "npx 'some", ""): "quotation mark",
    ("ok", "https://example.org/mcp", "Authorization Bearer x"): "Line 1 is not understood",
    ("ok", "https://example.org/mcp", "A: b\nB: ü"): "Line 2 is not understood",
    ("ok", "npx server", "A: b"): "Line 1 is not understood",
}


@pytest.mark.parametrize("written", WRONG)
def test_what_a_server_cannot_be_is_said(staff: User, written: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidInput, match=WRONG[written]):
        services.server_add(person=staff, draft=ServerDraft(*written))
    assert not FunctionSource.objects.exists()


def test_a_name_is_taken_once(staff: User) -> None:
    services.server_add(person=staff, draft=ServerDraft("one", "https://example.org/mcp"))
    with pytest.raises(InvalidInput, match="a server called “one” already"):
        services.server_add(person=staff, draft=ServerDraft("one", "https://example.org/other"))


def test_looking_at_modules_leaves_servers_alone(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = add()
    monkeypatch.setattr(installed, "env", lambda: Env(memweb_home=tmp_path))
    installed.refresh()
    assert FunctionSource.objects.filter(pk=server.pk).exists() and InstalledFunction.objects.count() == 8


def test_a_faulty_answer_of_a_keeper_is_a_fault_of_this_call() -> None:
    with pytest.raises(FunctionFault, match="no program"):
        servers.tools(-1, {"command": ["no_such_program"]})
    servers.forget(-1)
