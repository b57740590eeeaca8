"""Who may come in by the doors for programs, and to what: every operation of both OpenAPI documents is asked without a
token, with a wrong or a revoked one, with a session of the page, and by ben for what is ann's."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from agents import services
from agents.llm.scripted import say
from agents.models import Agent, Archive, Block, Document, Message, Passage, Run, Step
from chat.urls import urlpatterns
from tests.api.doors import Answer, Operation, Request, operations, request
from tests.conftest import ServeModel, exchange, make_agent

pytestmark = pytest.mark.django_db(transaction=True)

OPEN_TO_ALL = {"GET /v1/health"}
OF_NOBODY = {"tool_id", "tool_ids", "model_id"}
# What names something of a person's: in the path, after the question mark or in the body, and whose id it takes.
NAMING = {
    "agent_id": "agent_id",
    "archive_id": "archive_id",
    "block_id": "block_id",
    "conversation_id": "conversation_id",
    "file_id": "file_id",
    "folder_id": "folder_id",
    "memory_id": "memory_id",
    "model": "model",
    "passage_id": "passage_id",
    "response_id": "response_id",
    "run_id": "run_id",
    "step_id": "step_id",
    "agent_ids": "agent_id",
    "block_ids": "block_id",
    "block_label": "block_label",
    "folder_ids": "folder_id",
    "source_ids": "folder_id",
    "run_ids": "run_id",
    "previous_response_id": "response_id",
}
CURSORS = {"after", "before", "cursor"}
LISTED = {
    "agents": "agent_id",
    "archival-memory": "passage_id",
    "archives": "archive_id",
    "blocks": "block_id",
    "events": "",
    "files": "file_id",
    "folders": "folder_id",
    "messages": "message_id",
    "runs": "run_id",
    "steps": "step_id",
    "tags": "",
    "tools": "",
}
LET_IN = {200, 204, 400, 409, 422}  # the last three: what was sent cannot be taken
IGNORED = {"run_ids"}  # of what is not there or somebody else's nothing is stopped, and nothing is said
SECRET = "Wharfinger"
# What a body must have. The messages say nothing, so whoever may send them need not wait for an answer.
FIELDS = {
    "input": " ",
    "label": "new",
    "line": "/memory",
    "messages": [{"role": "user", "content": " "}],
    "name": "new",
    "passages": [{"text": "words"}],
    "query": "words",
    "text": "words",
    "value": "words",
}

Things = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a request names something: `name` of the parameter or field, `thing` of which kind."""

    operation: Operation
    name: str
    thing: str

    def request(self, things: Things, value: Any) -> Request:
        if self.name in self.operation.parts or self.name in self.operation.needed:
            return request(self.operation, {**things, self.name: value})
        many = self.name.endswith("_ids")
        return request(self.operation, things, **{self.name: [value] if many else value})

    def __str__(self) -> str:
        return f"{self.operation} ({self.name})"


ALL = operations()


def places(operation: Operation) -> list[Place]:
    names = [name for name in (*operation.parts, *operation.query, *operation.body) if name in NAMING]
    if not operation.path.startswith("/openai"):
        names = [name for name in names if name != "model"]  # the endpoint's
    return [Place(operation, name, NAMING[name]) for name in names if name != "block_label"]


def cursors(operation: Operation) -> list[Place]:
    kind = operation.path.removesuffix("/{file_id}").rpartition("/")[2]
    return [Place(operation, name, LISTED[kind]) for name in operation.query if name in CURSORS and LISTED[kind]]


def things_of(owner: User, mark: str, serve_model: ServeModel) -> Things:
    """One of each that a person can have, every text with the mark in it."""
    serve_model([say(f"Aye, {mark}.")])
    agent = make_agent(owner, name=f"{mark} {owner.username}")
    run = exchange(agent, f"I am {mark}")
    services.agent_describe(agent=agent, tags=[mark], description=mark)
    folder = services.archive_create(owner=owner, name=f"{mark} logs")
    file = SimpleUploadedFile(f"{mark}.txt", f"The lamp of {mark} burns whale oil.".encode())
    passages = [services.passage_add(archive=archive, text=f"{mark}'s key") for archive in (agent.archive, folder)]
    block = services.block_create(owner=owner, settings=services.BlockSettings(label=mark.lower()), value=mark)
    return {
        "agent_id": f"agent-{agent.pk}",
        "number": 1,  # of a call that waits
        "approve": True,
        "conversation_id": f"conversation-{agent.pk}",
        "block_id": f"block-{block.pk}",
        "block_label": "human",
        "archive_id": f"archive-{folder.pk}",
        "folder_id": f"folder-{folder.pk}",
        "file_id": f"file-{services.document_add(archive=folder, file=file).pk}",
        "memory_id": f"passage-{passages[0].pk}",
        "passage_id": f"passage-{passages[1].pk}",
        "message_id": f"message-{run.event_id}",
        "run_id": f"run-{run.pk}",
        "step_id": f"step-{run.steps.get().pk}",
        "response_id": f"resp_run-{run.pk}",
        "tool_id": "tool-core_memory_append",
        "model": agent.name,
        **FIELDS,
    }


