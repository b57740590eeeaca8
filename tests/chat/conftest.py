"""The web face from outside: a page's websocket, and what stands in rendered HTML."""

import html
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from reportlab.pdfgen.canvas import Canvas

from agents.broadcast import bus
from agents.broadcast.events import DocumentChanged
from agents.models import Agent
from chat import throttle
from memweb.asgi import application

PATIENCE = 20  # seconds; far more than anything here takes


class _Lasting:
    """The cache, in which nothing ends: its clock goes on while that of the tests stands."""

    def __getattr__(self, name: str) -> Any:
        return getattr(cache, name)

    def add(self, key: str, value: object, _timeout: float) -> bool:
        return bool(cache.add(key, value, 3600))


@pytest.fixture(autouse=True)
def nobody_tried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests come from one address, whose failures would add up."""
    cache.clear()
    monkeypatch.setattr(throttle, "time", lambda: 1_800_000_000.0)  # a slow test is no shorter wait
    monkeypatch.setattr(throttle, "cache", _Lasting())


def received(answer: Any) -> bytes:
    """What is in a file that is sent, at once or piece by piece."""
    if not answer.streaming:
        return bytes(answer.content)

    async def read() -> bytes:
        return b"".join([piece async for piece in answer])

    return async_to_sync(read)()


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    """alice's browser."""
    client.force_login(alice)
    return client


class Communicator(WebsocketCommunicator):  # type: ignore[misc]
    """Channels' own keeps consumers from giving database connections back, as tests inside one transaction need."""

    send_input: Any = ApplicationCommunicator.send_input
    receive_output: Any = ApplicationCommunicator.receive_output


class Socket:
    """The websocket of one open page, through the whole of the application that a browser meets."""

    def __init__(self, agent: Agent, browser: Client | None) -> None:
        cookie = browser.cookies["sessionid"].value if browser else ""
        headers = [
            (b"host", b"127.0.0.1"),
            (b"origin", b"http://127.0.0.1"),
            (b"cookie", f"sessionid={cookie}".encode()),
        ]
        self.agent = agent
        self.communicator = Communicator(application, f"/ws/agents/{agent.pk}/", headers=headers)

    async def connect(self) -> tuple[bool, int | None]:
        """Whether it was accepted, and the code if not."""
        accepted, code = await self.communicator.connect(timeout=PATIENCE)
        return accepted, code

    async def say(self, **frame: Any) -> None:
        await self.communicator.send_json_to(frame)

    async def frame(self) -> str:
        text: str = await self.communicator.receive_from(timeout=PATIENCE)
        return text

    async def until(self, wanted: Callable[[str], bool]) -> list[str]:
        """All frames up to the wanted one."""
        frames = [await self.frame()]
        while not wanted(frames[-1]):
            frames.append(await self.frame())
        return frames

    async def resume(self, seq: int) -> list[str]:
        """Say what this page has; what it is told, to the draft that ends the answer."""
        await self.say(type="resume", seq=seq, version=self.agent.timeline_version)
        return await self.until(lambda frame: kind(frame) == "draft")

    async def everything(self) -> list[str]:
        """All frames sent because of what was published so far: a last event stands for the end."""
        bus.publish(bus.agent_group(self.agent.pk), DocumentChanged(document=0))
        frames = await self.until(lambda frame: kind(frame) == "changed" and json.loads(frame)["what"] == ["documents"])
        return frames[:-1]


@asynccontextmanager
async def open_socket(agent: Agent, browser: Client) -> AsyncIterator[Socket]:
    socket = Socket(agent, browser)
    assert await socket.connect() == (True, None)
    await socket.everything()  # what was still on its way from before
    try:
        yield socket
    finally:
        await socket.communicator.disconnect(timeout=PATIENCE)


def kind(frame: str) -> str:
    """The type of a JSON frame; "html" for the others."""
    return str(json.loads(frame)["type"]) if frame.startswith("{") else "html"


def seqs(markup: str) -> list[int]:
    """Of the timeline rows, in the order they are drawn."""
    return [int(seq) for seq in re.findall(r'<article class="row[^>]*data-seq="(\d+)"', markup)]


def field(markup: str, name: str) -> str:
    """What a browser shows in a form's text box or sends of a hidden field."""
    box = re.search(rf'<textarea[^>]*name="{name}"[^>]*>(.*?)</textarea>', markup, re.DOTALL)
    if box:
        return html.unescape(box[1].removeprefix("\n"))  # HTML drops a first newline
    hidden = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', markup)
    assert hidden, f"no field {name} in {markup}"
    return html.unescape(hidden[1])


def plain(markup: str) -> str:
    """Its text, with every run of white space as one space. A marked word stays one word."""
    markup = re.sub(r"</?mark>", "", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def post(browser: Client, view: str, /, *ids: Any, **data: Any) -> HttpResponse:
    answer: HttpResponse = browser.post(reverse(view, args=ids), data)  # type: ignore[assignment]
    return answer


def told(answer: HttpResponse) -> dict[str, Any]:
    """What an answer that changes nothing on the page by itself tells it."""
    assert answer.status_code == 204 and not answer.content
    return dict(json.loads(answer.headers.get("HX-Trigger", "{}")))


def toast(answer: HttpResponse) -> str:
    return str(told(answer)["memweb:toast"]["text"])


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page."""
    file = io.BytesIO()
    canvas = Canvas(file)
    for text in pages:
        canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()
