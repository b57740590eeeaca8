"""A session with an MCP server, by the official package: opened, watched, ended, and opened anew when it was lost."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from shutil import which
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.client import Client
from mcp.client.session import MessageHandlerFnT
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import Implementation, ToolListChangedNotification

from memweb import __version__
from memweb.functions.public_hosts import NotPublic, PublicOnly
from memweb.stack import launch

OPENING_SECONDS = 30.0
ENDING_SECONDS = 8.0  # for a session to end in order
NOT_FOUND = 404
MOST_JUNK = 100  # lines that are no message, one after the other; a few are greetings
LONGEST_SILENCE = 3600.0  # seconds, of HTTP; each call has its own limit
WORDS_SECONDS = 0.5
TOLD = 2000  # bytes of what a server says on its standard error
SELF = Implementation(name="memweb", version=__version__)

Json = dict[str, Any]
Result = TypeVar("Result")


class Fault(Exception):
    """Why there is no result, in a sentence."""


class Said:
    """The end of what a program writes to its standard error, for the sentence that says why it died."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w")  # to be closed when the program has it
        self._end = b""
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()

    def _read(self, reading: int) -> None:
        while told := os.read(reading, 65536):
            self._end = (self._end + told)[-TOLD:]
        os.close(reading)

    @property
    def last_line(self) -> str:
        """Mostly the error. Of a program that has ended, whose words may still be on their way."""
        self._reader.join(WORDS_SECONDS)
        lines = [line.strip() for line in self._end.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


_statuses: ContextVar[list[int]] = ContextVar("statuses")  # of HTTP, where they are errors, for whoever asks now


def statuses() -> list[int]:
    """Those that were answered to the request that is carried out here."""
    return _statuses.get([])


class Session:
    """One opening of the server, to its end. It lives in one task, as its scopes want it."""

    def __init__(self, reach: Json, hear: MessageHandlerFnT) -> None:
        self._reach, self._hear = reach, hear
        self._close = asyncio.Event()
        self._said: Said | None = None
        self._trouble: BaseException | None = None  # which the package does not always pass on
        self.client: Client
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold())

    @property
    def over(self) -> bool:
        """Whether it takes nothing more."""
        return self._close.is_set()

    async def end(self) -> None:
        """And the program, with all that it started, if it is one."""
        self._close.set()
        if not self.opened.done():
            self._holder.cancel()
        if not (await asyncio.wait([self._holder], timeout=ENDING_SECONDS))[0]:
            self._holder.cancel()
            await asyncio.wait([self._holder], timeout=ENDING_SECONDS)

    async def _hold(self) -> None:
        try:
            async with Client(
                self._transport(), client_info=SELF, message_handler=self._hear, cache=None
            ) as self.client:
                if not self.opened.done():
                    self.opened.set_result(None)
                await self._close.wait()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the next request opens another
            self._trouble = self._trouble or error
            if not self.opened.done():
                self.opened.set_exception(error if isinstance(error, Exception) else Fault("It was ended."))
        finally:
            self._close.set()

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[TransportStreams]:
        """The package's own; when its end of reading is over, the session is too."""
        way = self._by_http() if "url" in self._reach else self._by_program()
        async with way as (reading, writing), anyio.create_task_group() as group:
            passing, passed = anyio.create_memory_object_stream[SessionMessage | Exception](0)

            async def relay() -> None:
                junk = 0
                with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    async with passing:
                        async for message in reading:
                            junk = junk + 1 if isinstance(message, Exception) else 0
                            if junk > MOST_JUNK:
                                raise Fault("It writes what is no message of MCP.")
                            await passing.send(message)
                self._close.set()

            group.start_soon(relay)
            yield passed, writing
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def _by_program(self) -> AsyncIterator[TransportStreams]:
        program, *arguments = self._reach["command"]
        if not (path := which(program)):
            raise Fault(f"There is no program “{program}” on the server's PATH.")
        start = [launch.__file__, str(os.getpid()), str(int(signal.SIGKILL)), "-", path, *arguments]
        server = StdioServerParameters(command=sys.executable, args=start, env=self._reach.get("env"))
        self._said = Said()
        with self._said.file as errors:
            async with stdio_client(server, errors) as streams:
                errors.close()  # the program has it; when that ends, there is nothing more to read
                yield streams

    @asynccontextmanager
    async def _by_http(self) -> AsyncIterator[TransportStreams]:
        private = bool(self._reach.get("allow_private"))
        async with (
            httpx2.AsyncClient(
                headers=self._reach.get("headers"),
                timeout=httpx2.Timeout(OPENING_SECONDS, read=LONGEST_SILENCE),
                trust_env=private,
                transport=None if private else PublicOnly(),
                event_hooks={"response": [_note_status]},
            ) as http,
            streamable_http_client(self._reach["url"], http_client=http) as streams,
        ):
            yield streams

    def reason(self, error: BaseException, otherwise: str, *, words: bool) -> str:
        """The sentence for an error of the session; with the program's last `words`, where these are nobody else's."""
        leaves = [leaf for one in (self._trouble, error) if one for leaf in _leaves(one)]
        for leaf in leaves:
            if isinstance(leaf, Fault | NotPublic):
                return str(leaf)
            if isinstance(leaf, httpx2.ConnectError):
                return f"No server answers at {urlsplit(self._reach['url']).netloc.rpartition('@')[2]}."
        if errors := statuses():
            return f"The server answered with HTTP status {errors[-1]}."
        if words and self._said and (line := self._said.last_line):
            return f"{otherwise} Its last words: {line}"
        return otherwise


async def _note_status(response: httpx2.Response) -> None:
    if response.is_error and response.request.method == "POST":
        statuses().append(response.status_code)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


class Connection:
    """The session of now: opened by the first who needs it, and anew by the next one after it was lost."""

    def __init__(self, reach: Json) -> None:
        self._reach = reach
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None
        self.changed = False  # the server has other tools now

    async def session(self) -> Session:
        """One that lives. All who wait share one opening. Raises Fault."""
        if self._session and not self._session.over:
            return self._session
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Session:
        await self.drop(self._session)
        _statuses.set([])
        session = Session(self._reach, self._hear)
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                await asyncio.shield(session.opened)
        except Exception as error:
            await session.end()
            late = f"It did not answer within {OPENING_SECONDS:g} seconds."
            otherwise = late if isinstance(error, TimeoutError) else "It is no MCP server."
            raise Fault(session.reason(error, otherwise, words=not self._reach.get("shared"))) from error
        self._session = session
        return session

    async def drop(self, session: Session | None) -> None:
        """End this session; no other that was opened since."""
        if session is None:
            return
        if self._session is session:
            self._session = None
        await session.end()

    async def close(self) -> None:
        """There are no more requests."""
        if self._opening and not self._opening.done():
            with suppress(Exception):
                await self._opening
        await self.drop(self._session)

    async def used(self, act: Callable[[Session], Awaitable[Result]]) -> Result:
        """What `act` brings. Once more where HTTP answers 404: the server was started anew and knows no such session,
        so it took nothing. Raises Fault, and what `act` raises."""
        session = await self.session()
        _statuses.set([])
        try:
            return await act(session)
        except MCPError:
            if NOT_FOUND not in statuses():
                raise
        await self.drop(session)
        session = await self.session()
        _statuses.set([])
        return await act(session)

    async def _hear(self, message: object) -> None:
        self.changed = self.changed or isinstance(message, ToolListChangedNotification)
