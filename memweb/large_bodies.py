"""Bodies larger than memory. daphne takes each whole into memory, on the way in before Django reads the first of it, on
the way out as fast as Django gives it: here they come from the file that Twisted received them in, and go out as fast
as the client takes them."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import IO, Any

from daphne.http_protocol import WebRequest

REQUEST = "memweb.request"  # in the scope: Twisted's request, and what was received
PIECE = 64 * 1024  # bytes

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_process = WebRequest.process


class _Serving:
    """daphne's server, except that an application gets the request itself and what was received. Only requests are
    reached for: daphne's module of the server makes the event loop, which the programs' common parent must not have."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def create_application(self, protocol: Any, scope: Scope) -> Any:
        """As the server's."""
        if scope["type"] == "http":
            scope[REQUEST] = protocol, protocol.content
            protocol.content = BytesIO()
        return self._server.create_application(protocol, scope)


def _processed(request: Any) -> Any:
    request.server = _Serving(request.server)
    return _process(request)


WebRequest.process = _processed


def piece_by_piece(application: Application) -> Application:
    """The same, for bodies of any size. Whoever calls it without daphne has bodies of their own."""

    async def paced(scope: Scope, receive: Receive, send: Send) -> None:
        if REQUEST not in scope:
            await application(scope, receive, send)
            return
        request, content = scope.pop(REQUEST)
        with content:
            await application(scope, _received(content, receive), _Sending(request, send))

    return paced


def _received(content: IO[bytes], receive: Receive) -> Receive:
    is_whole = False

    async def receive_next() -> Message:
        nonlocal is_whole
        if not is_whole:
            piece = content.read(PIECE)
            is_whole = len(piece) < PIECE
            return {"type": "http.request", "body": piece, "more_body": not is_whole}
        while (message := await receive())["type"] == "http.request":  # daphne's own, which is empty
            pass
        return message

    return receive_next


class _Sending:
    """Sends what has a length, which is a file, no faster than it goes out: to Twisted it is a producer, which is
    paused while too much waits. Streams of events have none and never wait."""

    def __init__(self, request: Any, send: Send) -> None:
        self.request, self.send = request, send
        self.flows = asyncio.Event()
        self.flows.set()
        self.is_file = self.is_registered = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_file = any(name.lower() == b"content-length" for name, _value in message.get("headers", ()))
        elif self.is_file:
            more = message.get("more_body", False)
            if more and not self.is_registered:
                self.request.registerProducer(self, True)
                self.is_registered = True
            await self.flows.wait()
            if not more and self.is_registered:
                self.request.unregisterProducer()
        await self.send(message)

    def pauseProducing(self) -> None:  # noqa: N802
        """Twisted's word for: enough waits."""
        self.flows.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """Twisted's word for: more may come."""
        self.flows.set()

    def stopProducing(self) -> None:  # noqa: N802
        """Twisted's word for: nobody reads any more. What is sent then goes nowhere."""
        self.flows.set()
