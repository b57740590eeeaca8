"""The process that keeps one MCP server: `python -m memweb.functions.keeper PARENT_PID`.

Standard input has a JSON object a line: first how the server is reached, then requests, each with an `id`: to list the
server's tools, to call one, or to stop a request. Standard output has an object a line: that a request has begun, then
its one answer (`servers.py` is the other end). The server is started, or its session opened, by the first request, and
anew by the next one after it died, hung or broke the protocol. A call is never sent twice.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from shutil import which
from typing import Any, TypeVar

import anyio
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    CallToolResult,
    Implementation,
    Tool,
    ToolListChangedNotification,
)

from memweb import __version__
from memweb.functions.mcp_tools import MOST_TOOLS, functions_of, text_of
from memweb.functions.process import LONGEST_ANSWER
from memweb.functions.public_hosts import NotPublic, PublicOnly
from memweb.stack import launch

MEMORY = 2 * 1024**3  # bytes of address space: a server that floods ends its keeper, not the machine
OPENING_SECONDS = 30.0
ALIVE_SECONDS = 5.0  # for a server that did not end a call in time to show that it lives
ENDING_SECONDS = 10.0  # for a session to end in order
IDLE_SECONDS = 900.0
MOST_JUNK = 100  # lines that are no message; a few are greetings
LONGEST_REQUEST = 32 * 1024**2  # bytes
LONGEST_SILENCE = 3600.0  # seconds, of HTTP; each call has its own limit
TOLD = 2000  # bytes of what a server says on its standard error
SELF = Implementation(name="memweb", version=__version__)
UNKNOWN = "Nobody knows whether it was carried out."

Json = dict[str, Any]
Result = TypeVar("Result")


class Fault(Exception):
    """Why there is no result, in a sentence."""


class Said:
    """The end of what a program writes to its standard error, for the sentence that says why it died."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w")
        self._end = b""
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def _read(self, reading: int) -> None:
        while told := os.read(reading, 65536):
            self._end = (self._end + told)[-TOLD:]

    @property
    def last_line(self) -> str:
        """Mostly the error."""
        lines = [line.strip() for line in self._end.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


class Connection:
    """The server's session: opened by the first who needs it, and anew by the next one after it was lost."""

    def __init__(self, reach: Json) -> None:
        self._reach = reach
        self._client: Client | None = None
        self._close = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._said: Said | None = None
        self._trouble: BaseException | None = None  # of HTTP, which the session does not always pass on
        self._status = 0  # of the last answer of HTTP that was an error
        self.changed = False  # the server has other tools now

    async def client(self) -> Client:
        """A session that lives. Raises Fault."""
        async with self._turn:
            if self._client is None:
                self._client = await self._opened()
            return self._client

    async def used(self, act: Callable[[Client], Awaitable[Result]]) -> Result:
        """What `act` brings. Once more where a server of HTTP was started anew since: it forgot the session, so it took
        nothing. Raises Fault, MCPError."""
        try:
            return await act(await self.client())
        except MCPError as error:
            if (error.code, self._status) != (INVALID_REQUEST, 404):
                raise
        await self.drop()
        return await act(await self.client())

    async def drop(self) -> None:
        """End the session, and the program if it is one."""
        self._lost()
        if self._holder and not (await asyncio.wait([self._holder], timeout=ENDING_SECONDS))[0]:
            self._holder.cancel()
            await asyncio.wait([self._holder])

    def _lost(self) -> None:
        self._client = None
        self._close.set()

    async def _opened(self) -> Client:
        await self.drop()
        self._trouble, self._status, self._close = None, 0, asyncio.Event()
        opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(opened, self._close))
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                return await asyncio.shield(opened)
        except TimeoutError as error:
            raise Fault(self.reason(error, f"It did not answer within {OPENING_SECONDS:g} seconds.")) from error
        except Exception as error:
            raise Fault(self.reason(error, "It is no MCP server.")) from error
        finally:
            if not opened.done():
                self._holder.cancel()

    async def _hold(self, opened: "asyncio.Future[Client]", close: asyncio.Event) -> None:
        """The session's whole life is in one task, as its scopes want it."""
        try:
            async with Client(
                self._transport(close), client_info=SELF, message_handler=self._hear, cache=None
            ) as client:
                if not opened.done():
                    opened.set_result(client)
                await close.wait()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the next request opens another
            self._trouble = self._trouble or error
            if not opened.done():
                opened.set_exception(error)
        finally:
            close.set()
            if self._close is close:
                self._client = None

    async def _hear(self, message: object) -> None:
        self.changed = self.changed or isinstance(message, ToolListChangedNotification)

    @asynccontextmanager
    async def _transport(self, close: asyncio.Event) -> AsyncIterator[TransportStreams]:
        """The package's own; when its end of reading is over, the session is too."""
        async with self._way() as (reading, writing), anyio.create_task_group() as group:
            passing, passed = anyio.create_memory_object_stream[SessionMessage | Exception](0)

            async def relay() -> None:
                junk = 0
                with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    async with passing:
                        async for message in reading:
                            junk += isinstance(message, Exception)
                            if junk > MOST_JUNK:
                                raise Fault("It writes what is no message of MCP.")
                            await passing.send(message)
                if self._close is close:
                    self._lost()

            group.start_soon(relay)
            yield passed, writing
            group.cancel_scope.cancel()

    def _way(self) -> Any:
        if "url" in self._reach:
            return self._by_http()
        program, *arguments = self._reach["command"]
        if not (path := which(program)):
            raise Fault(f"There is no program “{program}” on the server's PATH.")
        self._said = Said()
        start = [launch.__file__, str(os.getpid()), str(int(signal.SIGKILL)), "-", path, *arguments]
        server = StdioServerParameters(command=sys.executable, args=start, env=self._reach.get("env"))
        return stdio_client(server, self._said.file)

    @asynccontextmanager
    async def _by_http(self) -> AsyncIterator[TransportStreams]:
        private = bool(self._reach.get("allow_private"))
        async with (
            httpx2.AsyncClient(
                headers=self._reach.get("headers"),
                timeout=httpx2.Timeout(OPENING_SECONDS, read=LONGEST_SILENCE),
                trust_env=private,
                transport=None if private else PublicOnly(),
                event_hooks={"response": [self._note_status]},
            ) as http,
            streamable_http_client(self._reach["url"], http_client=http) as streams,
        ):
            yield streams

    async def _note_status(self, response: httpx2.Response) -> None:
        if response.is_error and response.request.method == "POST":
            self._status = response.status_code

    def reason(self, error: BaseException, otherwise: str) -> str:
        """The sentence for an error of the session."""
        leaves = [leaf for one in (self._trouble, error) if one for leaf in _leaves(one)]
        for leaf in leaves:
            if isinstance(leaf, Fault | NotPublic):
                return str(leaf)
            if isinstance(leaf, httpx2.ConnectError):
                return f"No server answers at {self._reach['url']}."
        if self._status:
            return f"The server answered with HTTP status {self._status}."
        if self._said and (line := self._said.last_line):
            return f"{otherwise} Its last words: {line}"
        return otherwise


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