def unknown(thing: str) -> str:
    """An id of that kind that nobody has."""
    uuids = {"agent_id": "agent", "conversation_id": "conversation"}
    words = {"response_id": "resp_run", "memory_id": "passage"}
    if thing == "model":
        return "Nobody"
    if thing in uuids:
        return f"{uuids[thing]}-{uuid4()}"
    return f"{words.get(thing, thing.removesuffix('_id'))}-999999999"


@dataclass(frozen=True)
class Person:
    user: User
    things: Things
    token: str
    bearer: dict[str, str]


def person(user: User, mark: str, serve_model: ServeModel) -> Person:
    token = services.token_create(owner=user, name="a program")[1]
    return Person(user, things_of(user, mark, serve_model), token, {"Authorization": f"Bearer {token}"})


@pytest.fixture
def ann(alice: User, serve_model: ServeModel) -> Person:
    return person(alice, SECRET, serve_model)


@pytest.fixture
def ben(bob: User, serve_model: ServeModel) -> Person:
    return person(bob, "Ben", serve_model)


def rows_of(owner: User) -> list[Any]:
    """How much a person has, and what of it could be changed from outside."""
    mine = Agent.objects.filter(owner=owner)
    return [
        list(mine.values_list("name", "queue_start", "detached_functions")),
        list(Block.objects.filter(owner=owner).values_list("label", "revision").order_by("pk")),
        list(Passage.objects.filter(archive__owner=owner).values_list("retracted_at").order_by("pk")),
        list(Archive.objects.filter(owner=owner).values_list("name", "readers").order_by("pk")),
        list(Agent.blocks.through.objects.filter(agent__in=mine).values_list("pk").order_by("pk")),
        Document.objects.filter(archive__owner=owner).count(),
        Run.objects.filter(agent__in=mine, cancel_requested_at=None).count(),
        Step.objects.filter(run__agent__in=mine).count(),
        Message.objects.filter(agent__in=mine, retracted_at=None).count(),
    ]


def test_no_operation_names_what_these_tests_do_not_know() -> None:
    known = NAMING.keys() | CURSORS | OF_NOBODY
    for operation in ALL:
        names = {name for name in operation.query + operation.body if name.endswith(("_id", "_ids")) or name in CURSORS}
        assert names | set(operation.parts) <= known, operation
        assert operation.is_open == (str(operation) in OPEN_TO_ALL), operation
    assert len(ALL) > 80
    met = {place.name for operation in ALL for place in places(operation)}
    assert met | {"block_label"} == NAMING.keys()


def test_without_a_good_token_no_door_opens(ann: Person, client: Client) -> None:
    token, revoked = services.token_create(owner=ann.user, name="old")
    services.token_revoke(token=token)
    client.force_login(ann.user)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    strangers = {
        "no token": {},
        "a wrong token": {"Authorization": "Bearer memweb-wrong"},
        "an empty token": {"Authorization": "Bearer "},
        "another scheme": {"Authorization": f"Basic {ann.token}"},
        "a revoked token": {"Authorization": f"Bearer {revoked}"},
        "a session of the page": {"Cookie": cookie},
    }

    async def let_in() -> list[tuple[str, str, int]]:
        found = []
        for operation in ALL:
            for who, headers in strangers.items():
                answer = await request(operation, ann.things).answer(**headers)
                refused = (answer.status, answer.headers.get("www-authenticate")) == (401, "Bearer")
                if str(operation) not in OPEN_TO_ALL and not (refused and "Show an access token" in answer.text):
                    found.append((str(operation), who, answer.status))
        return found

    before = rows_of(ann.user)
    assert asyncio.run(let_in()) == []
    assert rows_of(ann.user) == before


