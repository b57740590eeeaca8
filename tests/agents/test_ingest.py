"""Ingestion: documents become passages, all of the text and none of it twice, or say in plain words why not."""

import contextlib
import io
import random
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone
from pypdf import PdfReader, PdfWriter
from pytest_django import Settings
from reportlab.pdfgen.canvas import Canvas

from agents import dispatch, maintenance, services, tasks
from agents.broadcast import bus
from agents.broadcast.events import DocumentChanged, Event, PassagesChanged
from agents.exceptions import InvalidInput, LLMError
from agents.external_context import archival_storage
from agents.ingest import cutting, reading, turns, working
from agents.ingest.cutting import PASSAGE_TOKENS
from agents.ingest.working import BATCH, MAX_ATTEMPTS
from agents.llm import embeddings
from agents.models import Agent, Document, Passage
from agents.text import tokens
from tests.agents.reading_files import cuts
from tests.chat.conftest import pdf

Status = Document.Status

LONG = " ".join(f"Sentence number {n} of the keeper's log tells of tower {n}." for n in range(600))
BROKEN_TRIES = 120


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(agent: Agent, name: str, content: bytes) -> Document:
    return services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, content))


def ingested(agent: Agent, name: str, content: bytes) -> Document:
    document = upload(agent, name, content)
    working.work(document)
    document.refresh_from_db()
    return document


def texts(document: Document) -> list[str]:
    return list(document.passages.order_by("position").values_list("text", flat=True))


def locked(content: bytes, *, user: str, algorithm: str = "AES-256") -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(content))
    writer.encrypt(user, "owner's own", algorithm=algorithm)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def scanned() -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.rect(72, 72, 200, 300, fill=1)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


# What comes in


def test_a_text_is_cut_without_losing_a_word(agent: Agent) -> None:
    document = ingested(agent, "log.txt", LONG.encode())
    assert document.status == Status.READY and document.error == ""
    assert document.done == document.total == document.passages.count() > BATCH
    assert " ".join(texts(document)).split() == LONG.split()
    assert max(document.passages.values_list("tokens", flat=True)) <= PASSAGE_TOKENS
    assert all(text.endswith(".") for text in texts(document))
    assert set(document.passages.values_list("page", flat=True)) == {None}


@pytest.mark.parametrize("line", ["灯" * 30_000, "x" * 60_000, "The quay is grey. " * 3_000, "a b " * 10_000])
def test_the_work_on_a_line_without_end_grows_as_it_does(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text) // 4 + 1

    monkeypatch.setattr(tokens, "count", count)
    work = []
    for times in (1, 4):
        counted.clear()
        text = f"Before.\n\n{line * times}\n\nAfter."
        pieces = [cut.text for cut in cutting.cut_text(text)]
        assert "".join("".join(pieces).split()) == "".join(text.split())
        work.append(sum(counted))
    assert work[1] < 6 * work[0]


def test_markdown_is_cut_where_its_sections_begin(agent: Agent) -> None:
    section = " ".join(["Oil burns in the lamp."] * 20)
    document = ingested(agent, "log.md", f"# One\n\n{section}\n\n# Two\n\n{section}\n".encode())
    assert [text.split("\n")[0] for text in texts(document)] == ["# One", "# Two"]


def test_passages_of_a_pdf_know_their_page(agent: Agent) -> None:
    pages = [f"The harbour master of quay {n} is Captain Zephyr-{n}." for n in range(1, 13)]
    document = ingested(agent, "log.pdf", pdf(*pages))
    assert (document.status, document.pages, document.media_type) == (Status.READY, 12, "application/pdf")
    found = document.passages.order_by("position").values_list("position", "page", "text")
    assert list(found) == [(n, n + 1, text) for n, text in enumerate(pages)]


def test_a_page_without_text_does_not_shift_the_numbers(agent: Agent) -> None:
    document = ingested(agent, "log.pdf", pdf("First page.", "", "Third page."))
    assert list(document.passages.order_by("position").values_list("page", flat=True)) == [1, 3]
    assert document.pages == 3


