"""The two clients: one waits, one is awaited. Every call is written once, in the modules beside this one."""

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

import httpx

from memweb.client import agents, approvals, commands, documents, memory, runs, talking
from memweb.client.errors import ConnectionLost, of_transport
from memweb.client.finding import Server
from memweb.client.steps import Pause, Request, Steps, opened
from memweb.client.streams import Reader, Stream

SILENCE = 45.0  # seconds without a byte: a living server sends a sign every fifteen
WRITING = 900.0  # seconds without a byte of a file, which is written before it is sent
CONNECT = 10.0  # seconds for a connection to be made
HERE = ("127.0.0.1", "localhost", "::1")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Waiting:
    """Carries out steps and streams, and waits for them."""

    def __init__(self, server: Server, language: str, silence: float) -> None:
        self.url = server.url
        self._http = httpx.Client(**_settings(server, language, silence))

    def carry_out(self, steps: Steps[R]) -> R:
        """Do what `steps` ask for, one after the other."""
        try:
            action = next(steps)
            while True:
                try:
                    done = self._do(action)
                except (httpx.RequestError, OSError) as fault:  # no answer; a file that cannot be read
                    action = steps.throw(fault)
                else:
                    action = steps.send(done)
        except StopIteration as end:
            result: R = end.value
            return result

    def _do(self, action: Request | Pause) -> httpx.Response | None:
        if isinstance(action, Pause):
            time.sleep(action.seconds)
            return None
        with ExitStack() as files:
            request = self._http.build_request(**_arguments(action, files))
            response = self._http.send(request, stream=action.streamed or action.into is not None)
            if (action.streamed or action.into) and response.is_error:
                response.read()
            elif action.into:
                with closing(response):
                    for received in response.iter_bytes():
                        action.into.write(received)
            return response

    def pieces(self, stream: Stream[T]) -> Generator[T, None, None]:
        """The pieces of a stream as they come."""
        response = self.carry_out(opened(stream.request))
        reader = Reader(stream)
        try:
            for received in response.iter_bytes():
                yield from reader.feed(received)
                if reader.ended:
                    return
        except httpx.RequestError as fault:
            raise of_transport(fault) from fault
        finally:
            response.close()
        raise ConnectionLost("The server ended the stream before its end.")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Awaiting:
    """Carries out steps and streams, and is awaited."""

    def __init__(
        self, server: Server, language: str, silence: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """By `transport` where not over the network: to a server in this very process."""
        self.url = server.url
        self._http = httpx.AsyncClient(**_settings(server, language, silence), transport=transport)

    async def carry_out(self, steps: Steps[R]) -> R:
        """Do what `steps` ask for, one after the other."""
        try:
            action = next(steps)
            while True:
                try:
                    done = await self._do(action)
                except (httpx.RequestError, OSError) as fault:  # no answer; a file that cannot be read
                    action = steps.throw(fault)
                else:
                    action = steps.send(done)
        except StopIteration as end:
            result: R = end.value
            return result

    async def _do(self, action: Request | Pause) -> httpx.Response | None:
        if isinstance(action, Pause):
            await asyncio.sleep(action.seconds)
            return None
        with ExitStack() as files:
            request = self._http.build_request(**_arguments(action, files))
            response = await self._http.send(request, stream=action.streamed or action.into is not None)
            if (action.streamed or action.into) and response.is_error:
                await response.aread()
            elif action.into:
                try:
                    async for received in response.aiter_bytes():
                        action.into.write(received)
                finally:
                    await response.aclose()
            return response

    async def pieces(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        """The pieces of a stream as they come."""
        response = await self.carry_out(opened(stream.request))
        reader = Reader(stream)
        try:
            async for received in response.aiter_bytes():
                for piece in reader.feed(received):
                    yield piece
                if reader.ended:
                    return
        except httpx.RequestError as fault:
            raise of_transport(fault) from fault
        finally:
            await response.aclose()
        raise ConnectionLost("The server ended the stream before its end.")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _settings(server: Server, language: str, silence: float) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token}", "User-Agent": "memweb-client"}
    return {
        "base_url": server.url,
        "headers": headers | ({"Accept-Language": language} if language else {}),
        "timeout": httpx.Timeout(silence, connect=CONNECT, pool=None),
        "limits": httpx.Limits(max_connections=None),
        "trust_env": httpx.URL(server.url).host not in HERE,  # no proxy is asked for this very machine
    }


def _arguments(request: Request, files: ExitStack) -> dict[str, Any]:
    """For httpx; a file is opened anew each time it is sent."""
    arguments: dict[str, Any] = {"method": request.method, "url": request.path, "params": dict(request.params)}
    if request.body is not None:
        arguments["json"] = request.body
    if request.upload is not None:
        source = request.upload.source
        content = files.enter_context(source.open("rb")) if isinstance(source, Path) else source
        arguments["files"] = {"file": (request.upload.name, content)}
        arguments["data"] = dict(request.form or {})
    if request.into is not None:
        arguments["timeout"] = httpx.Timeout(WRITING, connect=CONNECT, pool=None)
    if request.key:
        arguments["headers"] = {"Idempotency-Key": request.key}
    return arguments


class Call(Generic[P, R]):
    """A method of both clients, made of steps."""

    def __init__(self, steps: Callable[P, Steps[R]]) -> None:
        self.steps = steps

    @overload
    def __get__(self, client: None, owner: type) -> Callable[P, Steps[R]]: ...
    @overload
    def __get__(self, client: Waiting, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, client: Waiting | Awaiting | None, owner: type) -> Callable[P, Any]:
        if client is None:
            return self.steps

        @functools.wraps(self.steps)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.carry_out(self.steps(*args, **kwargs))

        return method


class StreamCall(Generic[P, T]):
    """A method of both clients, made of a stream."""

    def __init__(self, stream: Callable[P, Stream[T]]) -> None:
        self.stream = stream

    @overload
    def __get__(self, client: None, owner: type) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(self, client: Waiting, owner: type) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, client: Waiting | Awaiting | None, owner: type) -> Callable[P, Any]:
        if client is None:
            return self.stream

        @functools.wraps(self.stream)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.pieces(self.stream(*args, **kwargs))

        return method