def test_what_is_anothers_is_answered_as_what_is_not_there(ann: Person, ben: Person) -> None:
    async def compare(place: Place) -> tuple[Answer, Answer]:
        missing = unknown(place.thing)
        theirs, none = [
            await place.request(ben.things, value).answer(**ben.bearer) for value in (ann.things[place.thing], missing)
        ]
        told = theirs.text.replace(ann.things[place.thing], missing)
        headers = {name: value for name, value in theirs.headers.items() if name != "content-length"}
        return Answer(theirs.status, headers, told), none

    async def differing() -> dict[str, Any]:
        found = {}
        for place in [place for operation in ALL for place in places(operation)]:
            theirs, none = await compare(place)
            wanted = 200 if place.name in IGNORED else 404
            told = {name: value for name, value in none.headers.items() if name != "content-length"}
            if (theirs.status, none.status) != (wanted, wanted) or (theirs.text, theirs.headers) != (none.text, told):
                found[str(place)] = theirs, none
        return found

    before = rows_of(ann.user)
    assert asyncio.run(differing()) == {}
    assert rows_of(ann.user) == before


def test_no_list_shows_or_tells_of_what_is_anothers(ann: Person, ben: Person) -> None:
    key = ann.things["agent_id"].removeprefix("agent-")

    async def walk() -> dict[str, Answer]:
        found = {}
        for operation in ALL:
            asked: list[Any] = [(request(operation, ben.things), "")]
            for cursor in cursors(operation):
                theirs = ann.things[cursor.thing]
                asked.append((cursor.request(ben.things, theirs), theirs))
            for asking, cursor_id in asked if operation.method == "GET" else ():
                answer = await asking.answer(**ben.bearer)
                text = answer.text.replace(cursor_id, "") if cursor_id else answer.text
                fits = answer.status == 200 or (cursor_id and answer.status == 404)
                if not fits or SECRET in text or SECRET.lower() in text or key in text:
                    found[f"{operation} {asking.query}"] = answer
        return found

    assert asyncio.run(walk()) == {}


def test_a_cursor_does_not_tell_which_agents_there_are(ann: Person, ben: Person) -> None:
    async def statuses(value: str) -> set[int]:
        found = [place for operation in ALL for place in cursors(operation) if place.thing == "agent_id"]
        return {(await place.request(ben.things, value).answer(**ben.bearer)).status for place in found}

    assert asyncio.run(statuses(unknown("agent_id"))) == {404}
    assert asyncio.run(statuses(ann.things["agent_id"])) == {404}
    services.agent_delete(agent=Agent.objects.get(owner=ann.user))
    assert asyncio.run(statuses(ann.things["agent_id"])) == {404}


def test_the_owner_is_let_in_everywhere(ann: Person) -> None:
    """Else the tests above would prove nothing. What deletes comes last, what lies in another first."""
    every = [op for op in ALL if str(op) != "DELETE /v1/folders/{folder_id}"]  # the archive, which is deleted then

    def turn(operation: Operation) -> tuple[int, int, str]:
        order = ["GET", "POST", "PATCH", "reset-messages", "summarize", "DELETE"]  # of no message no summary is awaited
        last = operation.path.rpartition("/")[2]
        return order.index(last if last in order else operation.method), -operation.path.count("/"), operation.path

    async def kept_out() -> dict[str, Answer]:
        answers = {str(op): await request(op, ann.things).answer(**ann.bearer) for op in sorted(every, key=turn)}
        return {name: answer for name, answer in answers.items() if answer.status not in LET_IN}

    assert asyncio.run(kept_out()) == {}
    assert not Agent.objects.filter(owner=ann.user, name__contains=SECRET).exists()


def test_a_token_opens_no_page(ann: Person) -> None:
    pages = [f"/{pattern.pattern}" for pattern in urlpatterns if not pattern.pattern.converters]
    open_to_all = {"/login/", "/sign-up/", "/manifest.webmanifest"}

    async def walk() -> dict[str, tuple[int, str]]:
        answers = {page: await Request("GET", page).answer(**ann.bearer) for page in [*pages, "/admin/"]}
        return {page: (a.status, a.headers.get("location", "")) for page, a in answers.items()}

    found = asyncio.run(walk())
    assert len(found) > 5
    assert {page for page, told in found.items() if told[0] != 302 or "login" not in told[1]} <= open_to_all
