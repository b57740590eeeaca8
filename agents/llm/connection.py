"""The connection to model servers: one event loop in a thread of its own, and one HTTP client on it, per process.

The engine is synchronous and asks from many threads; making a client costs more than a whole answer (its TLS context
alone 70 ms of CPU), so all of them share one, with its open connections. While nothing arrives, `check` is called a few
times a second in the thread that asks, and whatever it raises ends the request, which makes a server stop generating.
"""

import asyncio
import json
import os
import queue
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
from anyio import to_thread
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, AsyncStream, InternalServerError
from openai import DefaultAsyncHttpxClient as HttpClient

from agents.llm.adapting import ways_of
from agents.llm.errors import problem_of
from agents.llm.reading import Events
from memweb.functions.public_hosts import PublicOnly, public_address

Check = Callable[[], None]
Request = dict[str, Any]

CHECK_SECONDS = 0.25
LOCAL_START_SECONDS = 1800  # downloading weights on a slow line
MAX_RETRIES = 3  # before the first delta; with backoff, by the client
LINE_END = re.compile(r"\r\n|\n|\r")
END = object()
MOST_CLIENTS = 200
FETCH_SECONDS = 10.0
FETCH_PAUSE = 0.5  # seconds before it is asked again
LONGEST_LINE = 20_000_000  # characters of an answer
MOST_FETCHED = 8_000_000  # bytes
NO_KEY = "none"  # the client wants one, also for a server that has none


@dataclass(frozen=True)
class Endpoint:
    """Where to ask. `timeout` is in seconds of silence; `patient`: the server may still be loading its weights;
    `public_only`: never at an address of a private network.

    `at_once` is how many requests it is sent at the same time; others wait here, where waiting is no silence. 0: any.
    """

    base_url: str | None
    api_key: str = field(repr=False)
    timeout: float
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    public_only: bool = False
    retries: int = MAX_RETRIES
    patient: bool = False
    at_once: int = 0


def stream(request: Request, endpoint: Endpoint, *, check: Check) -> Iterator[tuple[Any, float]]:
    """Send a chat completion request; yields each streamed piece as decoded JSON, with its time (monotonic seconds).

    Raises what `openai` and its transport raise, and whatever `check` raises. Closing the iterator ends the request.
    """
    return _connection().stream(request, endpoint, check)


@dataclass(frozen=True)
class Said:
    """A whole answer; `value` is its JSON, None where it is none."""

    status: int
    value: Any
    text: str
    headers: dict[str, str]


def fetch(
    endpoint: Endpoint, url: str, body: Request | None = None, *, seconds: float = FETCH_SECONDS, tries: int = 1
) -> Said:
    """Ask the endpoint's server something else than a completion; with a body by POST. It is asked up to `tries` times
    where it fails for reasons of its own.

    Raises httpx2.HTTPError, NotPublic, and httpx2.ReadError for an answer that is longer than MOST_FETCHED.
    """
    for number in range(1, tries + 1):
        try:
            said = _connection().fetch(endpoint, url, body, seconds)
        except httpx2.TransportError:
            if number == tries:
                raise
        else:
            if number == tries or not (said.status >= 500 or said.status == HTTPStatus.TOO_MANY_REQUESTS):
                return said
        time.sleep(FETCH_PAUSE * number)
    raise AssertionError("unreachable")


def prepare() -> None:
    """Make the loop, the client and its TLS context now, so that the first message does not wait for them."""
    _connection().prepare()


