"""What protects every page: a strict policy, nothing inline that it would have to allow, no forms from elsewhere."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.template.base import Template
from django.template.context import Context
from django.test import Client
from django.urls import reverse
from django.utils.safestring import SafeString
from pytest_django import Settings

from agents import selectors, services
from agents.llm import known_servers
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, Connection, Message, Run, Step
from agents.models.connection import ModelFacts
from chat import frames
from chat.second_step import second_step_begin
from chat.views.agents import TABS
from memweb.stack.env import PACKAGE_FOLDER
from memweb.stack.plan import free_port
from tests.agents.services.test_pictures import png
from tests.conftest import ServeModel, exchange
from tests.model_server import Kind, ModelServer

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
            *(
                say("I am awake."),
                say("I am warned."),
                Answer(content="I say it aloud."),
                say("I mean it."),
                say("Yes."),
            ),
            call("core_memory_append", label="human", content='Name: <b onclick="x" style="y">Ada</b>.'),
            call("archival_memory_search", query="oil"),
            call("fly_away"),
            say("# Hello\n\n```python\nx = 1\n```\n\n|a|b|\n|-:|-|\n|1|2|"),
        ]
    )
    services.heartbeat_send(agent=agent, reason="Wake up.")
    services.alert_send(agent=agent, text="Memory pressure.")
    exchange(agent, "Are you awake?")
    assert services.queue_flush(agent=agent)
    exchange(agent, "And now?")
    exchange(agent, "Hello")
    services.message_send(agent=agent, text="Look", pictures=[png()])
    services.passage_add(archive=agent.archive, text="The lamp burns whale oil.")
    services.document_add(archive=agent.archive, file=SimpleUploadedFile("log.txt", b"The keeper's log."))
    facts = [ModelFacts(ATTACK, mode="tools", window=9000, tried=True), ModelFacts("no", tried=True, error=ATTACK)]
    tried = {each.name: asdict(each) for each in facts}
    Connection.objects.create(owner=agent.owner, name="Tried", base_url="https://example.org/v1", tried=tried)
    block = agent.blocks.get(label="human")
    services.block_edit(block=block, value="Somebody else.", from_revision=block.revision, editor=agent.owner)
    return agent


ATTACK = '</textarea><img/onerror="alert(1)"src=x>'
OF_AGENT = (
    *("agent", "agent_rename", "agent_copy", "agent_delete", "palette", "checkpoints", "archives", "documents"),
    *("gauge", "prompt", "timeline_older", "timeline_around", "timeline_later", "block_new", "agent_model", "models"),
    "model_pill",
)
OF_BLOCK = ("block", "block_edit", "block_settings", "block_history")
OF_NOBODY = (
    *("agent_list", "agent_new", "model_banner", "keys", "overview", "servers", "time_zone", "tokens", "account"),
    *("connections", "connections_listed", "connections_found"),
)


def pages(browser: Client, agent: Agent) -> dict[str, Any]:
    """Every kind of page and partial, as its owner sees it."""
    block, step = agent.blocks.get(label="human"), Step.objects.filter(run__agent=agent).latest("pk")
    passage = agent.archive.passages.get().pk
    message = agent.messages.get(content="Hello").pk
    urls = {name: reverse(name, args=[agent.pk]) for name in OF_AGENT}
    urls |= {f"tab {name}": reverse("tab", args=[agent.pk, name]) for name in TABS}
    urls |= {f"searched {name}": reverse("tab", args=[agent.pk, name]) + "?q=ada&from=x" for name in TABS}
    urls |= {name: reverse(name) for name in OF_NOBODY}
    urls |= {name: reverse(name, args=[agent.pk, block.pk]) for name in OF_BLOCK}
    urls |= {name: reverse(name, args=[agent.pk, passage]) for name in ("passage", "passage_edit")}
    urls |= {name: reverse(name, args=[message]) for name in ("message_row", "message_edit")}
    said, many = agent.messages.get(content="Yes.").pk, "?q=awake+warned+mean+yes+hello"
    urls |= {f"found {name}": reverse("tab", args=[agent.pk, name]) + many for name in ("recall", "archival")}
    urls |= {name: reverse(name, args=[agent.pk]) + many for name in ("recall_why", "archival_why")}
    urls["why a message"] = reverse("message_why", args=[agent.pk, said]) + many
    urls["why a passage"] = reverse("passage_why", args=[agent.pk, passage]) + "?q=lamp"
    urls["why a call"] = reverse("call_why", args=[agent.messages.get(function="archival_memory_search").pk])
    urls["compared"] = f"{urls['block_history']}?old=1&new=2"
    urls["changed meanwhile"] = f"{reverse('block_now', args=[agent.pk, block.pk])}?since=1"
    urls["a past step"] = f"{urls['tab context']}?step={step.pk}"
    urls["its prompt"] = f"{urls['prompt']}?step={step.pk}"
    urls["far back"] = f"{urls['agent']}?at=1"
    urls["nothing here"] = "/agents/00000000-0000-4000-8000-000000000000/"
    return {name: browser.get(url) for name, url in urls.items()}


def answers(browser: Client, agent: Agent) -> dict[str, Any]:
    """What comes back of forms: refusals, dialogs, what takes a form's place."""
    block = agent.blocks.get(label="human")
    message = agent.messages.get(content="Hello").pk
    sends: dict[str, tuple[str, list[Any], dict[str, str]]] = {
        "a sent message": ("message_send", [agent.pk], {"text": "Hi"}),
        "a refused message": ("message_send", [agent.pk], {"text": ""}),
        "a listing": ("message_send", [agent.pk], {"text": "/dump"}),
        "a question": ("message_send", [agent.pk], {"text": f"/systemswap {ATTACK}"}),
        "a refused command": ("message_send", [agent.pk], {"text": f"/{ATTACK}"}),
        "a refused edit": ("message_edit", [message], {"text": ATTACK}),
        "a stale edit": ("block_edit", [agent.pk, block.pk], {"value": ATTACK, "revision": "0"}),
        "an undo in conflict": ("revision_undo", [agent.pk, block.revisions.get(number=2).pk], {}),
        "a block refused": ("block_new", [agent.pk], {"label": ATTACK * 9, "limit": "1"}),
        "settings refused": ("block_settings", [agent.pk, block.pk], {"label": ATTACK * 9, "limit": "1"}),
        "a checkpoint": ("checkpoint_new", [agent.pk], {"name": ATTACK[:80]}),
        "an archive": ("archive_new", [agent.pk], {"name": ATTACK}),
        "an archive refused": ("archive_new", [agent.pk], {"name": ATTACK}),
        "a passage": ("passage_add", [agent.pk], {"text": ATTACK}),
        "a passage refused": ("passage_add", [agent.pk], {"text": ""}),
        "a server": ("server_new", [], {"name": "weather", "address": "https://example.org/<script>alert(1)</script>"}),
        "a server refused": ("server_new", [], {"name": ATTACK, "address": ATTACK, "secrets": ATTACK}),
        "a connection": (
            "connection_new",
            [],
            {"name": ATTACK.replace("/", "")[:40], "base_url": f"https://x.org{ATTACK}"},
        ),
        "a connection refused": ("connection_new", [], {"name": ATTACK, "base_url": ATTACK, "headers": ATTACK}),
        "a model refused": ("agent_model", [agent.pk], {"chosen": f":{ATTACK * 9}", "summary": ATTACK}),
        "a model tested": ("model_test", [agent.pk], {"chosen": f"1:{ATTACK}"}),
        "a server not found": ("connection_use", [], {"url": ATTACK, "model": ATTACK}),
        "a token": ("token_new", [], {"name": ATTACK[:80]}),
        "a token refused": ("token_new", [], {"name": ATTACK * 9}),
        "a key": ("two_factor_new", [], {}),
        "a wrong code": ("two_factor_confirm", [], {"code": ATTACK}),
        "a wrong proof": ("two_factor_off", [], {"proof": ATTACK}),
        "a password refused": ("account_password", [], {"new_password1": ATTACK, "new_password2": "x"}),
        "a zone refused": ("time_zone", [], {"zone": ATTACK}),
        "an upload refused": ("document_add", [agent.pk], {}),
    }
    found: dict[str, Any] = {n: browser.post(reverse(name, args=ids), data) for n, (name, ids, data) in sends.items()}
    with model_server_here(agent.owner):
        found["a found server"] = browser.get(reverse("connections_found") + "?first=1")
        url = selectors.servers_found(agent.owner)[0].url
        found["embeddings"] = browser.get(reverse("embeddings"))
        found["an embedding model refused"] = browser.post(reverse("embeddings_change"), {"choice": "7"})
        with patch.object(settings, "LLM", replace(settings.LLM, local=True)):
            found["local models"] = browser.get(reverse("local_models"))
            found["a local model refused"] = browser.post(reverse("local_model_wish"), {"name": ATTACK, "act": ATTACK})
            found["the local model's banner"] = browser.get(reverse("model_banner"))
        found["a found server used"] = browser.post(reverse("connection_use"), {"url": url, "model": ATTACK})
    found["an import refused"] = browser.post(reverse("agent_import"), {"name": ATTACK})
    imported = browser.post(reverse("agent_import"), {"file": without_documents(agent)})
    found["an import without its documents"] = browser.get(imported["HX-Redirect"])
    assert "did not come along" in found["an import without its documents"].content.decode()
    agent.messages.filter(seq=None).delete()
    agent.runs.filter(status=Run.Status.QUEUED).delete()
    found["a question about memory"] = browser.post(reverse("turn_delete", args=[agent.pk]))
    assert "Somebody edited this memory since" in found["a question about memory"].content.decode()
    return found