class Keeper:
    """The requests in progress, and the answers to them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self, requests: asyncio.StreamReader) -> None:
        """Until there are no more requests, or none came for a long time."""
        while True:
            try:
                async with asyncio.timeout(None if self._tasks else IDLE_SECONDS):
                    line = await requests.readline()
            except TimeoutError:
                break
            if not line:
                break
            request = json.loads(line)
            if "stop" in request:
                if task := self._tasks.get(request["stop"]):
                    task.cancel()
            else:
                self._tasks[request["id"]] = asyncio.create_task(self._carry_out(request))
        await self._connection.drop()

    async def _carry_out(self, request: Json) -> None:
        number = request["id"]
        try:
            answer = await (self._called(request) if "call" in request else self._listed())
        except Fault as fault:
            answer = {"fault": str(fault)}
        except asyncio.CancelledError:
            answer = {"fault": "It was stopped."}
        except Exception as error:  # noqa: BLE001 - one request's fault is not the next one's
            traceback.print_exc()
            await self._connection.drop()
            answer = {"fault": self._connection.reason(error, f"{type(error).__name__}: {str(error)[:2000]}")}
        finally:
            del self._tasks[number]
        if self._connection.changed:
            self._connection.changed = False
            answer["changed"] = True
        _write({"id": number, **answer})

    async def _listed(self) -> Json:
        await self._connection.client()
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                tools = await self._connection.used(_all_tools)
        except TimeoutError as error:
            await self._connection.drop()
            raise Fault(f"It did not list its tools within {OPENING_SECONDS:g} seconds.") from error
        except MCPError as error:
            raise Fault(f"It did not list its tools: {error.error.message[:500]}") from error
        self._connection.changed = False
        return functions_of(tools)

    async def _called(self, request: Json) -> Json:
        name, seconds = request["call"], float(request["seconds"])

        async def call(client: Client) -> CallToolResult:
            _write({"id": request["id"], "begun": True})
            return await client.call_tool(name, request["arguments"])

        await self._connection.client()
        try:
            async with asyncio.timeout(seconds):
                result = await self._connection.used(call)
        except TimeoutError as error:
            await self._end_if_hung()
            raise Fault(f"It did not end within {seconds:g} seconds. {UNKNOWN}") from error
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise Fault(error.error.message[:2000]) from error
            await self._connection.drop()
            raise Fault(self._connection.reason(error, f"The server ended while it was at this. {UNKNOWN}")) from error
        text = text_of(result)[:LONGEST_ANSWER]
        return {"fault": text} if result.is_error else {"result": text}

    async def _end_if_hung(self) -> None:
        try:
            async with asyncio.timeout(ALIVE_SECONDS):
                await self._connection.used(lambda client: client.list_tools())
        except Exception:  # noqa: BLE001 - whatever it is, the server does not live
            await self._connection.drop()


async def _all_tools(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        if len(tools) > MOST_TOOLS:
            raise Fault(f"It has more than {MOST_TOOLS} tools.")
        cursor = page.next_cursor
        if cursor is None or not page.tools:
            return tools


_answers = -1  # where answers go


def _write(answer: Json) -> None:
    os.write(_answers, json.dumps(answer).encode() + b"\n")


async def main() -> None:
    requests = asyncio.StreamReader(limit=LONGEST_REQUEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    await Keeper(Connection(json.loads(await requests.readline()))).serve(requests)


if __name__ == "__main__":
    if sys.platform == "linux":
        launch.die_with(int(sys.argv[1]), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    logging.disable()  # it would log each line of a server that writes junk
    _answers = os.dup(1)
    os.dup2(2, 1)  # nothing else may write there
    asyncio.run(main())
    os._exit(0)  # whatever threads are left
