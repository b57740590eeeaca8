"""What an ASGI application answers, as a response of Django's: streamed where it comes in pieces."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

Message = Any
Application = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


async def answer_by(application: Application, scope: dict[str, Any], body: bytes) -> HttpResponseBase:
    """Raises what the application raises before it answers. It is cancelled when the client leaves."""
    exchange = _Exchange(application, scope, body)
    try:
        start, first = await exchange.next(), await exchange.next()
    except BaseException:
        exchange.work.cancel()
        raise
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start.get("headers", ())}
    headers.pop("content-length", None)  # Django's own
    response: HttpResponseBase
    if first.get("more_body"):
        response = StreamingHttpResponse(exchange.pieces(first), status=start["status"], headers=headers)
    else:
        await exchange.work
        response = HttpResponse(first.get("body", b""), status=start["status"], headers=headers)
    return response


class _Exchange:
    """One request of the application, at work in a task of its own."""

    def __init__(self, application: Application, scope: dict[str, Any], body: bytes) -> None:
        self._request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._sent: asyncio.Queue[Message] = asyncio.Queue(1)
        self.work = asyncio.ensure_future(application(scope, self._receive, self._sent.put))

    async def _receive(self) -> Message:
        if not self._request:
            await asyncio.Event().wait()  # a client that leaves ends the work by cancelling it
        return self._request.pop()

    async def next(self) -> Message:
        """What it sends next. Raises what it raises, RuntimeError if it ends without an answer."""
        told = asyncio.ensure_future(self._sent.get())
        try:
            await asyncio.wait({told, self.work}, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                return told.result()
            if self._sent.empty():
                self.work.result()
                raise RuntimeError("it ended without an answer")
            return await told
        finally:
            told.cancel()

    async def pieces(self, first: Message) -> AsyncIterator[bytes]:
        """The body as it comes."""
        message = first
        try:
            while True:
                yield message.get("body", b"")
                if not message.get("more_body"):
                    await self.work
                    return
                message = await self.next()
        finally:
            self.work.cancel()