class _Connection:
    """The loop's thread and the client. Not shared with a forked child, which makes its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._http: HttpClient | None = None
        self._guarded: HttpClient | None = None  # leads to public addresses only
        self._clients: dict[Endpoint, AsyncOpenAI] = {}
        self._places: dict[str | None, asyncio.Semaphore] = {}
        threading.Thread(target=self._loop.run_forever, name="llm", daemon=True).start()

    def prepare(self) -> None:
        async def make() -> None:
            self._http = self._http or _http()

        asyncio.run_coroutine_threadsafe(make(), self._loop).result()

    def stream(self, request: Request, endpoint: Endpoint, check: Check) -> Iterator[tuple[Any, float]]:
        pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = asyncio.run_coroutine_threadsafe(self._pump(request, endpoint, pieces), self._loop)
        try:
            while True:
                try:
                    piece = pieces.get(timeout=CHECK_SECONDS)
                except queue.Empty:
                    check()
                    continue
                if piece is END:
                    break
                yield piece
                check()
            future.result()  # raises what ended it
        except CancelledError as error:  # the loop was shut down under it
            raise OSError("the connection was closed") from error
        finally:
            future.cancel()

    def fetch(self, endpoint: Endpoint, url: str, body: Request | None, seconds: float) -> Said:
        return asyncio.run_coroutine_threadsafe(self._fetch(endpoint, url, body, seconds), self._loop).result()

    async def _fetch(self, endpoint: Endpoint, url: str, body: Request | None, seconds: float) -> Said:
        http = self._transport(endpoint.public_only)
        headers = {"Authorization": f"Bearer {endpoint.api_key or NO_KEY}", **dict(endpoint.headers)}
        text = bytearray()
        try:
            async with asyncio.timeout(seconds):
                method = "GET" if body is None else "POST"
                async with http.stream(method, url, headers=headers, json=body, timeout=seconds) as answer:
                    async for piece in answer.aiter_bytes():
                        text += piece
                        if len(text) > MOST_FETCHED:
                            raise httpx2.ReadError("The answer has no end.")
        except TimeoutError as error:
            raise httpx2.ReadTimeout("There was no whole answer.") from error
        said = text.decode("utf-8", "replace")
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            value = None
        return Said(answer.status_code, value, said, {name.lower(): value for name, value in answer.headers.items()})

    async def _pump(self, request: Request, endpoint: Endpoint, pieces: "queue.SimpleQueue[Any]") -> None:
        """Run on the loop: from the server into the queue of the thread that asks."""
        try:
            async with self._place(endpoint):
                answer = await self._open(request, endpoint)
                try:
                    async for piece in _pieces(answer.response):
                        pieces.put((piece, time.monotonic()))
                finally:
                    await answer.close()
        finally:
            pieces.put(END)

    def _place(self, endpoint: Endpoint) -> AbstractAsyncContextManager[object]:
        if not endpoint.at_once:
            return nullcontext()
        return self._places.setdefault(endpoint.base_url, asyncio.Semaphore(endpoint.at_once))

    async def _open(self, request: Request, endpoint: Endpoint) -> AsyncStream[Any]:
        """Start the stream. Raw JSON goes out and comes in: the client's own types would walk every message."""
        client = self._client(endpoint)
        if endpoint.public_only:  # its transport looks too; what it raises, the client would try again
            await to_thread.run_sync(public_address, client.base_url.host, abandon_on_cancel=True)
        known = ways_of(endpoint.base_url, request["model"])
        ways = known.tried()
        deadline = time.monotonic() + LOCAL_START_SECONDS
        while True:
            adapted = ways.adapt(request)
            try:
                answer = await client.post(
                    "/chat/completions",
                    cast_to=object,
                    body=adapted,
                    options={"timeout": endpoint.timeout, "max_retries": endpoint.retries},
                    stream=True,
                    stream_cls=AsyncStream[Any],
                )
                known.keep(ways)
                return answer
            except (APIConnectionError, APIStatusError) as error:
                problem = problem_of(error)
                if problem is not None and ways.learn(problem, adapted):
                    continue
                loading = isinstance(error, (APIConnectionError, InternalServerError))
                timed_out = isinstance(error, APITimeoutError)
                if not loading or not endpoint.patient or timed_out or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(1)

    def _client(self, endpoint: Endpoint) -> AsyncOpenAI:
        """A thin one for each endpoint, all on the same connections and TLS context."""
        if endpoint not in self._clients:
            if len(self._clients) >= MOST_CLIENTS:  # keys change; who asks again makes a new one
                self._clients.clear()
            self._clients[endpoint] = AsyncOpenAI(
                base_url=endpoint.base_url,
                api_key=endpoint.api_key or NO_KEY,
                default_headers=dict(endpoint.headers),
                http_client=self._transport(endpoint.public_only),
            )
        return self._clients[endpoint]

    def _transport(self, public_only: bool) -> HttpClient:
        if not public_only:
            self._http = self._http or _http()
            return self._http
        self._guarded = self._guarded or _http(transport=PublicOnly())
        return self._guarded


def _http(**options: Any) -> HttpClient:
    """A client that many people share: it keeps no cookies, and follows nobody elsewhere with somebody's headers."""
    nowhere = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return HttpClient(follow_redirects=False, cookies=nowhere, **options)


async def _pieces(response: httpx2.Response) -> AsyncIterator[Any]:
    """The decoded pieces of an answer: events, whatever the server calls their type, or what it sent in their place.

    Raises ServerSaid for a body that is no answer.
    """
    events = Events()
    async for line in _lines(response):
        if line.removeprefix("data:").strip() == "[DONE]":
            break
        for piece in events.take(line):
            yield piece
    for piece in events.rest():
        yield piece


async def _lines(response: httpx2.Response) -> AsyncIterator[str]:
    """The lines of an answer, ended as those of events are: what ends lines elsewhere may stand in JSON."""
    held: list[str] = []
    length = 0
    ended_in_return = False
    async for text in response.aiter_text():
        if ended_in_return:
            text = text.removeprefix("\n")
        ended_in_return = text.endswith("\r")
        first, *others = LINE_END.split(text)
        held.append(first)
        for other in others:
            yield "".join(held)
            held = [other]
            length = 0
        length += len(text)
        if length > LONGEST_LINE:
            raise httpx2.ReadError("A line of the answer has no end.")
    if held and (last := "".join(held)):
        yield last


_lock = threading.Lock()
_current: _Connection | None = None


def _connection() -> _Connection:
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():  # threads do not survive a fork
            _current = _Connection()
        return _current
