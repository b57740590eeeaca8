"""The protocol's answers for a token, by a client whose requests go to the doors in this very process.

So one client carries out the tools for both ways in, with one set of rights and sentences, and no connection to itself.
"""

import asyncio
from typing import Any

import httpx

from api.mcp.bridge import Application
from memweb.client import SILENCE, AsyncClient, Server
from memweb.mcp.http import answer

HERE = "http://127.0.0.1"  # what the doors are called by within the process
_at_work: set["asyncio.Task[None]"] = set()


def answers_for(token: str, doors: Application) -> Application:
    """As an ASGI application."""
    transport = httpx.ASGITransport(told_of_leaving(doors), raise_app_exceptions=False)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await answer(AsyncClient(Server(HERE, token), "en", SILENCE, transport), scope, receive, send)

    return application


def told_of_leaving(doors: Application) -> Application:
    """The doors, for a caller that may be cancelled: they hear then what they hear of a client that hangs up. Django
    would leave behind what it does when it is itself cancelled."""

    async def carried_out(scope: Any, receive: Any, send: Any) -> None:
        left = asyncio.Event()

        async def received() -> Any:
            leaving, coming = asyncio.ensure_future(left.wait()), asyncio.ensure_future(receive())
            try:
                await asyncio.wait({leaving, coming}, return_when=asyncio.FIRST_COMPLETED)
                return coming.result() if coming.done() else {"type": "http.disconnect"}
            finally:
                leaving.cancel()
                coming.cancel()

        work = asyncio.ensure_future(doors(scope, received, send))
        _at_work.add(work)
        work.add_done_callback(_at_work.discard)
        try:
            await asyncio.shield(work)
        finally:
            left.set()

    return carried_out
