"""Two machines as docs/scaling.md says: each program started by hand, one database, one broker, a proxy before both.

Each is killed in the middle of a step while a person talks on a page and a program by the API. Every message is
answered once; `benchmarks.chaos_audit` counts.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from agents import services
from agents.llm.scripted import Answer, Request, ScriptedServer
from benchmarks.chaos_audit import Books, audit
from benchmarks.chaos_model import Model, Said
from benchmarks.page import browser_context
from chat.login_tokens import login_tokens
from memweb.client import Client, MemwebError, create_client
from memweb.client.messages import AgentMessage
from tests.conftest import make_agent
from tests.machine import Machine
from tests.processes import Process, database_url, until
from tests.round_robin import RoundRobin

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("product"),
    pytest.mark.timeout(400),
    pytest.mark.e2e,
]
HOLDERS = "SELECT held_by FROM agents_run WHERE status = 'running'"


class PatientModel(Model):
    """Answers nothing while it is held, so that whoever asks is in the middle of a step."""

    def __init__(self) -> None:
        super().__init__(seed=1, faulty=())
        self.asking = 0
        self._free = threading.Event()
        self._free.set()

    def __call__(self, request: Request) -> Answer:
        self.asking += 1
        self._free.wait()
        return super().__call__(request)

    @contextmanager
    def held(self) -> Iterator[None]:
        self._free.clear()
        self.asking = 0
        try:
            yield
        finally:
            self._free.set()


class Talk:
    """One agent that a person talks to on a page, and one that a program talks to."""

    def __init__(self, page: Page, client: Client, agents: tuple[str, str]) -> None:
        self.page, self.client = page, client
        self.ours, self.theirs = agents
        self.said: list[Said] = []
        self._threads = ThreadPoolExecutor(1)

    def say(self) -> "Future[list[str]]":
        """To both at once; what the program hears comes later."""
        number = len(self.said)
        typed, sent = Said(self.ours, f"mark-{number}", "append"), Said(self.theirs, f"mark-{number + 1}", "insert")
        self.said += [typed, sent]
        future = self._threads.submit(self._streamed, sent)
        self.page.get_by_label("Message to").fill(typed.text)
        self.page.keyboard.press("Enter")
        return future

    def hear(self, heard: "Future[list[str]]") -> None:
        typed, sent = self.said[-2:]
        row = self.page.locator("#timeline-rows .row.assistant", has_text=f"re {typed.mark}")
        expect(row).to_have_count(1, timeout=60_000)
        assert heard.result(60) == [f"re {sent.mark}"]

    def _streamed(self, said: Said) -> list[str]:
        """As a program that asks again when the connection is lost, with the same key."""
        while True:
            try:
                stream = self.client.stream_message(
                    agent_id=f"agent-{said.agent}", message=said.text, tokens=False, key=said.mark
                )
                return [piece.text for piece in stream if isinstance(piece, AgentMessage)]
            except MemwebError:
                continue


@pytest.fixture
def model() -> Iterator[PatientModel]:
    yield PatientModel()


def test_a_talk_goes_on_whichever_of_two_machines_is_struck(tmp_path: Path, model: PatientModel) -> None:
    user = User.objects.create_superuser("scaled")
    agents = str(make_agent(user, "Typed").pk), str(make_agent(user, "Sent").pk)
    token = services.token_create(owner=user, name="a program")[1]
    enter = reverse("enter", args=[user.pk, login_tokens.make_token(user)])
    documents = tmp_path / "documents"
    documents.mkdir()
    with ScriptedServer(model) as server, ExitStack() as stack:
        one, two = (Machine(tmp_path / name, documents, server, stack) for name in ("one", "two"))
        for upgrade in [machine.start("upgrade") for machine in (one, two)]:
            assert upgrade.process.wait(60) == 0, upgrade.log.read_text()
        webs = {machine: machine.web() for machine in (one, two)}
        workers = {machine: machine.worker("runs") for machine in (one, two)}
        one.worker("background")
        two.worker("ingest")
        for machine in (one, two):  # of two clocks one is too many, and does no harm
            machine.start("beat")
        proxy = stack.enter_context(RoundRobin([one.port, two.port]))
        client = stack.enter_context(create_client(proxy.url, token))
        load_document(one.url, token, tmp_path)
        page = stack.enter_context(browser_context()).new_page()
        page.goto(proxy.url + enter)
        page.goto(f"{proxy.url}/agents/{agents[0]}/")
        expect(page.locator("#live")).to_have_text("live")
        rows = stack.enter_context(psycopg.connect(database_url(), autocommit=True))
        talk = Talk(page, client, agents)
        talk.hear(talk.say())
        for machine in (one, two):
            strike_web(talk, model, webs[machine])
            webs[machine] = machine.web()
        strike_workers(talk, model, one, workers, rows)
        talk.hear(talk.say())
        until(lambda: Books(rows, talk.said, 1).quiet, "nothing is at work")
        wrong = [line for count in audit(Books(rows, talk.said, 1)) for line in count.wrong]
        assert not wrong
        shown = page.locator("#timeline-rows .row.assistant", has_text="re mark-").count()
        assert shown == len(talk.said) / 2, "the page shows each answer once"


def load_document(url: str, token: str, folder: Path) -> None:
    """Taken by one machine, read by a worker of the other."""
    file = folder / "log.txt"
    file.write_text("Fog over the harbour. " * 50)
    with create_client(url, token) as client:
        (loaded,) = client.load_documents(file, archive_id=client.create_archive("shelf").id)
    assert not loaded.error, loaded.error


def strike_web(talk: Talk, model: PatientModel, web: Process) -> None:
    """While both wait for the model: whoever was connected to it goes on at the other."""
    with model.held():
        heard = talk.say()
        until(lambda: model.asking == 2, "both are in the middle of a step")
        web.kill()
    talk.hear(heard)


def strike_workers(
    talk: Talk,
    model: PatientModel,
    first: Machine,
    workers: dict[Machine, Process],
    rows: "psycopg.Connection[tuple[str]]",
) -> None:
    """First one, then the other: the same two messages go through both deaths."""

    def are_held_by(worker: Process) -> bool:
        return [held_by.endswith(f"/{worker.process.pid}") for (held_by,) in rows.execute(HOLDERS)] == [True, True]

    (second,) = workers.keys() - {first}
    with model.held():
        heard = talk.say()
        until(lambda: model.asking == 2, "both are in the middle of a step")
        workers[first].kill()
        until(lambda: are_held_by(workers[second]), "the second machine has taken up what the first was at")
        workers[first] = first.worker("runs")
        workers[second].kill()
        until(lambda: are_held_by(workers[first]), "the first machine has taken them back")
    talk.hear(heard)
