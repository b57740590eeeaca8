"""What protects every page: a strict policy, nothing inline that it would have to allow, no forms from elsewhere."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import services
from agents.llm.scripted import call, say
from agents.models import Agent
from chat.views.agents import TABS
from memweb.env import PROJECT_FOLDER
from tests.conftest import ServeModel, exchange

POLICY = (
    "base-uri 'none'; connect-src 'self'; default-src 'none'; font-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'"
)
INLINE = {
    "a style": r"<[^>]*\sstyle\s*=",
    "an event attribute": r"<[^>]*\son[a-z]+\s*=",
    "htmx's own event attribute": r"<[^>]*\shx-on[:\s=-]",
    "a script without a file": r"<script(?![^>]*\ssrc=)[^>]*>",
    "a style sheet inside": r"<style[\s>]",
    "a script as an address": r"javascript:",
    "a trigger that needs eval": r'hx-trigger="[^"]*\[',
    "another site": r'(?:src|href)="(?:https?:)?//',
}


@pytest.fixture
def lived_in(agent: Agent, serve_model: ServeModel) -> Agent:
    """An agent with a row of most kinds, passages, and a document."""
    serve_model(
        [
            call("core_memory_append", label="human", content='Name: <b onclick="x" style="y">Ada</b>.'),
            call("fly_away"),
            say("# Hello\n\n```python\nx = 1\n```\n\n|a|b|\n|-:|-|\n|1|2|"),
        ]
    )
    exchange(agent, "Hello")
    services.heartbeat_send(agent=agent, reason="Wake up.")
    services.passage_add(agent=agent, text="The lamp burns whale oil.")
    services.document_add(archive=agent.archive, file=SimpleUploadedFile("log.txt", b"The keeper's log."))
    services.queue_flush(agent=agent)
    return agent


def pages(browser: Client, agent: Agent) -> dict[str, Any]:
    """Every kind of page and partial, as its owner sees it."""
    names = ("agent", "agent_rename", "agent_delete", "timeline_older", "gauge", "prompt", "documents")
    block = agent.blocks.get(label="human")
    urls = {name: reverse(name, args=[agent.pk]) for name in names}
    urls |= {f"tab {name}": reverse("tab", args=[agent.pk, name]) for name in TABS}
    urls |= {name: reverse(name) for name in ("agent_list", "agent_new", "model_banner")}
    urls |= {name: reverse(name, args=[agent.pk, block.pk]) for name in ("block", "block_edit")}
    urls["nothing here"] = "/agents/00000000-0000-4000-8000-000000000000/"
    found: dict[str, Any] = {name: browser.get(url) for name, url in urls.items()}
    stale = {"value": "Mine.", "revision": "0"}
    found["a stale edit"] = browser.post(urls["block_edit"], stale)
    found["a refused upload"] = browser.post(reverse("document_add", args=[agent.pk]))
    found["a sent message"] = browser.post(reverse("message_send", args=[agent.pk]), {"text": "Hi"})
    found["a refused message"] = browser.post(reverse("message_send", args=[agent.pk]), {"text": ""})
    return found


def strangers_pages(alice: User) -> dict[str, Any]:
    client = Client()
    found: dict[str, Any] = {name: client.get(reverse(name)) for name in ("login", "sign_up")}
    found["a used address"] = client.get(reverse("enter", args=[alice.pk, "x-y"]))
    client.force_login(User.objects.create_user("charlie"))
    found["welcome"] = client.get(reverse("home"))
    return found


def inline_parts(answer: HttpResponse) -> list[str]:
    text = answer.content.decode()
    return [what for what, pattern in INLINE.items() if re.search(pattern, text)]


def test_every_page_carries_the_policy_and_has_nothing_inline(
    browser: Client, lived_in: Agent, alice: User, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True
    found = pages(browser, lived_in) | strangers_pages(alice)
    for name, answer in found.items():
        assert answer.status_code < 500 and answer.content, name
        assert "; ".join(sorted(answer["Content-Security-Policy"].split("; "))) == POLICY, name
        assert not inline_parts(answer), (name, inline_parts(answer))
        assert answer["X-Content-Type-Options"] == "nosniff" and answer["X-Frame-Options"] == "DENY", name


@pytest.mark.parametrize(
    "text",
    [
        '<p class="a" style="color:red">',
        "<b onclick=x>",
        '<div hx-on:click="x">',
        "<script>x</script>",
        '<script type="module">x</script>',
        "<style>p{}</style>",
        '<script src="//evil.example/x.js"></script>',
        '<input hx-trigger="keyup[ctrlKey]">',
    ],
)
def test_something_inline_would_be_noticed(text: str) -> None:
    assert inline_parts(HttpResponse(text))


def test_no_template_has_anything_inline_either() -> None:
    """What the pages above do not happen to show."""
    for path in sorted((PROJECT_FOLDER / "templates").rglob("*.html")):
        assert not inline_parts(HttpResponse(path.read_text())), path.name


def test_a_form_from_another_site_is_refused(alice: User, agent: Agent) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(reverse("message_send", args=[agent.pk]), {"text": "Hi"})
    assert answer.status_code == 403 and not agent.runs.exists()
    token = re.search(r'"X-CSRFToken": "(\w+)"', client.get(reverse("agent", args=[agent.pk])).content.decode())
    assert token
    answer = client.post(reverse("message_send", args=[agent.pk]), {"text": "Hi"}, headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 200 and agent.runs.count() == 1
