"""A small real HTTP server that answers as it is told, and both clients of it."""

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from memweb.client import AsyncClient, Client, create_async_client, create_client

TOKEN = "memweb-for-tests"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Given:
    """What to answer: `events` make a stream, `cut` closes the connection before the end, `hang` says nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    events: list[Any] | None = None
    cut: bool = False
    hang: bool = False


Answering = Callable[[Asked], Given | Any]


class SmallServer:
    """Answers by `answer`, a function of the request, or by `answers`, a list that is played in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Given | Any] = []
        self.answer: Answering = lambda _asked: self.answers.pop(0)
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"small": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    small: SmallServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = self._chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, raw)
        self.small.asked.append(asked)
        answer = self.small.answer(asked)
        given = answer if isinstance(answer, Given) else Given(body=answer)
        if given.hang:
            self.small.closing.wait(20)
        if given.events is not None:
            self._stream(given)
        elif given.cut:
            self.close_connection = True
        else:
            self._whole(given)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  as http.server calls them

    def _chunks(self) -> bytes:
        raw = b""
        while size := int(self.rfile.readline(), 16):
            raw += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return raw

    def _whole(self, given: Given) -> None:
        raw = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, given: Given) -> None:
        self.send_response(given.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in given.events or []:
            raw = event if isinstance(event, bytes) else f"data: {_line(event)}\n\n".encode()
            self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
            self.wfile.flush()
        if given.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


def _line(event: Any) -> str:
    return event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)


@pytest.fixture
def small() -> Iterator[SmallServer]:
    server = SmallServer()
    yield server
    server.close()


class Both:
    """The client that waits, or the one that is awaited, called in one way."""

    def __init__(self, make: Callable[[], Client | AsyncClient]) -> None:
        self.make = make

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return asyncio.run(self._carry_out(name, args, kwargs))

        return call

    async def _carry_out(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        client = self.make()
        if isinstance(client, Client):
            with client:
                result = getattr(client, name)(*args, **kwargs)
                return list(result) if inspect.isgenerator(result) else result
        async with client:
            result = getattr(client, name)(*args, **kwargs)
            return [piece async for piece in result] if inspect.isasyncgen(result) else await result


@pytest.fixture(params=["waits", "is awaited"])
def client(request: pytest.FixtureRequest, small: SmallServer) -> Any:
    make = create_client if request.param == "waits" else create_async_client
    return Both(lambda: make(small.url, TOKEN, language="zh-hans", silence=1.0))
