"""What goes wrong on the way is mended where that doubles nothing, and else said in one sentence."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from memweb.client import (
    ConnectionLost,
    Invalid,
    MemwebError,
    NoServer,
    NotAllowed,
    NotFound,
    NotNow,
    NotSupported,
    ServerFault,
    create_client,
)
from memweb.stack.env import PROJECT_FOLDER
from tests.memweb.client.conftest import Given, SmallServer
from tests.memweb.client.test_calls import AGENT, AGENT_ID, ANSWER

FAULTS = [
    (401, {"detail": "The token is wrong."}, NotAllowed, "The token is wrong"),
    (404, {"detail": "There is no such agent."}, NotFound, "no such agent"),
    (422, {"detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x"}]}, Invalid, "^name: too long$"),
    (422, {"detail": [{"loc": ["body", "__root__"], "msg": "It is empty.", "type": "x"}]}, Invalid, "^It is empty.$"),
    (400, {"detail": "No."}, Invalid, "No."),
    (409, {"detail": "It is at work."}, NotNow, "It is at work"),
    (501, {"detail": "memweb has no groups."}, NotSupported, "no groups"),
    (500, b"<html>oh</html>", ServerFault, "127.0.0.1 answered 500"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), FAULTS)
def test_an_error_is_of_its_kind(
    small: SmallServer, client: Any, status: int, body: Any, kind: type[MemwebError], text: str
) -> None:
    small.answers = [Given(status, body)]
    with pytest.raises(kind, match=text):
        client.get_agent(AGENT_ID)
    assert len(small.asked) == 1


def test_an_error_of_a_stream_is_of_its_kind(small: SmallServer, client: Any) -> None:
    small.answers = [Given(404, {"detail": "There is no such agent."})]
    with pytest.raises(NotFound, match="no such agent"):
        client.events(AGENT_ID)


def test_a_lost_connection_says_the_message_once(small: SmallServer, client: Any) -> None:
    small.answers = [Given(cut=True), Given(503, {"detail": "Restarting."}), ANSWER]
    assert client.user_message(agent_id=AGENT_ID, message="Hello!").text == "Hello Bob."
    keys = {(asked.headers["idempotency-key"], asked.body["messages"][0]["otid"]) for asked in small.asked}
    assert len(small.asked) == 3 and len(keys) == 1


def test_two_messages_have_two_keys(small: SmallServer, client: Any) -> None:
    small.answers = [ANSWER, ANSWER]
    client.user_message(agent_id=AGENT_ID, message="Hello!")
    client.user_message(agent_id=AGENT_ID, message="Hello!")
    assert len({asked.headers["idempotency-key"] for asked in small.asked}) == 2


def test_what_could_be_done_twice_is_not_sent_again(small: SmallServer, client: Any) -> None:
    small.answers = [Given(cut=True), Given(cut=True)]
    with pytest.raises(ConnectionLost):
        client.edit_block(agent_id=AGENT_ID, label="human", value="x")
    with pytest.raises(ConnectionLost):
        client.insert_passage(agent_id=AGENT_ID, text="x")
    assert len(small.asked) == 2


def test_a_server_that_says_no_is_not_asked_again(small: SmallServer, client: Any) -> None:
    small.answers = [Given(503, {"detail": "Full."}, {"x-should-retry": "false"}), ANSWER]
    with pytest.raises(ServerFault, match="Full"):
        client.user_message(agent_id=AGENT_ID, message="Hello!")
    assert len(small.asked) == 1


def test_a_limit_is_waited_for(small: SmallServer, client: Any) -> None:
    small.answers = [Given(429, {"detail": "Too many."}, {"Retry-After": "0"}), AGENT]
    assert client.get_agent(AGENT_ID).name == "Sam"


def test_a_silent_server_is_left(small: SmallServer, client: Any) -> None:
    small.answers = [Given(hang=True)]
    with pytest.raises(ConnectionLost, match="silent for too long"):
        client.user_message(agent_id=AGENT_ID, message="Hello!")
    assert len(small.asked) == 1


@pytest.mark.parametrize("cut", [True, False])
def test_a_stream_without_its_end_is_lost(small: SmallServer, client: Any, cut: bool) -> None:
    events = [{"message_type": "assistant_message", "id": "message-3", "content": "He"}]
    small.answers = [Given(events=events, cut=cut)]
    with pytest.raises(ConnectionLost):
        client.stream_message(agent_id=AGENT_ID, message="Hello!")


@pytest.mark.parametrize("answer", [b"no json", [1], {"id": 3}])
def test_what_is_no_memweb_is_said_to_be_none(small: SmallServer, client: Any, answer: Any) -> None:
    small.answers = [answer]
    with pytest.raises(ServerFault):
        client.get_agent(AGENT_ID)


@pytest.mark.parametrize("event", ["no json", {"event": "message", "seq": "x"}])
def test_an_event_that_cannot_be_read_is_a_fault_of_the_server(small: SmallServer, client: Any, event: Any) -> None:
    small.answers = [Given(events=[event])]
    with pytest.raises(ServerFault):
        client.events(AGENT_ID)


def test_no_proxy_is_asked_for_this_machine(small: SmallServer, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    small.answers = [AGENT]
    assert client.get_agent(AGENT_ID).name == "Sam"


def test_where_nothing_listens() -> None:
    with create_client("http://127.0.0.1:9", "x") as client, pytest.raises(NoServer, match="memweb up"):
        client.list_agents()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMWEB_HOME", str(tmp_path))
    for name in ("MEMWEB_URL", "MEMWEB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(home: Path, url: str, pid: int, token: str = "memweb-local") -> None:
    (home / "local.json").write_text(json.dumps({"url": url, "token": token, "pid": pid}))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_server_of_this_machine_is_found(small: SmallServer, home: Path) -> None:
    write(home, small.url, os.getpid())
    small.answers = [[]]
    with create_client() as client:
        assert client.list_agents() == []
    assert small.asked[0].headers["authorization"] == "Bearer memweb-local"


def test_the_environment_comes_first_and_arguments_before_it(
    small: SmallServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "http://127.0.0.1:9", os.getpid())
    monkeypatch.setenv("MEMWEB_URL", small.url + "/v1/")
    monkeypatch.setenv("MEMWEB_TOKEN", "memweb-set")
    small.answers = [[], []]
    with create_client() as client:
        client.list_agents()
    monkeypatch.setenv("MEMWEB_URL", "http://127.0.0.1:9")
    with create_client(small.url, "memweb-given") as client:
        client.list_agents()
    assert [asked.headers["authorization"] for asked in small.asked] == ["Bearer memweb-set", "Bearer memweb-given"]
    assert small.asked[0].path == "/v1/agents/"


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"url": "http://127.0.0.1:9"}', '{"url": 1, "token": 1, "pid": {}}']
)
def test_without_a_server_one_sentence_says_what_to_do(home: Path, text: str | None) -> None:
    if text is not None:
        (home / "local.json").write_text(text)
    with pytest.raises(NoServer, match="`memweb up`"):
        create_client()


def test_a_file_that_a_dead_server_left_is_no_server(home: Path) -> None:
    write(home, "http://127.0.0.1:9", dead_pid())
    with pytest.raises(NoServer, match="`memweb up`"):
        create_client()


def test_an_address_wants_a_token(home: Path) -> None:
    with pytest.raises(NotAllowed, match="memweb token create"):
        create_client("http://memweb.example.org")
    with pytest.raises(NoServer, match="begins with http"):
        create_client("memweb.example.org", "x")


def test_the_client_stands_alone() -> None:
    """It is imported by programs that have neither Django nor a database."""
    program = "import sys, memweb.client; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_FOLDER, check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "memweb.client" in loaded
    assert not [
        name for name in loaded if name.split(".")[0] in {"django", "celery", "agents", "chat", "api", "openai"}
    ]
    assert not [name for name in loaded if name.startswith("memweb.") and not name.startswith("memweb.client")]


def test_a_client_is_shared_by_threads(small: SmallServer) -> None:
    small.answer = lambda _asked: ANSWER
    with create_client(small.url, "x") as client:
        replies: list[str] = []
        ask = lambda: replies.append(client.user_message(agent_id=AGENT_ID, message="Hi").text)  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert replies == ["Hello Bob."] * 8