def test_what_was_ingested_is_found(agent: Agent) -> None:
    ingested(agent, "log.txt", LONG.encode())
    ingested(agent, "people.pdf", pdf("Nothing here.", "The cook is called Zephyrine."))
    best = archival_storage.find(agent, "Zephyrine the cook").hits[0].row
    assert best.document is not None and (best.document.name, best.page) == ("people.pdf", 2)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("住在里斯本,有一只猫。", "utf-8"),
        ("Größe — “naïve” café", "utf-8-sig"),
        ("Größe — “naïve” café", "utf-16"),
        ("住在里斯本,有一只猫。", "utf-16-be"),
        ("住在里斯本,有一只猫。灯塔看守人每天晚上点灯。", "gb18030"),
        ("Müller für die Straße, naïve café déjà vu!", "latin-1"),
        ("El niño “grande” está aquí mañana", "cp1252"),
    ],
)
def test_text_in_any_common_encoding_is_read(agent: Agent, text: str, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    for padded in (text, text + " "):  # an even and an odd number of bytes
        assert texts(ingested(agent, f"{len(padded)}.txt", (mark + padded).encode(encoding))) == [text]


def test_nul_characters_do_not_stop_it(agent: Agent) -> None:
    document = ingested(agent, "log.txt", b"x" * 2000 + b" tower\x00one")
    assert document.status == Status.READY and "tower one" in " ".join(texts(document))


def test_a_pdf_that_only_forbids_printing_is_read(agent: Agent) -> None:
    document = ingested(agent, "log.pdf", locked(pdf("The lamp burns."), user=""))
    assert document.status == Status.READY and texts(document) == ["The lamp burns."]


# What cannot be read


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", locked(pdf("Secret."), user="secret"), "It is protected by a password. Save a copy without one"),
        ("a.pdf", locked(pdf("Secret."), user="secret", algorithm="RC4-128"), "It is protected by a password."),
        ("a.pdf", pdf("x")[:400], "The PDF cannot be read: it may be damaged"),
        ("a.pdf", b"%PDF-1.4\n" + b"garbage " * 200, "The PDF cannot be read: it may be damaged"),
        ("a.pdf", b"%PDF", "The PDF cannot be read: it may be damaged"),
        ("a.pdf", scanned(), "No text was found in it. A scanned PDF has only pictures of text."),
        ("a.txt", b" \n\t\n ", "No text was found in it."),
        ("a.txt", b"\xff\xfeodd number of bytes", "Its text encoding is not known. Save it as UTF-8."),
    ],
    ids=["AES", "RC4", "cut off", "garbage", "only a head", "scanned", "white", "not UTF-16"],
)
def test_what_cannot_be_read_fails_with_the_reason(agent: Agent, name: str, content: bytes, reason: str) -> None:
    document = ingested(agent, name, content)
    assert document.status == Status.FAILED and document.error.startswith(reason)
    assert not document.passages.exists()


def test_however_a_pdf_is_broken_it_is_read_or_says_so(tmp_path: Path) -> None:
    chance = random.Random(11)
    whole = pdf("The keeper's log.", "The lamp burns whale oil.")
    for number in range(BROKEN_TRIES):
        raw = bytearray(chance.choice((whole, locked(whole, user=""))))
        if number % 3 == 0:
            del raw[chance.randrange(8, len(raw)) :]
        for _ in range(chance.randrange(1, 30)):
            raw[chance.randrange(8, len(raw))] = chance.randrange(256)
        with contextlib.suppress(InvalidInput):
            cuts(tmp_path, f"{number}.pdf", bytes(raw))


@pytest.mark.parametrize("fault", [NotImplementedError, AttributeError, IndexError, AssertionError])
def test_whatever_the_reader_stumbles_over_is_a_damaged_pdf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def broken(*_: Any) -> PdfReader:
        raise fault("odd")

    monkeypatch.setattr(reading, "PdfReader", broken)
    with pytest.raises(InvalidInput, match=re.escape("The PDF cannot be read: it may be damaged (odd).")):
        cuts(tmp_path, "a.pdf", pdf("x"))


def test_a_file_that_is_gone_is_said(agent: Agent) -> None:
    for name, content in (("a.txt", b"The lamp burns."), ("a.pdf", pdf("x"))):
        document = upload(agent, name, content)
        Path(document.file.path).unlink()
        working.work(document)
        assert document.status == Status.FAILED and "Delete this entry and upload it again." in document.error


