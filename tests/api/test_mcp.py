"""The official client of the Model Context Protocol, unmodified: by stdin and over HTTP, in both of its eras."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from api.mcp.in_process import told_of_leaving
from memweb.stack.env import PROJECT_FOLDER
from tests.product import Newcomer, Product

pytestmark = pytest.mark.usefixtures("nothing_fails")

NAMES = {
    "list_agents",
    "read_core_memory",
    "edit_core_memory_block",
    "search_recall",
    "search_archival",
    "insert_archival",
    "list_documents",
    "talk_to_agent",
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
BOTH = {"Accept": "application/json, text/event-stream"}


@dataclass
class Way:
    """How an assistant reaches memweb: by which door, and in which era of the protocol."""

    door: str
    mode: str
    url: str
    token: str

    @asynccontextmanager
    async def client(self, *options: str, url: str = "", token: str = "") -> AsyncIterator[Client]:
        url, token = url or self.url, token or self.token
        if self.door == "stdio":
            command = ["-m", "memweb", "mcp", *options, "--url", url]
            server = StdioServerParameters(
                command=sys.executable, args=command, env={"MEMWEB_TOKEN": token}, cwd=PROJECT_FOLDER
            )
            async with Client(server, mode=self.mode) as client:
                yield client
            return
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=self.mode) as client,
        ):
            yield client

    def does(self, work: Callable[[Client], Awaitable[None]], *options: str, **where: str) -> None:
        async def done() -> None:
            async with self.client(*options, **where) as client:
                await work(client)

        asyncio.run(done())


@pytest.fixture(params=["stdio, 2026", "stdio, handshake", "http, 2026", "http, handshake"])
def way(request: pytest.FixtureRequest, product: Product, someone: Newcomer) -> Way:
    door, era = request.param.split(", ")
    return Way(door, "auto" if era == "2026" else "legacy", product.url, someone.token)


@pytest.fixture
def stdio(product: Product, someone: Newcomer) -> Way:
    return Way("stdio", "auto", product.url, someone.token)


def told(result: Any) -> Any:
    """What a call that went well says, which it says twice."""
    assert not result.is_error, result.content[0].text
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def refused(result: Any) -> str:
    assert result.is_error
    text: str = result.content[0].text
    return text


def test_memory_is_searched_filed_read_and_edited(way: Way, letta: Any, sam: Any) -> None:
    async def work(client: Client) -> None:
        assert client.protocol_version == ("2026-07-28" if way.mode == "auto" else "2025-11-25")
        assert {tool.name for tool in (await client.list_tools()).tools} == NAMES
        agents = told(await client.call_tool("list_agents"))["agents"]
        assert [(agent["name"], agent["id"]) for agent in agents] == [("Sam", sam.id)]
        filed = told(await client.call_tool("insert_archival", {"agent": "Sam", "text": "The lamp was lit in 1871."}))
        found = told(await client.call_tool("search_archival", {"agent": sam.id, "query": "when was the lamp lit"}))
        assert [(one["id"], one["text"]) for one in found["passages"]] == [(filed["id"], "The lamp was lit in 1871.")]
        assert told(await client.call_tool("list_documents", {"agent": "Sam"})) == {"documents": []}
        core = told(await client.call_tool("read_core_memory", {"agent": "Sam"}))
        human = next(block for block in core["blocks"] if block["label"] == "human")
        assert (core["agent"], human["value"], human["revision"]) == ("Sam", "Name: Ann", 1)
        edit = {"agent": "Sam", "label": "human", "value": "Name: Ann\nLikes tea", "revision": 1}
        assert told(await client.call_tool("edit_core_memory_block", edit))["revision"] == 2

    way.does(work)
    assert letta.agents.blocks.retrieve("human", agent_id=sam.id).value == "Name: Ann\nLikes tea"


def test_an_edit_that_was_overtaken_changes_nothing_and_shows_what_it_says_now(way: Way, letta: Any, sam: Any) -> None:
    letta.agents.blocks.update("human", agent_id=sam.id, value="Name: Anna")

    async def work(client: Client) -> None:
        edit = {"agent": "Sam", "label": "human", "value": "Name: Ann, likes tea", "revision": 1}
        sentence = refused(await client.call_tool("edit_core_memory_block", edit))
        assert "Nothing was overwritten" in sentence
        assert "Name: Anna" in sentence
        assert "revision 2" in sentence
        told(await client.call_tool("edit_core_memory_block", {**edit, "revision": 2}))

    way.does(work)
    assert letta.agents.blocks.retrieve("human", agent_id=sam.id).value == "Name: Ann, likes tea"


def test_an_agent_is_talked_to_and_what_was_said_is_found(way: Way, letta: Any, sam: Any) -> None:
    async def work(client: Client) -> None:
        said = {"agent": "Sam", "message": "hello there"}
        assert told(await client.call_tool("talk_to_agent", said)) == {"reply": "You said: *hello there*"}
        found = told(await client.call_tool("search_recall", {"agent": "Sam", "query": "hello there"}))["messages"]
        assert ("user", "hello there") in [(one["by"], one["text"]) for one in found]
        sentence = refused(await client.call_tool("talk_to_agent", {"agent": "Sam", "message": "break down"}))
        assert "The model is out of order." in sentence

    way.does(work)


def test_blocks_are_resources(way: Way, letta: Any, sam: Any) -> None:
    async def work(client: Client) -> None:
        found = {resource.name: str(resource.uri) for resource in (await client.list_resources()).resources}
        assert found.keys() == {"Sam: human", "Sam: persona"}
        assert found["Sam: human"] == f"memweb://agents/{sam.id}/blocks/human"
        for uri in (found["Sam: human"], "memweb://agents/Sam/blocks/human"):
            contents: Any = (await client.read_resource(uri)).contents
            assert contents[0].text == "Name: Ann"
        assert [t.uri_template for t in (await client.list_resource_templates()).resource_templates] == [
            "memweb://agents/{agent}/blocks/{label}"
        ]
        for uri, why in (
            ("memweb://agents/Sam/blocks/nothing", "nothing"),
            ("memweb://agents/Tom/blocks/human", "Tom"),
            ("memweb://else", "There is no resource"),
        ):
            with pytest.raises(MCPError, match=why):
                await client.read_resource(uri)

    way.does(work)


def test_mistakes_are_told_in_place_and_it_goes_on(way: Way, product: Product, letta: Any, sam: Any) -> None:
    strangers = httpx.Client(base_url=product.url, headers={"Authorization": f"Bearer {product.newcomer().token}"})
    with strangers:
        theirs = strangers.post("/v1/agents/", json={"name": "Tom"}).json()["id"]
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("read_core_memory", {"agent": "Tom"}, "You have no agent called “Tom”. list_agents"),
        ("read_core_memory", {"agent": theirs}, "of yours. list_agents"),
        ("talk_to_agent", {"agent": theirs, "message": "hi"}, "of yours. list_agents"),
        ("read_core_memory", {}, "agent: Field required"),
        ("read_core_memory", {"agent": 5}, "agent: Input should be a valid string"),
        ("read_core_memory", {"agent": "Sam", "colour": "red"}, "colour: Extra inputs"),
        ("search_recall", {"agent": "Sam", "query": "x", "limit": 51}, "limit: Input should be less than"),
        ("search_archival", {"agent": "Sam", "query": ""}, "query: String should have at least 1"),
        ("insert_archival", {"agent": "Sam", "text": "x" * 500_000}, "text: "),
        ("edit_core_memory_block", {"agent": "Sam", "label": "human", "value": "x"}, "revision: Field required"),
        ("edit_core_memory_block", {"agent": "Sam", "label": "no", "value": "x", "revision": 1}, "no block “no”"),
        ("edit_core_memory_block", {"agent": "Sam", "label": "human", "value": "x" * 3000, "revision": 1}, "3,000"),
        ("talk_to_agent", {"agent": "Sam", "message": "  "}, "message"),
        ("forget_everything", {}, "There is no tool forget_everything. There are: list_agents,"),
    ]

    async def work(client: Client) -> None:
        for name, arguments, why in calls:
            assert why in refused(await client.call_tool(name, arguments)), (name, arguments)
        assert len(told(await client.call_tool("list_agents"))["agents"]) == 1

    way.does(work)
    assert letta.agents.blocks.retrieve("human", agent_id=sam.id).value == "Name: Ann"


def test_a_server_for_one_agent_takes_no_other(stdio: Way, letta: Any, sam: Any) -> None:
    letta.agents.create(name="Ada")

    async def work(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert not [tool.name for tool in tools if "agent" in tool.input_schema["properties"]]
        assert [agent["name"] for agent in told(await client.call_tool("list_agents"))["agents"]] == ["Sam"]
        assert told(await client.call_tool("read_core_memory"))["agent"] == "Sam"
        assert "agent: Extra inputs" in refused(await client.call_tool("read_core_memory", {"agent": "Ada"}))
        names = {resource.name for resource in (await client.list_resources()).resources}
        assert names == {"Sam: human", "Sam: persona"}
        with pytest.raises(MCPError, match="Sam alone"):
            await client.read_resource("memweb://agents/Ada/blocks/human")

    stdio.does(work, "--agent", "Sam")

    async def nobody(client: Client) -> None:
        assert "“Tom”" in refused(await client.call_tool("read_core_memory"))

    stdio.does(nobody, "--agent", "Tom")


@pytest.mark.parametrize(
    ("url", "token", "why"),
    [
        ("", "memweb-wrong", "access token"),
        ("http://127.0.0.1:9", "memweb-any", "No memweb answers at http://127.0.0.1:9"),
        ("ftp://nowhere", "memweb-any", "is no address of a server"),
    ],
)
def test_a_wrong_token_or_a_server_that_is_away_is_told_at_the_call(stdio: Way, url: str, token: str, why: str) -> None:
    async def work(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == NAMES
        for _time in range(2):
            assert why in refused(await client.call_tool("list_agents"))
        with pytest.raises(MCPError, match=why):
            await client.list_resources()

    stdio.does(work, url=url, token=token)


def test_nothing_but_the_protocol_is_on_stdout_and_broken_lines_end_nothing(product: Product) -> None:
    lines = ["this is no JSON", "[]", '{"jsonrpc": "2.0"}', "\\ud800", json.dumps(INITIALIZE)]
    lines.append(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    lines.append(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
    with subprocess.Popen(
        [sys.executable, "-m", "memweb", "mcp"],
        cwd=PROJECT_FOLDER,
        env=os.environ | {"MEMWEB_HOME": str(product.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{line}\n" for line in lines))
        process.stdin.flush()
        answers: list[Any] = []
        while not any(answer.get("id") == 2 for answer in answers):
            answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(20) == 0
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    assert len(answers[-1]["result"]["tools"]) == len(NAMES)


@pytest.mark.parametrize("token", ["", "Bearer memweb-wrong", "Basic abc"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_the_door_opens_with_a_token_alone(product: Product, token: str, method: str) -> None:
    headers = BOTH | ({"Authorization": token} if token else {})
    answer = httpx.request(method, f"{product.url}/mcp", headers=headers, json=INITIALIZE)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "access token" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "content", "status"),
    [
        ("GET", b"", 405),
        ("DELETE", b"", 405),
        ("POST", b"{", 400),
        ("POST", b"\xff\xfe", 400),
        ("POST", b"[]", 400),
        ("POST", b" " * 5_000_000, 413),
    ],
)
def test_what_is_no_message_is_refused(http: httpx.Client, method: str, content: bytes, status: int) -> None:
    headers = BOTH | {"Content-Type": "application/json"}
    answer = http.request(method, "/mcp/", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert http.post("/mcp", json=INITIALIZE, headers=BOTH).status_code == 200


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
def test_what_takes_long_is_streamed_and_ends_when_the_client_leaves(
    product: Product, http: httpx.Client, letta: Any, sam: Any, era: str
) -> None:
    """The run itself goes on: what was said was said."""

    async def work() -> None:
        heard = asyncio.Event()

        async def signs(progress: float, total: float | None, message: str | None) -> None:
            assert (progress, total, message) == (1, None, "still at work")
            heard.set()

        way = Way("http", "auto" if era == "2026-07-28" else "legacy", product.url, http.headers["Authorization"][7:])
        async with way.client() as client:
            said = {"agent": "Sam", "message": "never end"}
            calling = asyncio.ensure_future(client.call_tool("talk_to_agent", said, progress_callback=signs))
            await asyncio.wait_for(heard.wait(), 30)
            calling.cancel()
            await asyncio.wait({calling})
            assert len(told(await client.call_tool("list_agents"))["agents"]) == 1

    asyncio.run(work())
    assert [run.status for run in letta.runs.list(agent_id=sam.id)] == ["running"]
    letta.agents.messages.cancel(sam.id)


def test_what_waits_for_a_client_that_left_is_told() -> None:
    heard: list[str] = []

    async def waiting_door(_scope: Any, receive: Any, _send: Any) -> None:
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])

    async def receive() -> Any:
        if heard:
            await asyncio.Event().wait()
        return {"type": "http.request"}

    async def work() -> None:
        call = asyncio.ensure_future(told_of_leaving(waiting_door)({}, receive, None))  # type: ignore[arg-type]
        while not heard:
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
        while len(heard) < 2:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(work(), 5))
    assert heard == ["http.request", "http.disconnect"]


def test_nobody_loads_the_protocol_who_does_not_serve_it() -> None:
    loading = "import sys, memweb.asgi, memweb.cli, api.urls; print({'mcp', 'httpx'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", loading], cwd=PROJECT_FOLDER, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
