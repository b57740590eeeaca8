"""An installation of an early release, made by that release's own code, is upgraded as README says."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from agents.llm.scripted import Answer, Request, ScriptedServer
from memweb.client import Agent, Client, create_client
from memweb.stack import roles
from memweb.stack.backup import database, manifest
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.paths import StackPaths
from tests.brain import brain
from tests.homes import content, files, of, open_folder, run
from tests.processes import until
from tests.product import Product

pytestmark = [pytest.mark.timeout(480), pytest.mark.xdist_group("older release")]

OLDEST = "85e4946456616bc715481bcff9be2099527c3038"  # the first commit that starts; the six before it lack a module
AGENTS = {"Sam": "", "Mira": "3000"}  # and the window: less than the form takes today
SAID = ("My name is Ada", "I moved to Lisbon", "Please file this: The lamp was lit by Ines.", "Please look up the lamp")
HUMAN = "We have just met.\nName: Ada.\nLives in Lisbon."
DOCUMENT = b"# The harbour\n\nThe harbour master is called Quentin, and he keeps a parrot.\n"
APPLIED = "SELECT app, name FROM django_migrations ORDER BY app, name"
HUMANS = "SELECT value, revision FROM agents_block WHERE label = 'human'"


def unalarmed(request: Request) -> Answer:
    """The model with manners, which does not hear of memory pressure: a small window has it soon."""
    messages = [
        message | {"content": "\n".join(line for line in message["content"].splitlines() if "pressure" not in line)}
        for message in request["messages"]
        if message["content"]
    ]
    return brain(request | {"messages": messages})


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def older_code(folder: Path) -> Path:
    """The files of the release."""
    git = shutil.which("git")
    if git is None or not (PROJECT_FOLDER / ".git").exists():
        pytest.skip("The code of older releases is in git's history, which is not here.")
    found = subprocess.run([git, "archive", OLDEST], cwd=PROJECT_FOLDER, capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"The commit {OLDEST[:7]} is not in this clone, which may be a shallow one.")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder / "older", filter="data")
    return folder / "older"


class Person:
    """Who uses the page of any release, by the address that the terminal printed."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.http = httpx.Client(base_url=product.url, follow_redirects=True, timeout=30)
        self.http.get(product.printed_login_url()).raise_for_status()

    def page(self, address: str) -> str:
        return self.http.get(address).raise_for_status().text

    def do(self, address: str, form: dict[str, str], *, file: tuple[str, bytes] | None = None) -> httpx.Response:
        headers = {"X-CSRFToken": self.http.cookies["csrftoken"], "HX-Request": "true"}
        files = {"files": file} if file else None
        return self.http.post(address, data=form, files=files, headers=headers).raise_for_status()

    def close(self) -> None:
        self.http.close()


@contextmanager
def visited(product: Product) -> Iterator[Person]:
    """It is started, somebody is there, and it is stopped."""
    with product, closing(Person(product)) as person:
        yield person


def database_of(home: Path) -> str:
    """As the superuser: a database of then does not have the role of today."""
    return roles.superuser_url(StackPaths(home), "memweb")


def rows(home: Path, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_of(home)) as connection:
        return connection.execute(statement).fetchall()


def talk(person: Person) -> None:
    """Agents with edited blocks, a talk, a passage and a document each."""
    for name, window in AGENTS.items():
        form = {"name": name, "persona": f"I am {name}.", "human": "We have just met.", "context_window": window}
        agent = person.do("/agents/new/", form).headers["HX-Redirect"]
        for number, text in enumerate(SAID):
            person.do(f"{agent}messages/", {"text": text, "key": f"{name}-{number}"})
        person.do(f"{agent}documents/", {}, file=("harbour.md", DOCUMENT))
    done = """
        SELECT (SELECT count(*) FROM agents_run WHERE status = 'done'),
            (SELECT count(*) FROM agents_document WHERE status = 'ready')
    """
    all_of_it = [(len(AGENTS) * len(SAID), len(AGENTS))]
    until(lambda: rows(person.product.home, done) == all_of_it, "every message is answered, every document read")


def look_round(person: Person) -> None:
    """Each agent answers from its memory, and all of it is found and shown."""
    token = person.product.memweb("token", "create").strip()
    with create_client(person.product.url, token) as client:
        agents = client.list_agents()
        assert {agent.name for agent in agents} == AGENTS.keys()
        for agent in agents:
            _remembers(client, agent, person.product.model)
            block = client.get_block(agent_id=agent.id, label="human").id.rpartition("-")[2]
            history = person.page(f"/agents/{agent.id.removeprefix('agent-')}/blocks/{block}/history/")
            assert all(f"<b>#{number}</b>" in history for number in (1, 2, 3))
            assert all(text in history for text in ("We have just met.", "Ada", "Lisbon"))


def _remembers(client: Client, agent: Agent, model: ScriptedServer) -> None:
    asked = len(model.requests)
    assert "The lamp was lit by Ines." in client.user_message(agent_id=agent.id, message="Please look up the lamp").text
    turns = (request for request in model.requests[asked:] if "tools" in request)  # others are of summaries
    prompt = next(turns)["messages"][0]["content"]
    assert all(text in prompt for text in (f"I am {agent.name}.", "Name: Ada.", "Lives in Lisbon."))
    passages = client.search_passages(agent_id=agent.id, query="Quentin")
    assert any("he keeps a parrot" in passage.text for passage in passages)
    (archive,) = client.list_archives(agent_id=agent.id)
    assert [(file.name, file.status) for file in client.list_documents(archive.id)] == [("harbour.md", "completed")]
    assert any("moved to Lisbon" in str(found) for found in client.search_messages(agent_id=agent.id, query="Lisbon"))


def test_data_of_an_early_release_is_upgraded(older_code: Path, folder: Path) -> None:
    home, aside, restored = folder / "home", folder / "aside", folder / "restored"
    with ScriptedServer(unalarmed) as model:
        with visited(Product(home, model, folder=older_code, command="run", MEMWEB_SECRET_KEY="")) as person:
            talk(person)
        subprocess.run(["cp", "-a", home, aside], check=True)
        with database.running(of(aside), StackPaths(aside)) as url:  # what its last summary left
            before, documents = content(url), files(home / "media")

        with visited(Product(home, model, MEMWEB_SECRET_KEY="")) as person:
            look_round(person)
            assert files(home / "media") == documents
            migrations = rows(home, APPLIED)

    (made,) = (home / "backups").glob("memweb-upgrade-*")
    kept = manifest.read(made)
    assert kept.rows == {name: count for name, (count, _checksum) in before.items()}
    assert {name: entry.sha256 for name, entry in kept.documents.items()} == documents
    run("-m", "memweb", "restore", str(made), home=restored)
    assert files(restored / "media") == documents
    with database.running(of(restored), StackPaths(restored)):
        assert rows(restored, APPLIED) == migrations
        assert rows(restored, HUMANS) == [(HUMAN, 3)] * len(AGENTS)

    with database.running(of(aside), StackPaths(aside)) as url:  # where programs are started one by one
        run("-m", "memweb", "start", "upgrade", home=aside, DATABASE_URL=url)  # the others are the tests' own
        assert rows(aside, APPLIED) == migrations
        assert rows(aside, HUMANS) == [(HUMAN, 3)] * len(AGENTS)
    assert len(list((aside / "backups").glob("memweb-upgrade-*"))) == 1
