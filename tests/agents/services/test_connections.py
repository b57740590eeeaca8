"""Connections: made, tried, used, taken away."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import services
from agents.exceptions import InvalidInput, LLMError, NameTaken
from agents.llm import gateway
from agents.llm.gateway import config_of, connected, summary_config_of
from agents.llm.scripted import Answer, say
from agents.models import Agent, Connection
from agents.services import ConnectionDraft, ModelChoice
from agents.services import connections as services_connections
from tests.model_server import Kind, ModelServer, in_trials, ollama

KEY = "sk-very-secret-0123456789"

Serve = Callable[..., ModelServer]


@pytest.fixture
def serve_kind() -> Iterator[Serve]:
    with ExitStack() as open_servers:
        yield lambda kind, brain=None: open_servers.enter_context(ModelServer(kind, brain))


@pytest.fixture
def staff(alice: User) -> User:
    alice.is_staff = True
    alice.save()
    return alice


def connect(person: User, server: ModelServer, *, look: bool = True, **fields: Any) -> Connection:
    """A connection to it, looked at as a worker does."""
    draft = ConnectionDraft(fields.pop("name", "Mine"), fields.pop("base_url", server.url), **fields)
    row = services.connection_add(person=person, draft=draft)
    if look:
        services.connection_look(connection_id=row.pk, model="")
        row.refresh_from_db()
    return row


def test_a_server_is_tried_and_what_it_can_is_known(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(ollama("llama3.2", "nomic-embed-text", window=8192))
    row = connect(staff, server)
    assert row.error == ""
    facts = row.facts_of("llama3.2")
    assert (facts.mode, facts.streams, facts.counts, facts.sees, facts.window) == ("tools", True, True, False, 8192)
    assert facts.error == "" and facts.tried
    assert row.facts_of("nomic-embed-text").embeds
    config = connected(row, "llama3.2")
    assert (config.context_window, config.mode) == (8192, "tools")


def test_the_key_and_the_headers_are_sent_and_stored_sealed(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(Kind(key=KEY))
    row = connect(staff, server, key=KEY, headers="X-Project: alpha-beta-17")
    assert row.error == "" and server.seen[-1]["x-project"] == "alpha-beta-17"
    assert KEY not in str(Connection.objects.values().get()) and "alpha-beta-17" not in str(row.__dict__)
    assert KEY not in repr(connected(row, "llama3.2"))


@pytest.mark.parametrize("secret", [KEY, "a b-c:d"])
def test_a_wrong_key_is_said_and_not_shown(staff: User, serve_kind: Serve, secret: str) -> None:
    row = connect(staff, serve_kind(Kind(key="another")), key=secret.replace(" ", ""))
    assert "refused the key" in row.error and "“Mine”" in row.error
    assert secret not in row.error and "•••" in row.error


def test_a_key_that_is_left_empty_stays_unless_the_server_is_another(staff: User, serve_kind: Serve) -> None:
    server, other = serve_kind(Kind(key=KEY)), serve_kind(Kind())
    row = connect(staff, server, key=KEY)
    services.connection_change(person=staff, connection=row, draft=ConnectionDraft("Renamed", server.url, timeout=30))
    services.connection_look(connection_id=row.pk, model="")
    row.refresh_from_db()
    assert (row.name, row.error) == ("Renamed", "")
    services.connection_change(person=staff, connection=row, draft=ConnectionDraft("Renamed", other.url))
    services.connection_look(connection_id=row.pk, model="")
    assert all(KEY not in headers.get("authorization", "") for headers in other.seen) and other.seen


def test_v1_is_added_where_it_is_missing(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(Kind())
    row = connect(staff, server, base_url=server.url.removesuffix("/v1") + "/")
    assert (row.error, row.base_url) == ("", server.url)


def plain(_request: Any) -> Answer:
    return Answer(content="I would rather talk.")


def refuses_tools(request: Any) -> Answer:
    if "tools" in request:
        return Answer(status=400, body='{"error": {"message": "llama3.2 does not support tools"}}')
    return in_trials()(request)


def test_a_server_without_tools_is_used_by_json_schema(staff: User, serve_kind: Serve) -> None:
    row = connect(staff, serve_kind(Kind(), refuses_tools))
    assert row.facts_of("llama3.2").mode == "json_schema" and row.error == ""


def test_one_that_calls_no_functions_at_all_is_named(staff: User, serve_kind: Serve) -> None:
    facts = connect(staff, serve_kind(Kind(), plain)).facts_of("llama3.2")
    assert "calls no functions" in facts.error and "llama3.2" in facts.error


def test_a_window_that_is_too_small_is_said(staff: User, serve_kind: Serve) -> None:
    facts = connect(staff, serve_kind(ollama(window=2048))).facts_of("llama3.2")
    assert "2,048" in facts.error and "4,096" in facts.error


WEB_PAGE = {"/v1/models": None}


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        ({"data": [{"id": "a", "max_model_len": 4096}], "object": "list"}, {"a": 4096}),
        ([{"id": "a", "type": "chat", "context_length": 9000}, {"id": "b", "type": "image"}], {"a": 9000}),
        ({"models": [{"name": "models/a", "inputTokenLimit": 7000}]}, {"models/a": 7000}),
        ({"data": [{"id": "a", "context_window": "much"}, {"id": 7}, "b", None, {"id": ""}]}, {"a": None, "b": None}),
        ({"data": [{"id": "a", "top_provider": {"context_length": 5000}}]}, {"a": 5000}),
    ],
)
def test_lists_of_any_shape_are_read(
    staff: User, serve_kind: Serve, listing: Any, names: dict[str, int | None]
) -> None:
    row = connect(staff, serve_kind(Kind(says={"/v1/models": listing})))
    assert {facts["name"]: facts["window"] for facts in row.offered} == names


def test_what_is_no_model_server_is_said(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(Kind())
    row = connect(staff, server, base_url=server.url.removesuffix("/v1") + "/docs/v1")
    assert "no model server" in row.error and "/v1" in row.error


def test_a_server_that_is_not_there_is_said(staff: User, serve_kind: Serve) -> None:
    row = connect(staff, serve_kind(Kind()), base_url="http://127.0.0.1:9/v1")
    assert "cannot be reached" in row.error and "“Mine”" in row.error


def test_an_unknown_model_is_said(staff: User, serve_kind: Serve) -> None:
    body = '{"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}'
    row = connect(staff, serve_kind(Kind(), lambda _request: Answer(status=404, body=body)))
    assert "knows no model" in row.facts_of("llama3.2").error


def test_private_addresses_are_for_staff(alice: User, serve_kind: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve_kind(Kind())
    row = connect(alice, server)
    assert "private network" in row.error and not server.seen
    agent = services.agent_create(owner=alice, draft=services.AgentDraft(name="Sam", connection=row, model="llama3.2"))
    with pytest.raises(LLMError, match="private network"):
        gateway.complete([{"role": "user", "content": "Hi"}], config_of(agent), max_tokens=5, check=lambda: None)
    assert not server.seen


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a/b"},
        {"name": "n" * 41},
        {"base_url": "example.org"},
        {"base_url": "ftp://example.org"},
        {"base_url": "http://☃.net/v1"},
        {"base_url": "https://me:secret@example.org/v1"},
        {"base_url": "https://example.org/v1?key=7"},
        {"key": "two words"},
        {"key": "käse"},
        {"headers": "no colon"},
        {"timeout": 1.0},
        {"timeout": float("nan")},
        {"shared": True},
    ],
)
def test_bad_input_is_a_sentence(alice: User, fields: dict[str, Any]) -> None:
    draft = replace(ConnectionDraft("Mine", "https://example.org/v1"), **fields)
    with pytest.raises(InvalidInput):
        services.connection_add(person=alice, draft=draft)
    assert not Connection.objects.exists()


def test_a_name_is_had_once(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(Kind())
    connect(staff, server, look=False)
    with pytest.raises(NameTaken, match="Mine"):
        connect(staff, server, look=False)


def use(agent: Agent, row: Connection | None, model: str, **fields: Any) -> None:
    services.agent_choose_model(agent=agent, choice=ModelChoice(connection=row, model=model, **fields))


def test_nobody_uses_the_connection_of_another(staff: User, bob: User, serve_kind: Serve) -> None:
    row = connect(staff, serve_kind(Kind()), look=False)
    bobs = services.agent_create(owner=bob, draft=services.AgentDraft(name="Ann"))
    for choice in (ModelChoice(connection=row, model="a"), ModelChoice(summary_connection=row, summary_model="a")):
        with pytest.raises(InvalidInput):
            services.agent_choose_model(agent=bobs, choice=choice)
    assert services.model_named(bob, "Mine/a") == (None, "Mine/a")
    assert services.model_named(staff, "Mine/a/b") == (row, "a/b")


def test_a_connection_that_goes_leaves_its_agents_with_the_configured_model(
    staff: User, agent: Agent, serve_kind: Serve
) -> None:
    row = connect(staff, serve_kind(Kind()), look=False)
    use(agent, row, "llama3.2", summary_connection=row, summary_model="small", function_mode="json_schema")
    assert config_of(Agent.objects.get()).name == "llama3.2"
    assert summary_config_of(Agent.objects.get()).name == "small"
    services.connection_remove(connection=row)
    now = Agent.objects.get()
    assert config_of(now).connection == summary_config_of(now).connection == "" and now.model == now.summary_model == ""
    assert now.function_mode == "auto"


def test_a_shared_one_that_is_kept_for_oneself_leaves_the_agents_of_others(
    staff: User, bob: User, serve_kind: Serve
) -> None:
    server = serve_kind(Kind(key=KEY))
    row = connect(staff, server, key=KEY, shared=True)
    bobs = services.agent_create(owner=bob, draft=services.AgentDraft(name="Ann", connection=row, model="llama3.2"))
    assert config_of(bobs).connection == "Mine" and not config_of(bobs).public_only
    services.connection_change(person=staff, connection=row, draft=ConnectionDraft("Mine", server.url))
    assert config_of(Agent.objects.get(pk=bobs.pk)).connection == ""


def test_what_an_agent_wants_otherwise_goes_before_what_was_found(staff: User, agent: Agent, serve_kind: Serve) -> None:
    server = serve_kind(ollama(window=8192), lambda request: say("Hello."))
    row = connect(staff, server)
    use(agent, row, "llama3.2", context_window=5000, temperature=0.3, reasoning_effort="low", reply_tokens=99)
    config = config_of(agent)
    assert (config.context_window, config.reply_reserve) == (5000, 99)
    server.requests.clear()
    gateway.complete([{"role": "user", "content": "Hi"}], config, max_tokens=5, check=lambda: None)
    sent = server.requests[0]
    assert (sent["temperature"], sent["reasoning_effort"], sent["model"]) == (0.3, "low", "llama3.2")


@pytest.mark.parametrize("fields", [{"context_window": 5}, {"temperature": 3.0}, {"reply_tokens": 3}])
def test_a_choice_out_of_bounds_is_refused(agent: Agent, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        use(agent, None, "", **fields)


def test_a_huge_window_is_used_in_part_unless_somebody_wants_more(staff: User, agent: Agent) -> None:
    row = Connection(name="Far", base_url="https://example.org/v1", owner=staff)
    row.offered = [{"name": "big", "window": 1_048_576}]
    assert connected(row, "big").context_window == gateway.MOST_WINDOW
    assert connected(row, "big", context_window=1_000_000).context_window == 1_000_000
    assert connected(row, "unknown").context_window == gateway.USUAL_WINDOW


def test_a_copy_keeps_the_connection_and_a_file_only_its_name(
    staff: User, bob: User, agent: Agent, serve_kind: Serve
) -> None:
    row = connect(staff, serve_kind(Kind(key=KEY)), key=KEY)
    use(agent, row, "llama3.2", temperature=0.3)
    copied = config_of(services.agent_copy(agent=agent, name="Copy"))
    assert (copied.connection, copied.name, copied.temperature) == ("Mine", "llama3.2", 0.3)
    file = services.agent_export(agent=agent)
    assert file.model == "Mine/llama3.2" and KEY not in file.model_dump_json()
    own = Connection.objects.create(owner=bob, name="Mine", base_url="https://example.org/v1")
    assert ModelChoice.of(imported(bob, agent, "With")).connection == own
    own.delete()
    assert ModelChoice.of(imported(bob, agent, "Without")).connection is None


def imported(person: User, agent: Agent, name: str) -> Agent:
    """Somebody else's, out of the agent's file."""
    with closing(services.agent_write(agent=agent)) as written:
        return services.agent_import(owner=person, raw=written.file, name=name)


def test_a_server_that_fails_is_tried_once(staff: User, serve_kind: Serve) -> None:
    server = serve_kind(Kind(), lambda _request: Answer(status=503, body='{"error": "busy"}'))
    facts = connect(staff, server).facts_of("llama3.2")
    assert "error 503" in facts.error and len(server.requests) == 1


def test_a_look_that_ends_after_a_change_writes_nothing(
    staff: User, serve_kind: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = serve_kind(Kind(models=("old",))), serve_kind(Kind(models=("new",)))
    row = connect(staff, old, look=False, key="sk-of-the-old-server")
    original = services_connections._listed

    def slow(looked_at: Connection) -> Any:
        found = original(looked_at)
        draft = ConnectionDraft("Mine", new.url, key=KEY)
        services.connection_change(person=staff, connection=Connection.objects.get(), draft=draft)
        return found

    monkeypatch.setattr(services_connections, "_listed", slow)
    services.connection_look(connection_id=row.pk, model="")
    row.refresh_from_db()
    assert (row.base_url, row.offered, row.tried, row.looking) == (new.url, [], {}, True)


def test_headers_and_cookies_go_nowhere_else(staff: User, serve_kind: Serve) -> None:
    other = serve_kind(Kind())
    elsewhere = Answer(status=307, body="{}", headers=(("Location", f"{other.url}/chat/completions"),))
    server = serve_kind(Kind(), lambda _request: elsewhere)
    row = connect(staff, server, headers="X-Secret: 0123456789", look=False)
    services.connection_look(connection_id=row.pk, model="")
    assert "error 307" in Connection.objects.get().facts_of("llama3.2").error and not other.seen
    kind = Answer(
        content="Hello.", headers=(("Set-Cookie", "whose=alice"),), content_type="application/json", body="{}"
    )
    cooking = serve_kind(Kind(), lambda _request: kind)
    for name in ("One", "Two"):
        connect(staff, cooking, name=name)
    assert not [headers for headers in cooking.seen if "cookie" in headers]


def test_an_agent_whose_owner_changed_does_not_use_the_former_owners_connection(
    staff: User, bob: User, agent: Agent, serve_kind: Serve
) -> None:
    use(agent, connect(staff, serve_kind(Kind(key=KEY)), key=KEY, look=False), "llama3.2")
    Agent.objects.update(owner=bob)
    assert config_of(Agent.objects.get()).connection == ""


def test_a_key_that_a_long_error_cuts_in_half_is_hidden_too(staff: User, serve_kind: Serve) -> None:
    words = "x" * 290 + KEY
    server = serve_kind(Kind(), lambda _request: Answer(status=400, body=json.dumps({"error": {"message": words}})))
    error = connect(staff, server, key=KEY).facts_of("llama3.2").error
    assert "•••" in error and KEY[:8] not in error


def test_who_uses_everybodys_connection_has_only_its_models_tried(staff: User, bob: User, serve_kind: Serve) -> None:
    row = connect(staff, serve_kind(Kind()), shared=True)
    services.connection_test(connection=row, model="made up", by=bob)
    assert not Connection.objects.get().looking
    services.connection_test(connection=row, model="llama3.2", by=bob)
    assert Connection.objects.get().looking
