"""A file that wants much holds up nobody: it ends with a reason, and others' documents are read beside it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import Settings

from agents import dispatch, maintenance, services
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.ingest import limits, reader_process, turns, working
from agents.ingest.cutting import Cut
from agents.ingest.kinds import media_type_of
from agents.models import Agent, Document, Message
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.plan import INGEST_THREADS
from tests import plugin
from tests.agents import hostile
from tests.conftest import make_agent
from tests.processes import until, worker

Status = Document.Status
REASONS = (
    *("Reading it takes longer than", "Reading it takes more than", "Its parts are nested too deeply", "It has more"),
    *("A sheet has more than", "The file cannot be read: it may", "The PDF cannot be read: it may"),
    *("Reading it has stopped the program that reads", "No text was found", "It is not valid JSON"),
)
SPINS = b"<table>" + (b"<tr>" + b'<td rowspan="65534" colspan="1000">lamp</td>' * 100 + b"</tr>") * 2000 + b"</table>"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(agent: Agent, name: str, content: bytes) -> Document:
    return services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, content))


@pytest.mark.parametrize(("name", "make"), hostile.FILES, ids=[name for name, _ in hostile.FILES])
def test_each_ends_with_a_reason_and_no_half(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 2)
    monkeypatch.setattr(limits, "SECONDS_A_MEGABYTE", 0)
    monkeypatch.setattr(limits, "MEMORY", 256 * 1024**2)
    monkeypatch.setattr(archival_storage, "insert_pieces", lambda *_: None)  # it is not about embedding
    try:
        document = upload(agent, name, make())
    except InvalidInput as refused:
        assert str(refused).startswith("“")
        return
    working.work(document)
    document.refresh_from_db()
    assert document.status == Status.READY or document.error.startswith(REASONS), document.error


def test_names_that_climb_and_links_write_nothing_and_lead_nowhere(agent: Agent) -> None:
    document = upload(agent, "a.docx", hostile.climbing_names())
    working.work(document)
    assert [passage.text for passage in document.passages.all()] == ["The lamp burns."]
    assert not Path("/tmp/climbed").exists()


def test_a_book_that_lists_a_chapter_often_has_it_once(agent: Agent) -> None:
    document = upload(agent, "a.epub", hostile.repeated_chapter())
    working.work(document)
    assert document.passages.count() < 20 and "".join(p.text for p in document.passages.all()).count("lamp") == 100


# The process that reads


def cuts_of(path: Path, look: Callable[[], None] = lambda: None) -> list[Any]:
    return list(reader_process.read(str(path), media_type_of(path.name), lambda *_: None, look))


@pytest.fixture
def spinning(tmp_path: Path) -> Path:
    path = tmp_path / "a.html"
    path.write_bytes(SPINS)
    return path


def test_time_and_memory_are_bounded_and_said(spinning: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hasty:
        hasty.setattr(limits, "SECONDS", 1)
        hasty.setattr(limits, "SECONDS_A_MEGABYTE", 0)
        with pytest.raises(InvalidInput, match="Reading it takes longer than a file of its size may take"):
            cuts_of(spinning)
        hasty.setattr(limits, "WAITING", 0)
        with pytest.raises(InvalidInput, match="Reading it takes longer than a file of its size may take"):
            cuts_of(spinning)
    monkeypatch.setattr(limits, "MEMORY", 20 * 1024**2)
    with pytest.raises(InvalidInput, match="Reading it takes more than 20 MB of memory"):
        cuts_of(spinning)


def test_a_larger_file_may_take_longer() -> None:
    assert limits.seconds(1500) == 60 < limits.seconds(5_000_000) < limits.seconds(20_000_000) == limits.MOST_SECONDS


def readers() -> list[int]:
    """Processes that read for this one."""
    parent = reader_process._readers._parent
    return children_of(parent.pid) if parent else []


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False, text=True)
    return [int(line) for line in listed.stdout.split()]


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_document_that_is_deleted_ends_its_reading(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    document = upload(agent, "a.html", SPINS)

    def read(path: str, media_type: str, tell: Any, look: Callable[[], None]) -> Iterator[Cut]:
        def deleted() -> None:
            if readers():  # not before it is there
                Document.objects.filter(pk=document.pk).delete()
            look()

        return reader_process.read(path, media_type, tell, deleted)

    monkeypatch.setattr(reader_process, "LOOK", 0.01)
    monkeypatch.setattr(working, "read", read)
    working.work(document)
    until(lambda: not readers(), "the process that read is gone")


def test_a_reader_that_is_killed_says_so_and_another_one_reads_the_next(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, spinning: Path
) -> None:
    def kill() -> None:
        for pid in readers():
            with contextlib.suppress(ProcessLookupError):  # one that has ended meanwhile
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(reader_process, "LOOK", 0.01)
    with pytest.raises(InvalidInput, match="Reading it has stopped the program that reads; it is damaged or too large"):
        cuts_of(spinning, kill)
    parent = reader_process._readers._parent
    assert parent is not None
    parent.kill()
    parent.wait()
    document = upload(agent, "a.txt", b"The lamp burns.")
    working.work(document)
    assert document.status == Status.READY


WORKER = """
import sys, django
django.setup()
from agents.ingest import reader_process
reader_process.LOOK = 0.01
def look():
    print(reader_process._readers._parent.pid, flush=True)
