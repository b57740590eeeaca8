"""The door of pages: static files in front of the middleware, and a page in one go in one thread."""

import asyncio
import threading
import time
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator

from memweb.asgi import Threads, Turns, pages

make_communicator: Any = ApplicationCommunicator  # asgiref gives it no types
HEADERS = [(b"host", b"localhost")]


async def answer(path: str) -> tuple[dict[str, str], bytes]:
    """Headers, with the status, and body."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": HEADERS}
    communicator: Any = make_communicator(pages, scope)
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    begun = await communicator.receive_output(30)
    headers = {name.decode().lower(): value.decode() for name, value in begun["headers"]}
    body, more = b"", True
    while more:
        part = await communicator.receive_output(30)
        body, more = body + part.get("body", b""), part.get("more_body", False)
    await communicator.wait()
    return {"status": str(begun["status"]), **headers}, body


@pytest.mark.django_db(transaction=True)
def test_a_page_changes_threads_three_times() -> None:
    """For what Django does before it and after it, and for all of its middleware with the view."""
    hops: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        hops.append(getattr(self.func, "__qualname__", str(self.func)))
        return await call(self, *arguments, **named)

    with patch.object(SyncToAsync, "__call__", counted):
        headers, body = async_to_sync(answer)("/login/")
    assert headers["status"] == "200" and b"<form" in body
    assert headers["x-frame-options"] == "DENY" and "script-src" in headers["content-security-policy"]
    assert len(hops) == 3, hops


def test_a_static_file_is_answered_with_what_protects_it() -> None:
    headers, body = async_to_sync(answer)("/static/css/base.css")
    assert headers["status"] == "200" and headers["content-type"].startswith("text/css") and b"--accent" in body
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


def test_a_thread_is_used_again_when_its_page_is_done() -> None:
    threads, leave = Threads(), threading.Event()

    async def page(work: Any) -> Any:
        async with threads.one():
            return await sync_to_async(work)()

    async def left_in_the_middle() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(page(lambda: leave.wait(60)), 0.1)

    first = async_to_sync(page)(threading.get_ident)
    while not threads.idle:
        time.sleep(0.01)
    asyncio.run(left_in_the_middle())
    assert not threads.idle  # its view is still at work
    second = async_to_sync(page)(threading.get_ident)
    leave.set()
    while len(threads.idle) < 2:
        time.sleep(0.01)
    assert first != second
    assert async_to_sync(page)(threading.get_ident) in (first, second)


def pages_in_turns(begun: list[str], hold: asyncio.Event) -> Turns:
    """Pages that end when `hold` is set; the names of those that have begun."""

    async def work(request: Any) -> Any:
        begun.append(request)
        await hold.wait()
        return request

    return Turns(work)


def test_pages_that_are_asked_for_at_once_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turns, "PATIENCE", 600)
    begun: list[str] = []

    async def four() -> list[Any]:
        hold = asyncio.Event()
        turns: Any = pages_in_turns(begun, hold)
        asked = [asyncio.ensure_future(turns.take(name)) for name in ("a", "b", "c", "d")]
        while len(begun) < Turns.AT_ONCE:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == ["a", "b"]
        asked[2].cancel()  # its browser left: its turn is the next one's
        hold.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = async_to_sync(four)()
    assert begun == ["a", "b", "d"] and answers[3] == "d"


def test_pages_that_wait_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turns, "PATIENCE", 0.001)
    begun: list[str] = []

    async def many() -> None:
        hold = asyncio.Event()
        turns: Any = pages_in_turns(begun, hold)
        asked = [asyncio.ensure_future(turns.take(str(number))) for number in range(9)]
        while len(begun) < 9:
            await asyncio.sleep(0.001)
        hold.set()
        await asyncio.gather(*asked)
        assert turns.places._value == Turns.AT_ONCE

    async_to_sync(many)()
