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
from agents.models import Agent
from chat.origin import is_own_page
from tests.chat.conftest import PATIENCE, Socket

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
