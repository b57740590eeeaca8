"""Somebody else's agent, and everything of it, is not there: 404 at every address, a closed websocket."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from agents import services
from agents.models import (
    Agent,
    AgentBlock,
    Archive,
    Block,
    Checkpoint,
    Document,
    Message,
    OpenSession,
    OutsideCall,
    Passage,
    Run,
    Step,
    Token,
)
from chat.urls import urlpatterns
from tests.agents.services.test_pictures import png
from tests.chat.conftest import Socket
from tests.conftest import make_agent

OWNED_IDS = {
    *("agent_id", "archive_id", "block_id", "call_id", "checkpoint_id", "connection_id", "document_id", "message_id"),
    *("passage_id", "revision_id", "run_id", "server_id", "session_id", "token_id"),
}
OTHER_PARTS = {"name", "form", "number", "user_id", "token"}  # a tab's, a file's; what a one-time address is made of
OPEN_TO_ALL = {"login", "login_code", "sign_up", "enter"}
REFUSED_METHOD = 405

SERVER = services.ServerDraft("weather", "https://example.org/mcp")
CONNECTION = services.ConnectionDraft("Mine", "https://example.org/v1", key="sk-very-secret")

Things = dict[str, Any]


def parts(pattern: URLPattern) -> set[str]:
    return set(pattern.pattern.converters)


def name(pattern: URLPattern) -> str:
    assert pattern.name
    return pattern.name


OWNED = [pattern for pattern in urlpatterns if parts(pattern) & OWNED_IDS]
FOR_PEOPLE = [pattern for pattern in urlpatterns if pattern.name not in OPEN_TO_ALL]


@pytest.fixture
def things(agent: Agent) -> Things:
    """One of each that alice has."""
    file = SimpleUploadedFile("log.txt", b"The lamp burns whale oil.")
    block = agent.blocks.get(label="human")
    run = services.message_send(agent=agent, text="Hello", pictures=[png()])
    step = Step.objects.create(run=run, number=1, queue_start=1, last_seq=1)
    return {
        "agent_id": agent.pk,
        "archive_id": services.archive_create(owner=agent.owner, name="Ship logs").pk,
        "block_id": block.pk,
        "call_id": OutsideCall.objects.create(step=step, position=0, function="pay", asked_at=timezone.now()).pk,
        "checkpoint_id": services.checkpoint_create(agent=agent).pk,
        "connection_id": services.connection_add(person=agent.owner, draft=CONNECTION).pk,
        "message_id": run.event_id,
        "number": 0,
        "revision_id": block.revisions.get().pk,
        "form": "md",
        "passage_id": services.passage_add(archive=agent.archive, text="The spare key hangs behind the barometer.").pk,
        "document_id": services.document_add(archive=agent.archive, file=file).pk,
        "run_id": run.pk,
        "name": "memory",
        "user_id": agent.owner_id,
        "token": "x",
        "server_id": services.server_add(person=agent.owner, draft=SERVER).pk,
        "session_id": open_session(agent.owner).pk,
        "token_id": services.token_create(owner=agent.owner, name="cron")[0].pk,
    }


def open_session(person: User) -> OpenSession:
    """Where the person is logged in besides."""
    Client().force_login(person)
    return OpenSession.objects.filter(owner=person).latest("pk")


def address(pattern: URLPattern, things: Things) -> str:
    return reverse(name(pattern), kwargs={part: things[part] for part in parts(pattern)})


def statuses(client: Client, url: str) -> set[int]:
    return {client.get(url).status_code, client.post(url).status_code} - {REFUSED_METHOD}


def rows_of(owner: User) -> list[int]:
    """How much a person has, and what of it could be changed from outside."""
    mine = Agent.objects.filter(owner=owner)
    return [
        mine.count(),
        Block.objects.filter(owner=owner, revision=1).count(),
        Passage.objects.filter(archive__owner=owner, retracted_at=None).count(),
        Archive.objects.filter(owner=owner).count(),
        Checkpoint.objects.filter(agent__in=mine).count(),
        AgentBlock.objects.filter(agent__in=mine).count(),
        Document.objects.filter(archive__owner=owner, status="queued").count(),
        Run.objects.filter(agent__in=mine, cancel_requested_at=None).count(),
        Message.objects.filter(agent__in=mine).count(),
        OutsideCall.objects.filter(step__run__agent__in=mine, decision="").count(),
        Token.objects.filter(owner=owner, revoked_at=None).count(),
        OpenSession.objects.filter(owner=owner).count(),
    ]


def test_no_address_takes_an_id_that_these_tests_do_not_know() -> None:
    assert {part for pattern in urlpatterns for part in parts(pattern)} <= OWNED_IDS | OTHER_PARTS
    assert {part for pattern in OWNED for part in parts(pattern)} >= OWNED_IDS


@pytest.mark.parametrize("pattern", OWNED, ids=name)
def test_a_stranger_gets_404(pattern: URLPattern, things: Things, alice: User, bob: User, client: Client) -> None:
    before = rows_of(alice)
    client.force_login(bob)
    assert statuses(client, address(pattern, things)) == {404}
    assert rows_of(alice) == before


@pytest.mark.parametrize("pattern", OWNED, ids=name)
def test_the_owner_does_not(pattern: URLPattern, things: Things, browser: Client) -> None:
    assert not statuses(browser, address(pattern, things)) & {403, 404}


@pytest.mark.parametrize("pattern", [p for p in OWNED if "block_id" in parts(p)], ids=name)
def test_anothers_block_is_not_reached_through_an_agent_of_ones_own(
    pattern: URLPattern, things: Things, alice: User, bob: User, client: Client
) -> None:
    before = rows_of(alice)
    client.force_login(bob)
    own = make_agent(bob)
    assert statuses(client, address(pattern, {**things, "agent_id": own.pk})) == {404}
    assert rows_of(alice) == before


@pytest.mark.parametrize("pattern", [p for p in OWNED if parts(p) & {"archive_id", "passage_id"}], ids=name)
def test_neither_is_anothers_archive_nor_passage(
    pattern: URLPattern, things: Things, alice: User, bob: User, client: Client
) -> None:
    before = rows_of(alice)
    client.force_login(bob)
    assert statuses(client, address(pattern, {**things, "agent_id": make_agent(bob).pk})) == {404}
    assert rows_of(alice) == before


@pytest.mark.parametrize("pattern", [p for p in OWNED if "revision_id" in parts(p)], ids=name)
def test_anothers_revision_looks_like_one_of_a_deleted_block(
    pattern: URLPattern, things: Things, alice: User, bob: User, client: Client
) -> None:
    before = rows_of(alice)
    client.force_login(bob)
    own = {**things, "agent_id": make_agent(bob).pk}
    theirs, nobodys = (client.post(address(pattern, {**own, "revision_id": pk})) for pk in (own["revision_id"], 10**9))
    assert theirs.status_code == nobodys.status_code == 204 and theirs.headers.items() == nobodys.headers.items()
    assert "That block was deleted" in theirs["HX-Trigger"]
    assert rows_of(alice) == before


@pytest.mark.parametrize(
    ("view", "field", "thing"),
    [
        ("archive_attach", "archive", "archive_id"),
        ("document_add", "archive", "archive_id"),
        ("block_attach", "block", "block_id"),
    ],
)
def test_what_is_chosen_in_a_form_must_be_ones_own(
    view: str, field: str, thing: str, things: Things, bob: User, client: Client
) -> None:
    client.force_login(bob)
    url = reverse(view, args=[make_agent(bob).pk])
    file = SimpleUploadedFile("log.txt", b"Planted.")
    assert client.post(url, {field: things[thing], "files": file}).status_code == 404
    assert client.post(f"{url}?{field}={things[thing]}").status_code == (404 if view != "document_add" else 200)
    assert not Document.objects.filter(name="log.txt", archive__owner=bob).exists()


def test_anothers_passages_are_neither_deleted_nor_brought_back(things: Things, bob: User, client: Client) -> None:
    client.force_login(bob)
    passage = Passage.objects.filter(pk=things["passage_id"])
    answer = client.post(reverse("passages_delete"), {"chosen": things["passage_id"]})
    assert "0 passages were deleted" in answer["HX-Trigger"] and passage.get().retracted_at is None
    passage.update(retracted_at=timezone.now())
    client.post(reverse("passages_bring_back") + f"?chosen={things['passage_id']}")
    assert passage.get().retracted_at is not None


def test_a_block_is_shared_with_ones_own_agents_alone(things: Things, alice: User, bob: User, browser: Client) -> None:
    theirs = make_agent(bob, "Bob's")
    url = reverse("block_share", args=[things["agent_id"], things["block_id"]])
    assert "Choose an agent first." in browser.post(url, {"with": "Bob's"})["HX-Trigger"]
    assert theirs.blocks.filter(owner=bob).count() == theirs.blocks.count() == 2
    settings = browser.get(reverse("block_settings", args=[things["agent_id"], things["block_id"]]))
    assert "Bob" not in settings.content.decode()


@pytest.mark.parametrize("pattern", FOR_PEOPLE, ids=name)
def test_who_is_not_logged_in_is_sent_to_the_login_page(
    pattern: URLPattern, things: Things, alice: User, client: Client
) -> None:
    before = rows_of(alice)
    url = address(pattern, things)
    for answer in (client.get(url), client.post(url)):
        assert answer.status_code == 302
        assert answer["Location"].startswith(f"{reverse('login')}?next=")
    assert rows_of(alice) == before


@pytest.mark.parametrize("pattern", [p for p in urlpatterns if p.name in OPEN_TO_ALL], ids=name)
def test_the_ways_in_show_nothing_of_anybody(pattern: URLPattern, things: Things, client: Client) -> None:
    text = client.get(address(pattern, things)).content.decode()
    assert "alice" not in text and "Sam" not in text


def test_lists_show_only_ones_own_agents(agent: Agent, bob: User, client: Client) -> None:
    client.force_login(bob)
    assert "Sam" not in client.get(reverse("agent_list")).content.decode()
    assert "Make your first agent" in client.get(reverse("home")).content.decode()


def test_something_that_never_was_looks_like_somebody_elses(agent: Agent, bob: User, client: Client) -> None:
    client.force_login(bob)
    theirs = client.get(reverse("agent", args=[agent.pk]))
    nobodys = client.get(reverse("agent", args=["00000000-0000-4000-8000-000000000000"]))
    assert theirs.status_code == nobodys.status_code == 404

    def without_token(html: bytes) -> list[bytes]:
        return [line for line in html.splitlines() if b"X-CSRFToken" not in line]

    assert without_token(theirs.content) == without_token(nobodys.content)


@pytest.fixture
def strangers(bob: User) -> Iterator[Client]:
    client = Client()
    client.force_login(bob)
    yield client


async def close_code(agent: Agent, browser: Client | None) -> int | None:
    accepted, code = await Socket(agent, browser).connect()
    assert not accepted
    return code


@pytest.mark.django_db(transaction=True)
def test_anothers_websocket_is_closed(agent: Agent, strangers: Client) -> None:
    assert asyncio.run(close_code(agent, strangers)) == 4404


@pytest.mark.django_db(transaction=True)
def test_a_websocket_without_a_login_is_closed(agent: Agent) -> None:
    assert asyncio.run(close_code(agent, None)) == 4404


@pytest.mark.django_db(transaction=True)
def test_a_websocket_from_another_site_is_refused(agent: Agent, browser: Client) -> None:
    socket = Socket(agent, browser)
    headers = socket.communicator.scope["headers"]
    headers[1] = (b"origin", b"https://evil.example")
    assert asyncio.run(refused(socket))


async def refused(socket: Socket) -> bool:
    accepted, _ = await socket.connect()
    return not accepted
