"""memweb behind a real PgBouncer, in both of its modes; and what cannot work there says so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User

from agents import services
from agents.llm.scripted import ScriptedServer
from benchmarks.chaos_audit import Books, audit
from benchmarks.chaos_model import Model, Said
from benchmarks.pgbouncer import missing, pgbouncer
from memweb.client import create_client
from memweb.stack.pooling import ADVICE, NEED_SESSIONS, shares_sessions
from tests.conftest import make_agent
from tests.machine import Machine
from tests.processes import Process, database_url, until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("product"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
SESSIONS = {"session": 40, "transaction": 2}  # fewer than threads, so that they pass from one to the other
NOT_EMBEDDED = """
    SELECT count(*) FROM agents_message
    WHERE kind IN ('user_message', 'assistant') AND content <> '' AND embedding_model = ''
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("mode", SESSIONS)
def test_talks_go_on_behind_it(mode: str, tmp_path: Path, stack: ExitStack) -> None:
    user = User.objects.create_user("pooled")
    agents = [str(make_agent(user, f"Agent {number}").pk) for number in range(4)]
    token = services.token_create(owner=user, name="a program")[1]
    url = stack.enter_context(pgbouncer(database_url(), mode, sessions=SESSIONS[mode]))
    assert shares_sessions(url) is (mode == "transaction")
    machine = machine_of(tmp_path, stack)
    machine.web(DATABASE_URL=url)
    machine.worker("runs", DATABASE_URL=url)
    machine.worker("background", DATABASE_URL=database_url() if mode == "transaction" else url)

    def talk(number: int, agent: str) -> list[Said]:
        said = [Said(agent, f"mark-{number}{turn}", wants) for turn, wants in enumerate(("append", "insert", "answer"))]
        with create_client(machine.url, token) as client:
            for one in said:
                client.user_message(agent_id=f"agent-{agent}", message=one.text, key=one.mark)
            assert said[-1].text in str(client.export_agent(f"agent-{agent}"))
        return said

    with ThreadPoolExecutor(len(agents)) as people:
        accepted = list(chain(*people.map(talk, range(len(agents)), agents)))
    with psycopg.connect(database_url(), autocommit=True) as rows:
        books = Books(rows, accepted, 0)
        until(lambda: books.quiet and not books.number(NOT_EMBEDDED), "all is embedded")
        assert not [line for count in audit(books) for line in count.wrong]


def test_what_needs_a_session_of_its_own_is_not_started(tmp_path: Path, stack: ExitStack) -> None:
    url = stack.enter_context(pgbouncer(database_url(), "transaction"))
    machine = machine_of(tmp_path, stack)
    refused = [machine.start(name, DATABASE_URL=url) for name in NEED_SESSIONS]
    for command in ("up", "backup"):
        log = tmp_path / f"{command}.log"
        settings = {**machine.settings, "DATABASE_URL": url}
        refused.append(stack.enter_context(Process("memweb", command, log=log, **settings)))
    for process in refused:
        assert process.process.wait(60) == 1
        assert process.log.read_text() == f"Error: {ADVICE}\n"


def machine_of(folder: Path, stack: ExitStack) -> Machine:
    documents = folder / "documents"
    documents.mkdir()
    model = stack.enter_context(ScriptedServer(Model(seed=1, faulty=())))
    return Machine(folder / "machine", documents, model, stack)