def test_an_endpoint_that_refuses_to_embed_is_said_and_retry_goes_on(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: Any) -> list[embeddings.Vector]:
        raise LLMError("The embeddings endpoint failed: wrong key")

    with monkeypatch.context() as broken:
        broken.setattr(embeddings.HashEmbedder, "embed_passages", refusing)
        document = ingested(agent, "log.txt", b"The lamp burns.")
    assert (document.status, document.error) == (Status.FAILED, "The embeddings endpoint failed: wrong key")
    services.document_retry(document=document)
    document.refresh_from_db()
    assert (document.status, document.error) == (Status.QUEUED, "")
    tasks.ingest()
    assert texts(document) == ["The lamp burns."]


# Interruptions

Insert = Callable[[Document, Sequence[archival_storage.Piece]], None]


def insert_until(batches: int, fault: type[BaseException], seen: list[int]) -> Insert:
    """As the real one, until `fault`; `seen` gets the positions it was given."""
    real = archival_storage.insert_pieces

    def insert(document: Document, pieces: Sequence[archival_storage.Piece]) -> None:
        nonlocal batches
        if batches == 0:
            raise fault
        batches -= 1
        seen.extend(piece.position for piece in pieces)
        real(document, pieces)

    return insert


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_ingestion_goes_on_where_it_stopped(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    document = upload(agent, "log.txt", LONG.encode())
    with monkeypatch.context() as dying:
        dying.setattr(archival_storage, "insert_pieces", insert_until(2, fault, []))
        with pytest.raises(fault):
            working.work(document)
    document.refresh_from_db()
    # a dead worker leaves it as it is, for the reaper; a fault of ours is told, with a Retry
    status = Status.EMBEDDING if fault is KeyboardInterrupt else Status.FAILED
    assert (document.status, document.done) == (status, 2 * BATCH)
    stored = set(document.passages.values_list("pk", flat=True))

    seen: list[int] = []
    if fault is RuntimeError:
        tasks.ingest()  # a task that was left over: it waits for Retry
        document.refresh_from_db()
        assert (document.status, document.done) == (Status.FAILED, 2 * BATCH)
        services.document_retry(document=document)
    with monkeypatch.context() as watched:
        watched.setattr(archival_storage, "insert_pieces", insert_until(-1, fault, seen))
        Document.objects.filter(pk=document.pk).update(status=Status.QUEUED)  # as the reaper or the Retry has it
        tasks.ingest()
    document.refresh_from_db()
    assert document.status == Status.READY and document.done == document.total
    assert seen == list(range(2 * BATCH, document.total))
    assert stored < set(document.passages.values_list("pk", flat=True))
    assert list(document.passages.order_by("position").values_list("position", flat=True)) == [*range(document.total)]
    assert " ".join(texts(document)).split() == LONG.split()


def test_two_workers_at_one_document_store_nothing_twice(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    document = upload(agent, "log.txt", LONG.encode())
    real = archival_storage.insert_pieces

    def overtaken(same: Document, pieces: Sequence[archival_storage.Piece]) -> None:
        real(same, pieces)  # the other worker's
        real(same, pieces)

    monkeypatch.setattr(archival_storage, "insert_pieces", overtaken)
    working.work(document)
    assert " ".join(texts(document)).split() == LONG.split()


def test_a_document_that_is_ready_or_gone_is_left_alone(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    ingested(agent, "log.txt", b"The lamp burns.")
    upload(agent, "gone.txt", b"It rains.").delete()
    monkeypatch.setattr(tasks, "work", lambda _: pytest.fail("it was taken up again"))
    tasks.ingest()


def test_progress_is_told_after_every_batch(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str, int]] = []
    document = upload(agent, "log.txt", LONG.encode())

    def publish(group: str, event: Event) -> None:
        assert group == bus.agent_group(agent.pk)
        if isinstance(event, DocumentChanged):
            document.refresh_from_db()
            told.append(("document", document.status, document.done))
        elif isinstance(event, PassagesChanged):
            told.append(("passages", document.status, document.done))

    monkeypatch.setattr(bus, "publish_on_commit", publish)
    working.work(document)
    batches = [(what, status, done) for what, status, done in told if status == Status.EMBEDDING]
    counts = [done for _, _, done in batches]
    assert told[0] == ("document", Status.READING, 0)
    assert counts == [*range(0, document.total, BATCH), document.total]
    assert told[-2:] == [(what, Status.READY, document.total) for what in ("document", "passages")]


# The queue


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time a worker was asked to look for documents."""
    found: list[str] = []
    monkeypatch.setattr(dispatch, "ingest", lambda: found.append("ingest"))
    return found


def an_hour_ago(*documents: Document, status: Status) -> None:
    past = timezone.now() - timedelta(hours=1)
    Document.objects.filter(pk__in=[each.pk for each in documents]).update(worked_at=past, status=status)


def test_what_waits_behind_large_documents_of_its_person_is_enqueued_once(agent: Agent, enqueued: list[str]) -> None:
    large = [upload(agent, f"{number}.txt", f"{number} {LONG}".encode()) for number in range(turns.AT_ONCE)]
    small = upload(agent, "small.json", b'{"pet": }')
    assert len(enqueued) == len(large) + 1
    an_hour_ago(small, status=Status.QUEUED)
    for status in turns.BEING_READ:
        Document.objects.filter(pk__in=[each.pk for each in large]).update(status=status, worked_at=timezone.now())
        for _ in range(3):
            maintenance.reap()
    assert len(enqueued) == len(large) + 1


def test_what_the_broker_lost_is_enqueued_again_but_not_at_every_look(agent: Agent, enqueued: list[str]) -> None:
    lost = upload(agent, "log.txt", b"The lamp burns.")
    an_hour_ago(lost, status=Status.QUEUED)
    for _ in range(3):
        maintenance.reap()
    assert len(enqueued) == 2


@pytest.mark.parametrize("status", [Status.READING, Status.EMBEDDING])
def test_a_document_whose_worker_died_waits_again_whatever_else_gets_on(
    agent: Agent, enqueued: list[str], status: Status
) -> None:
    left, other = upload(agent, "log.txt", b"The lamp burns."), upload(agent, "b.txt", b"It rains.")
    Document.objects.filter(pk=other.pk).update(status=Status.READING)
    an_hour_ago(left, status=status)
    for _ in range(3):
        maintenance.reap()
    left.refresh_from_db()
    assert len(enqueued) == 3 and left.status == Status.QUEUED


def test_a_database_that_was_away_fails_no_document(
    agent: Agent, enqueued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("terminating connection due to administrator command")

    document = upload(agent, "log.txt", b"The lamp burns.")
    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(archival_storage, "insert_pieces", away)
        tasks.ingest()
    document.refresh_from_db()
    assert document.status in turns.BEING_READ and not document.error
    an_hour_ago(document, status=Status(document.status))
    maintenance.reap()
    tasks.ingest()
    document.refresh_from_db()
    assert document.status == Status.READY and texts(document) == ["The lamp burns."]


def test_a_failed_document_keeps_its_reason_until_retry(agent: Agent, enqueued: list[str]) -> None:
    document = upload(agent, "small.json", b'{"name": "Anna", "pet": }\n')
    for _ in range(MAX_ATTEMPTS + 2):  # tasks that were left over
        tasks.ingest()
        document.refresh_from_db()
        assert document.error == "It is not valid JSON: line 1, column 25, Expecting value."
        assert (document.status, document.attempts) == (Status.FAILED, 1)
    an_hour_ago(document, status=Status.FAILED)
    maintenance.reap()
    assert len(enqueued) == 1
    services.document_retry(document=document)
    maintenance.reap()
    assert len(enqueued) == 2


# Deleting


def test_a_deleted_document_takes_its_passages_and_its_file_along(
    agent: Agent, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    document, other = ingested(agent, "log.txt", b"The lamp burns."), ingested(agent, "b.txt", b"It rains.")
    own = services.passage_add(archive=agent.archive, text="Filed by hand.")
    with django_capture_on_commit_callbacks(execute=True):
        services.document_delete(document=document)
    assert list(Document.objects.all()) == [other]
    assert {p.pk for p in Passage.objects.all()} == {own.pk, other.passages.get().pk}
    assert [path for path in media.rglob("*") if path.is_file()] == [Path(other.file.path)]
    assert not [hit for hit in archival_storage.find(agent, "lamp").hits if "lamp" in hit.row.text]


def test_a_document_deleted_while_it_is_worked_on_ends_the_work_quietly(agent: Agent) -> None:
    document = upload(agent, "notes.txt", b"Some words about lamps.")
    Document.objects.filter(pk=document.pk).delete()
    working.work(document)
    assert not agent.archive.passages.exists()