list(reader_process.read(sys.argv[1], "text/html", print, look))
"""


def test_all_that_reads_dies_with_its_worker(spinning: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(spinning)], stdout=subprocess.PIPE, cwd=PROJECT_FOLDER
    ) as process:
        assert process.stdout is not None
        parent = int(process.stdout.readline())
        until(lambda: children_of(parent), "a process reads")
        reading = children_of(parent)
        process.kill()
        until(lambda: not any(is_alive(pid) for pid in (parent, *reading)), "they are gone")


def test_the_process_that_reads_knows_no_key_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"The lamp burns.")
    cuts_of(path)
    parent = reader_process._readers._parent
    assert parent is not None
    said = Path(f"/proc/{parent.pid}/environ").read_text()
    assert "DATABASE_URL" not in said and "SECRET" not in said


# By turns


def test_one_persons_documents_leave_a_worker_to_others(agent: Agent, bob: User) -> None:
    assert turns.AT_ONCE < INGEST_THREADS
    own = [upload(agent, f"{number}.txt", f"Lamp {number}.".encode()) for number in range(5)]
    assert [turns.take() for _ in range(3)] == [*own[: turns.AT_ONCE], None]
    other = upload(make_agent(bob), "a.txt", b"It rains.")
    assert turns.take() == other and turns.take() is None


def test_whoever_has_less_in_work_or_waited_longer_is_next(agent: Agent, bob: User) -> None:
    others = make_agent(bob)
    own = [upload(agent, f"{number}.txt", f"Lamp {number}.".encode()) for number in range(3)]
    theirs = [upload(others, f"{number}.txt", f"Rain {number}.".encode()) for number in range(2)]
    order = []
    while document := turns.take():  # one worker: each is done before the next
        Document.objects.filter(pk=document.pk).update(status=Status.READY)
        order.append(document)
    assert order == [own[0], theirs[0], own[1], theirs[1], own[2]]


@pytest.mark.django_db(transaction=True)
def test_a_worker_reads_a_document_beside_hostile_ones_of_somebody_else(
    transactional_db: None, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = plugin.paths.media  # where the worker looks
    eve, bob = (make_agent(User.objects.create_user(name)) for name in ("eve", "bob"))
    with worker("ingest", tmp_path / "ingest.log", threads=INGEST_THREADS) as process:
        process.line("ready.")
        for number in range(4):
            upload(eve, f"{number}.html", SPINS + str(number).encode())
        until(lambda: Document.objects.filter(status=Status.READING).count() == turns.AT_ONCE, "hers are begun with")
        document = upload(bob, "a.txt", b"The lamp burns.")
        until(lambda: Document.objects.filter(pk=document.pk, status=Status.READY).exists(), "his is read", 30)
        hers = Document.objects.filter(archive=eve.archive)
        assert hers.filter(status=Status.READING).count() == turns.AT_ONCE  # they were in work all along
        Document.objects.filter(archive=eve.archive).delete()


# What a dead worker dropped


def test_what_an_import_left_without_a_vector_is_taken_up_again(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    asked: list[object] = []
    monkeypatch.setattr(dispatch, "embed_passages", lambda: asked.append("passages"))
    monkeypatch.setattr(dispatch, "embed_messages", asked.append)
    services.passage_add(archive=agent.archive, text="The lamp burns.")
    list(recall_storage.embed_missing(agent))
    maintenance.reap()
    assert not asked
    archival_storage.build(agent.archive, "It rains.", None).save()
    agent.messages.create(kind=Message.Kind.USER_MESSAGE, seq=500, content="It rains.", created_at=timezone.now())
    for _ in range(3):
        maintenance.reap()
    assert asked == ["passages", agent.pk]