@contextmanager
def model_server_here(person: User) -> Iterator[None]:
    """One that is found on this machine by a member of the staff, with a model of a strange name."""
    person.is_staff = True
    person.save()
    port = free_port()
    with (
        patch.object(known_servers, "PROGRAMS", (known_servers.Program(ATTACK.replace("/", "")[:40], port),)),
        ModelServer(Kind(models=(ATTACK,)), port=port),
    ):
        yield


def without_documents(agent: Agent) -> SimpleUploadedFile:
    """An agent's file that names a document which is not in it."""
    with closing(services.agent_write(agent=agent)) as written:
        whole = json.loads(written.file.read())
    whole["documents"][0]["name"] = ATTACK
    return SimpleUploadedFile("sam.json", json.dumps(whole | {"name": ATTACK[:80]}).encode())


def code_page(person: User) -> Any:
    """Of somebody who has given the password."""
    client = Client()
    request = HttpRequest()
    request.session = client.session
    second_step_begin(request, person, "/")
    request.session.save()
    return client.get(reverse("login_code"))


def strangers_pages(alice: User) -> dict[str, Any]:
    client = Client()
    found: dict[str, Any] = {name: client.get(reverse(name)) for name in ("login", "sign_up")}
    found |= {"after a session's end": client.get(reverse("login") + "?ended"), "a code": code_page(alice)}
    found["after too many tries"] = [client.get(reverse("enter", args=[alice.pk, ATTACK[2:9]])) for _ in range(9)][-1]
    found["a used address"] = client.get(reverse("enter", args=[alice.pk, "x-y"]))
    found["a form from elsewhere"] = Client(enforce_csrf_checks=True).post(reverse("login"))
    client.force_login(User.objects.create_user("charlie"))
    found["welcome"] = client.get(reverse("home"))
    found["a form from elsewhere"] = Client(enforce_csrf_checks=True).post(reverse("login"))
    return found


