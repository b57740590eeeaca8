"""The process that keeps an MCP server: when it asks again and when it must not, what it tells of lost calls, and when
it ends."""

import asyncio
import json
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User

from agents import services
from agents.exceptions import FunctionError
from agents.functions import installed
from agents.models import Agent, FunctionSource, InstalledFunction
from agents.services import ServerDraft
from memweb.functions import keeper, servers
from memweb.functions.mcp_session import Said
from memweb.functions.sources import FunctionFault

OPEN = Path("/proc/self/fd")
KEY = -7  # of the servers here
TOOL = {"name": "act", "inputSchema": {"type": "object", "properties": {"how": {"type": "string"}}}}
FAULTS = {"no": 401, "gateway": 502}


class _Server(BaseHTTPRequestHandler):
    """Speaks the older protocol, answers its successor's question with 404, and is as odd as the call asks it to be."""

    session, calls = "first", 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, number = asked["method"], asked.get("id")
        if method == "server/discover":
            return self._say(404)
        if method == "initialize":
            about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
            return self._result(number, about | {"serverInfo": {"name": "odd", "version": "1"}})
        if self.headers.get("mcp-session-id") != _Server.session:
            return self._say(404, {"id": number, "error": {"code": -32001, "message": "Session not found"}})
        if number is None:
            return self._say(202)
        if method == "tools/list":
            return self._result(number, {"tools": [TOOL]})
        return self._call(number, asked["params"]["arguments"]["how"])

    def _call(self, number: int, how: str) -> None:
        _Server.calls += 1
        if how in FAULTS:
            return self._say(FAULTS[how])
        if how == "refuse":
            return self._say(200, {"id": number, "error": {"code": -32600, "message": "I would rather not."}})
        return self._result(number, {"content": [{"type": "text", "text": "Done so."}]})

    def _result(self, number: Any, result: Any) -> None:
        self._say(200, {"id": number, "result": result})

    def _say(self, status: int, body: dict[str, Any] | None = None) -> None:
        raw = json.dumps({"jsonrpc": "2.0", **body}).encode() if body else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.send_header("mcp-session-id", _Server.session)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def reach() -> Iterator[dict[str, Any]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    Thread(target=server.serve_forever, daemon=True).start()
    yield {"url": f"http://127.0.0.1:{server.server_port}/", "allow_private": True}
    servers.forget(KEY)
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    _Server.calls = 0


def act(reach: dict[str, Any], how: str) -> str:
    return servers.call(KEY, reach, "act", {"how": how}, seconds=20, check=lambda: None)[0]


def test_a_server_that_forgot_the_session_is_asked_once_more(reach: dict[str, Any]) -> None:
    assert act(reach, "ok") == "Done so."
    _Server.session = "second"
    assert act(reach, "ok") == "Done so." and _Server.calls == 2


def test_what_a_server_took_is_not_sent_again(reach: dict[str, Any]) -> None:
    """Whatever was answered to another request before."""
    with pytest.raises(FunctionFault) as told:
        act(reach, "refuse")
    assert str(told.value) == "I would rather not." and _Server.calls == 1


@pytest.mark.parametrize("how", FAULTS)
def test_a_status_tells_whether_something_was_done(reach: dict[str, Any], how: str) -> None:
    with pytest.raises(FunctionFault) as told:
        act(reach, how)
    unknown = " Nobody knows whether it was carried out." if how == "gateway" else ""
    assert str(told.value) == f"The server answered with HTTP status {FAULTS[how]}.{unknown}" and _Server.calls == 1
    assert act(reach, "ok") == "Done so."


class _Idle:
    """A connection to a server that has no tools."""

    changed = False

    async def session(self) -> None:
        return None

    async def used(self, _act: Any) -> list[Any]:
        return []

    async def close(self) -> None:
        pass


def test_a_keeper_that_nobody_needs_any_more_ends() -> None:
    """Also after it was needed."""
    told: list[Any] = []

    async def served() -> None:
        kept = keeper.Keeper({})
        kept._connection = _Idle()  # type: ignore[assignment]
        requests = asyncio.StreamReader()
        requests.feed_data(b'{"id": 1, "list": true}\n')
        await asyncio.wait_for(kept.serve(requests), 20)

    with (
        patch.object(keeper, "IDLE_SECONDS", 0.2),
        patch.object(keeper, "_write", told.append),
        patch.object(signal, "alarm"),
    ):
        asyncio.run(served())
    assert told == [{"id": 1, "functions": [], "left_out": []}]


def test_what_a_program_said_costs_nothing_when_it_has_ended() -> None:
    before = len([*OPEN.iterdir()])
    for number in range(20):
        said = Said()
        said.file.write(f"warning\nerror {number}\n")
        said.file.close()
        assert said.last_line == f"error {number}"
    assert len([*OPEN.iterdir()]) == before


@pytest.mark.parametrize("fails", [False, True])
def test_a_server_that_tells_of_other_tools_is_looked_at(alice: User, agent: Agent, fails: bool) -> None:
    draft = ServerDraft("odd", "https://example.org/mcp")
    source = services.server_add(person=alice, draft=draft)
    InstalledFunction.objects.create(source=source, name="act", remote_name="act")
    FunctionSource.objects.update(asked_at=None)
    fault = FunctionFault("Unknown tool")
    fault.changed = True
    with patch.object(servers, "call", side_effect=fault if fails else [("Done.", True)]):
        function = installed.by_name(agent.owner_id)["act"]
        try:
            function.call("{}", agent=agent, call_id="1", check=lambda: None)
        except FunctionError as error:
            assert fails and str(error) == "Unknown tool"
    source.refresh_from_db()
    assert source.looking
