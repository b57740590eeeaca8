"""Backups of the whole product, made while ten agents are in the middle of their runs, and what comes of each."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from agents.llm.scripted import Answer, Request, ScriptedServer
from benchmarks.chaos_audit import Books, audit, failures
from benchmarks.chaos_model import Model, Said, asked_for
from memweb.client import Client, create_client
from memweb.stack import roles
from memweb.stack.backup import database, manifest
from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres
from tests.homes import content, content_of, files, of, open_folder, run
from tests.processes import until
from tests.product import Product

pytestmark = [pytest.mark.timeout(480), pytest.mark.xdist_group("backup live")]

AGENTS = 10
WAITS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'memweb backup' AND wait_event_type = 'Lock'"


class HeldModel:
    """The chaos run's model in a hurry. At what is `held`, a mark and what is left to do for it, it waits for `go`."""

    def __init__(self) -> None:
        self.model = Model(0, (), thinking=(0, 0))
        self.held: set[tuple[str, str]] = set()
        self.silent = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, request: Request) -> Answer:
        if "tools" in request and asked_for(request) in self.held:
            self.silent.release()
            self.go.wait(60)
        return self.model(request)


@dataclass(frozen=True)
class Place:
    """Where a memweb lives: its data folder, and that of the PostgreSQL server that it uses."""

    home: Path
    server: Path
    database_url: str = ""

    @property
    def superuser(self) -> str:
        return roles.superuser_url(StackPaths(self.server), "memweb")

    @contextmanager
    def running(self, model: ScriptedServer) -> Iterator[Product]:
        with Product(self.home, model, DATABASE_URL=self.database_url, MEMWEB_SECRET_KEY="") as product:
            yield product


@dataclass(frozen=True)
class Backup:
    """With what its snapshot holds: all rows, and among them what was `said` and how many documents."""

    folder: Path
    content: dict[str, tuple[int, str]]
    said: list[Said]
    documents: int


@dataclass
class Senders:
    """Who talks with the ten, in whichever place they live."""

    brain: HeldModel
    agents: list[str] = field(default_factory=list)
    documents: int = 0
    said: list[Said] = field(default_factory=list)
    marks: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def make_agents(self, client: Client) -> None:
        for number in range(AGENTS):
            made = client.create_agent(name=f"Agent {number}", persona="I keep the lamp.", human="Name: Ada.")
            self.agents.append(made.id.removeprefix("agent-"))

    def load(self, client: Client, folder: Path) -> None:
        """A document; it is read when this returns."""
        archive = client.get_archive("Agent 0")
        file = folder / f"log {self.documents}.txt"
        file.write_text("\n\n".join(f"Day {day} of log {self.documents}: fog. " * 20 for day in range(10)))
        (loaded,) = client.load_documents(file, archive_id=archive.id)
        assert not loaded.error
        self.documents += 1

    def composed(self, *wants: str) -> list[Said]:
        """A message for each agent, which `wants` by turns."""
        pairs = zip(self.agents, itertools.cycle(wants), strict=False)
        return [Said(agent, f"mark-{next(self.marks)}", want) for agent, want in pairs]

    def send(self, client: Client, messages: list[Said]) -> None:
        """They are accepted when this returns."""
        for said in messages:
            client.send_message(agent_id=f"agent-{said.agent}", message=said.text, key=said.mark)
        self.said += messages

    def hold_all(self, client: Client) -> None:
        """Each agent is in the middle of a run when this returns: every other one has written to memory in it."""
        self.brain.go.clear()
        messages = self.composed("append", "insert")
        self.brain.held = {(said.mark, "answer" if said.wants == "append" else said.wants) for said in messages}
        self.send(client, messages)
        for _agent in self.agents:
            assert self.brain.silent.acquire(timeout=60)


def settled(place: Place, senders: Senders) -> None:
    """Wait until nothing is at work: each message was answered once, nothing failed, no row is half."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        books = Books(connection, senders.said, senders.documents)
        until(lambda: books.quiet, "nothing is at work")
        assert not [count for count in audit(books) if count.wrong]
        assert not failures(books)


def back_up(place: Place, product: Product, client: Client, senders: Senders) -> Backup:
    """Begun while every agent is in the middle of a run and a message waits behind it, made while they go on."""
    folder = place.home.parent
    senders.send(client, senders.composed("append", "insert"))
    senders.load(client, folder)
    settled(place, senders)
    senders.hold_all(client)
    senders.send(client, senders.composed("answer"))
    said, documents = list(senders.said), senders.documents
    with (
        ThreadPoolExecutor() as threads,
        psycopg.connect(place.superuser) as gate,
        psycopg.connect(place.superuser) as snapshot,
    ):
        gate.execute("LOCK TABLE django_admin_log IN ACCESS EXCLUSIVE MODE")  # no dump begins before we let it
        made = threads.submit(product.memweb, "backup", "--to", str(folder / "backups"))
        _take(snapshot, place, made)
        senders.send(client, senders.composed("append", "insert", "answer"))
        senders.load(client, folder)
        senders.brain.go.set()
        gate.rollback()
        senders.send(client, senders.composed("append"))
        return Backup(Path(made.result().strip()), content_of(snapshot), said, documents)


def _take(snapshot: psycopg.Connection, place: Place, made: "Future[str]") -> None:
    """The one that the dump is going to see."""
    with psycopg.connect(place.superuser, autocommit=True) as look:
        until(lambda: made.done() or look.execute(WAITS).fetchone(), "the dump waits for its locks")
        ((name,),) = look.execute("SELECT pg_ls_dir('pg_snapshots')").fetchall()
    snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    snapshot.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(name))


def restore(backup: Backup, place: Place) -> None:
    """All of it is there, and nothing else."""
    held = manifest.read(backup.folder)
    assert held.rows == {name: count for name, (count, _checksum) in backup.content.items()}
    assert len(held.documents) == backup.documents
    run("-m", "memweb", "restore", str(backup.folder), home=place.home, DATABASE_URL=place.database_url)
    with database.running(of(place.home, place.database_url or None), StackPaths(place.home)) as url:
        assert content(url) == backup.content
    assert files(place.home / "media") == {name: entry.sha256 for name, entry in held.documents.items()}


def live_on(place: Place, client: Client, senders: Senders, backup: Backup) -> None:
    """What was in the middle of it ends, what waited is answered, and every agent hears what is said now."""
    senders.said, senders.documents = list(backup.said), backup.documents
    settled(place, senders)
    senders.send(client, senders.composed("answer"))
    settled(place, senders)


def test_from_ours_to_another_server_and_back_while_ten_agents_talk() -> None:
    senders = Senders(HeldModel())
    with open_folder() as folder, ScriptedServer(senders.brain) as model:
        first, third = (Place(folder / name, folder / name) for name in ("first", "third"))
        with first.running(model) as product:
            token = product.memweb("token", "create").strip()
            with create_client(product.url, token) as client:
                senders.make_agents(client)
                backup = back_up(first, product, client, senders)
            settled(first, senders)

        server = Postgres(StackPaths(folder / "server"), quiet=True, settings={"fsync": "off"})
        server.start()
        try:
            second = Place(folder / "second", folder / "server", server.url)
            restore(backup, second)
            with second.running(model) as product, create_client(product.url, token) as client:
                live_on(second, client, senders, backup)
                backup = back_up(second, product, client, senders)
                settled(second, senders)
        finally:
            server.stop()

        restore(backup, third)
        with third.running(model) as product, create_client(product.url, token) as client:
            live_on(third, client, senders, backup)
        assert (third.home / "secret_key").read_bytes() == (first.home / "secret_key").read_bytes()
