"""ASGI doors: HTTP pages and websockets."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
django.setup(set_prefix=False)  # first: it loads the apps that the imports below need

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from daphne.ws_protocol import WebSocketProtocol  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from servestatic.middleware import ServeStaticMiddleware  # noqa: E402
from twisted.web.http import HTTPChannel, Request  # noqa: E402

from api.handler import ProgramsHandler, is_for_programs  # noqa: E402
from chat.origin import SameOrigin  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402
from memweb import health  # noqa: E402
from memweb.large_bodies import piece_by_piece  # noqa: E402


class Threads:
    """Those in which pages are worked on: one for each at a time, and used again. A new one for each, with a new
    connection object to the database in it, cost a fifth of a page."""

    MOST_IDLE = 20  # beyond, a thread ends with its request

    def __init__(self) -> None:
        self.idle: list[ThreadPoolExecutor] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """All that Django does for a request in a thread is done in the same, which is nobody else's meanwhile."""
        thread = self.idle.pop() if self.idle else ThreadPoolExecutor(1, "page")
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            thread.submit(self._put_back, thread)  # a view may still be at work for a browser that has gone

    def _put_back(self, thread: ThreadPoolExecutor) -> None:
        close_old_connections()  # which Django does, unless the browser left in the middle
        if len(self.idle) < self.MOST_IDLE:
            self.idle.append(thread)
        else:
            thread.shutdown(wait=False)


class Turns:
    """Pages that are asked for at once are worked on in their order, a few at a time.

    They share one interpreter: eight that begin together all end when the last one ends. Whoever has waited its
    patience goes ahead, for those at work may wait as well, for a lock or a file.
    """

    AT_ONCE = 2  # one that computes, one that waits for the database
    PATIENCE = 0.03  # seconds

    def __init__(self, work: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        self.work, self.places = work, asyncio.Semaphore(self.AT_ONCE)

    async def take(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request that was read whole."""
        try:
            async with asyncio.timeout(self.PATIENCE):
                await self.places.acquire()
        except TimeoutError:
            return await self.work(request)
        try:
            return await self.work(request)
        finally:
            self.places.release()


class PagesHandler(ASGIHandler):
    """Static files; then middleware and view of a page in one go, in one thread, by turns.

    Django's own goes back to the event loop between them, ten times a page: for each middleware above one that is
    async, as that of static files is, and for what each has to say before the view.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """As for WSGI, and all of it is awaited once."""
        super().load_middleware(is_async=False)
        self._middleware_chain: Any = ServeStaticMiddleware(Turns(sync_to_async(self._middleware_chain)).take)


threads = Threads()
pages = PagesHandler()
programs = ProgramsHandler()
HTTPChannel.MAX_LENGTH = HTTPChannel.totalHeadersSize = 65_536  # bytes of an address; beyond, Twisted hangs up
# Bytes of what a page says: far more than ours do. Beyond, the socket is closed with 1009 and nothing is kept of it.
WebSocketProtocol.maxFramePayloadSize = WebSocketProtocol.maxMessagePayloadSize = 65_536
WebSocketProtocol.failByDrop = False  # it says so, before it hangs up
# Django reads forms and files. Twisted, below daphne, would read each once more, whole and in memory, and answer a
# broken one itself, without a word. It has a setting for that, which daphne does not pass on.
Request._parsePOSTFormSubmission = property(lambda _request: False, lambda _request, _value: None)  # type: ignore


async def http_application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Probes; pages and the doors for programs, each with its own middleware."""
    if await health.answer(scope["path"], send):
        return
    if is_for_programs(scope["path"]):  # a door that is made of others may end before they do
        await programs(scope, receive, send)
        return
    async with threads.one():
        await pages(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": piece_by_piece(http_application),
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