class Calls:
    """What both clients can do."""

    create_agent = Call(agents.create_agent)
    get_or_create_agent = Call(agents.get_or_create_agent)
    get_agent = Call(agents.get_agent)
    list_agents = Call(agents.list_agents)
    rename_agent = Call(agents.rename_agent)
    delete_agent = Call(agents.delete_agent)
    export_agent = Call(agents.export_agent)
    import_agent = Call(agents.import_agent)
    save_agent = Call(agents.save_agent)
    copy_agent = Call(agents.copy_agent)
    presets = Call(agents.presets)

    user_message = Call(talking.user_message)
    send_message = Call(talking.send_message)
    stream_message = StreamCall(talking.stream_message)
    events = StreamCall(talking.events)
    recent_messages = Call(talking.recent_messages)
    search_messages = Call(talking.search_messages)

    list_blocks = Call(memory.list_blocks)
    get_block = Call(memory.get_block)
    edit_block = Call(memory.edit_block)
    add_block = Call(memory.add_block)
    insert_passage = Call(memory.insert_passage)
    list_passages = Call(memory.list_passages)
    search_passages = Call(memory.search_passages)
    explain_search = Call(memory.explain_search)
    delete_passage = Call(memory.delete_passage)

    create_archive = Call(documents.create_archive)
    list_archives = Call(documents.list_archives)
    get_archive = Call(documents.get_archive)
    attach_archive = Call(documents.attach_archive)
    detach_archive = Call(documents.detach_archive)
    list_documents = Call(documents.list_documents)
    load_documents = Call(documents.load_documents)

    list_runs = Call(runs.list_runs)
    get_run = Call(runs.get_run)
    wait_for_run = Call(runs.wait_for_run)
    stop_run = Call(runs.stop_run)

    list_asked_calls = Call(approvals.list_asked_calls)
    allow_call = Call(approvals.allow_call)
    deny_call = Call(approvals.deny_call)
    list_commands = Call(commands.list_commands)
    match_command = Call(commands.match_command)
    run_command = Call(commands.run_command)


class Client(Calls, Waiting):
    """A client that waits for each answer. May be shared by threads."""


class AsyncClient(Calls, Awaiting):
    """The same client for asyncio: each call is awaited, each stream read with `async for`."""
