"""A websocket goes on no longer than its session, and is opened by memweb's own page alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import services
from agents.models import Agent, OpenSession
from chat import crowding
from chat.origin import is_own_page
from tests.chat.conftest import PATIENCE, Socket, open_socket
from tests.conftest import make_agent

pytestmark = pytest.mark.django_db(transaction=True)


def closed_by(agent: Agent, browser: Client, act: Callable[[], object]) -> int:
    """The code with which the socket of an open page is closed after `act`."""

    async def whole() -> int:
        socket = Socket(agent, browser)
        assert await socket.connect() == (True, None)
        await database_sync_to_async(act, thread_sensitive=False)()
        while (output := await socket.communicator.receive_output(PATIENCE))["type"] != "websocket.close":
            pass
        return int(output["code"])

    return asyncio.run(whole())


def test_a_socket_closes_when_its_session_ends(agent: Agent, browser: Client) -> None:
    assert closed_by(agent, browser, lambda: browser.post(reverse("logout"))) == 4401


def test_a_socket_closes_when_its_session_is_ended_from_another_device(
    agent: Agent, browser: Client, alice: User
) -> None:
    phone = Client()
    phone.force_login(alice)
    mine = OpenSession.objects.get(session=browser.cookies["sessionid"].value)
    end = reverse("account_session_end", args=[mine.pk])
    assert closed_by(agent, browser, lambda: phone.post(end)) == 4401


def test_a_socket_stays_open_when_another_session_is_ended(agent: Agent, browser: Client, alice: User) -> None:
    Client().force_login(alice)

    async def whole() -> None:
        async with open_socket(agent, browser) as socket:
            await database_sync_to_async(browser.post, thread_sensitive=False)(reverse("account_sessions_end"))
            assert await socket.everything() == []

    asyncio.run(whole())


# Floods


def close_of(output: dict[str, Any]) -> int | None:
    return int(output["code"]) if output["type"] == "websocket.close" else None


def test_a_socket_that_says_too_much_at_once_is_closed(agent: Agent, browser: Client) -> None:
    async def whole() -> None:
        socket = Socket(agent, browser)
        assert await socket.connect() == (True, None)
        for _ in range(crowding.BURST * 3):
            await socket.say(type="nothing")
        while (code := close_of(await socket.communicator.receive_output(PATIENCE))) is None:
            pass
        assert code == 4429

    asyncio.run(whole())


def test_what_a_page_says_when_it_opens_and_misses_pieces_is_no_flood(agent: Agent, browser: Client) -> None:
    async def whole() -> None:
        async with open_socket(agent, browser) as socket:
            for _ in range(20):
                await socket.resume(0)

    asyncio.run(whole())


def test_a_person_has_no_more_than_so_many_sockets(
    agent: Agent, browser: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowding, "MOST_SOCKETS", 3)
    client = Client()
    client.force_login(bob)
    bobs = make_agent(bob)

    async def whole() -> None:
        sockets = [Socket(agent, browser) for _ in range(3)]
        for socket in sockets:
            assert await socket.connect() == (True, None)
        one_more = Socket(agent, browser)
        assert await one_more.connect() == (True, None)
        assert close_of(await one_more.communicator.receive_output(PATIENCE)) == 4430
        async with open_socket(bobs, client):
            pass
        await sockets[0].communicator.disconnect(timeout=PATIENCE)
        async with open_socket(agent, browser):
            pass
        for socket in sockets[1:]:
            await socket.communicator.disconnect(timeout=PATIENCE)

    before = dict(crowding._open)
    asyncio.run(whole())
    assert dict(crowding._open) == before


def test_a_socket_closes_when_the_password_is_another(agent: Agent, browser: Client, alice: User) -> None:
    def change() -> None:
        alice.set_password("another one, longer")
        alice.save()

    assert closed_by(agent, browser, change) == 4401


def test_a_socket_closes_when_the_account_is_closed(agent: Agent, browser: Client, alice: User) -> None:
    def close() -> None:
        alice.is_active = False
        alice.save()

    assert closed_by(agent, browser, close) == 4401


def test_a_socket_closes_when_its_agent_is_deleted(agent: Agent, browser: Client) -> None:
    assert closed_by(agent, browser, lambda: services.agent_delete(agent=agent)) == 4404


def scope(origin: str, host: str = "127.0.0.1:8000", **more: Any) -> dict[str, Any]:
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    return {"type": "websocket", "scheme": "ws", "headers": headers} | more


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.0.0.1:8001", False),
        ("https://127.0.0.1:8000", False),
        ("http://127.0.0.1", False),
        ("http://localhost:8000", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str, own: bool) -> None:
    assert is_own_page(scope(origin)) is own


def test_a_host_that_is_not_ours_opens_nothing() -> None:
    assert not is_own_page(scope("http://evil.example", "evil.example"))


def test_an_origin_that_is_named_may_come_in(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["http://nas.local:8080"]
    assert is_own_page(scope("http://nas.local:8080"))