def inline_parts(answer: HttpResponse) -> list[str]:
    text = answer.content.decode()
    return [what for what, pattern in INLINE.items() if re.search(pattern, text)]


def test_every_page_carries_the_policy_and_has_nothing_inline(
    browser: Client, lived_in: Agent, alice: User, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True
    found = pages(browser, lived_in) | answers(browser, lived_in) | strangers_pages(alice)
    for name, answer in found.items():
        assert answer.status_code < 500 and answer.content, name
        assert "; ".join(sorted(answer["Content-Security-Policy"].split("; "))) == POLICY, name
        assert not inline_parts(answer), (name, inline_parts(answer))
        assert ATTACK not in answer.content.decode(), name
        assert answer["X-Content-Type-Options"] == "nosniff" and answer["X-Frame-Options"] == "DENY", name


def pushed(agent: Agent) -> list[str]:
    """What the websocket sends of HTML."""
    last = agent.messages.filter(kind=Message.Kind.ASSISTANT).latest("seq")
    return [frames.rows_after(agent, 0)[0], frames.waiting(agent), frames.edited(agent, last.pk)]


def test_what_the_websocket_sends_has_nothing_inline_either(lived_in: Agent) -> None:
    for frame in pushed(lived_in):
        assert frame.startswith("<") and not inline_parts(HttpResponse(frame)), frame


def test_every_template_is_among_them(
    browser: Client, lived_in: Agent, alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nothing above draws is one at which nobody looked."""
    settings.SIGNUP_OPEN = True
    drawn = {"base.html", "500.html", "503.html"}  # the one within others, and those that no request may end in
    render = Template.render

    def noting(template: Template, context: Context) -> SafeString:
        drawn.add(template.name or "")
        return render(template, context)

    monkeypatch.setattr(Template, "render", noting)
    pages(browser, lived_in)
    answers(browser, lived_in)
    strangers_pages(alice)
    pushed(lived_in)
    browser.get("/v1/docs")
    templates = PACKAGE_FOLDER / "templates"
    there = {path.relative_to(templates).as_posix() for path in templates.rglob("*.html")}
    assert {name for name in there if not name.startswith("admin/")} <= drawn


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
    for path in sorted((PACKAGE_FOLDER / "templates").rglob("*.html")):
        text = re.sub(r"{%.*?%}|{{.*?}}", "", path.read_text())  # of which none writes an attribute's name
        assert not inline_parts(HttpResponse(text)), path.name


def test_a_form_from_another_site_is_refused(alice: User, agent: Agent) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(reverse("message_send", args=[agent.pk]), {"text": "Hi"})
    assert answer.status_code == 403 and not agent.runs.exists()
    token = re.search(r'"X-CSRFToken": "(\w+)"', client.get(reverse("agent", args=[agent.pk])).content.decode())
    assert token
    answer = client.post(reverse("message_send", args=[agent.pk]), {"text": "Hi"}, headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 200 and agent.runs.count() == 1


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_of_the_api_allows_even_less(client: Client, language: str) -> None:
    answer = client.get("/v1/docs", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert set(answer["Content-Security-Policy"].split("; ")) == {
        *("base-uri 'none'", "default-src 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("img-src 'self' data:", "style-src 'self'"),
    }
    text = answer.content.decode()
    assert not {name for name, pattern in INLINE.items() if re.search(pattern, text)}
    assert "<script" not in text
    assert text.count('class="door"') > 80
    assert f'<html lang="{language}">' in text
