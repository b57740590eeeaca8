"""Uploading documents in the inspector: what is taken, what is refused and why, progress, retry, delete."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import dispatch
from agents.ingest import kinds, working
from agents.models import Agent, Document
from tests.chat.conftest import pdf, plain
from tests.conftest import make_agent

Status = Document.Status

ZIP = b"PK\x03\x04\x14\x00\x06\x00 word/document.xml"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(browser: Client, agent: Agent, *files: tuple[str, bytes]) -> list[str]:
    """What is wrong with them, as the page says it."""
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    answer = browser.post(reverse("document_add", args=[agent.pk]), {"files": sent})
    assert answer.status_code == 200 and answer["Content-Type"] == "application/json"
    assert set(answer.json()) == {"errors"}
    return list(answer.json()["errors"])


def listed(browser: Client, agent: Agent) -> str:
    return browser.get(reverse("documents", args=[agent.pk])).content.decode()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("log.txt", b"The lamp burns.", "text/plain"),
        ("LOG.TXT", "住在里斯本".encode(), "text/plain"),
        ("log.txt", "The lamp burns.".encode("utf-16"), "text/plain"),
        ("notes.md", b"# Lamp\n\nIt burns.", "text/markdown"),
        ("log.pdf", pdf("The lamp burns."), "application/pdf"),
        ("灯塔 — “log”.pdf", pdf("The lamp burns."), "application/pdf"),
    ],
)
def test_text_markdown_and_pdf_are_taken(
    browser: Client, agent: Agent, media: Path, name: str, content: bytes, media_type: str
) -> None:
    assert upload(browser, agent, (name, content)) == []
    document = Document.objects.get()
    assert (document.archive, document.name, document.media_type) == (agent.archive, name, media_type)
    assert (document.status, document.size) == (Status.QUEUED, len(content))
    assert [path.read_bytes() for path in files_in(media)] == [content]
    assert f"{name} waiting" in plain(listed(browser, agent))


def test_an_upload_is_ingested_by_a_worker(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    enqueued: list[tuple[object, ...]] = []
    monkeypatch.setattr(dispatch, "_enqueue", lambda *task, **_when: enqueued.append(task))
    with django_capture_on_commit_callbacks(execute=True):
        upload(browser, agent, ("log.txt", b"The lamp burns."))
    assert enqueued == [("ingest",)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cv.doc", ZIP, "“cv.doc” is not a kind of file memweb reads. It reads .txt, .md, .rst, .html, .htm, "),
        ("README", PNG, "“README” is not a kind of file memweb reads."),
        ("log.pdf.exe", pdf("x"), "“log.pdf.exe” is not a kind of file memweb reads."),
        ("log.txt", b"", "“log.txt” is empty."),
        ("report.pdf", ZIP, "“report.pdf” is not what its name says: the content is a ZIP or Office file."),
        ("report.pdf", b"Just text.", "“report.pdf” is not what its name says: the content is something else."),
        ("log.txt", pdf("x"), "“log.txt” is not what its name says: the content is a PDF."),
        ("log.md", PNG, "“log.md” is not what its name says: the content is not text."),
    ],
)
def test_what_cannot_be_taken_says_why_where_it_was_dropped(
    browser: Client, agent: Agent, media: Path, name: str, content: bytes, reason: str
) -> None:
    assert len(reasons := upload(browser, agent, (name, content))) == 1
    assert reasons[0].startswith(reason)
    assert not Document.objects.exists() and not files_in(media)


def test_a_file_over_the_limit_is_told_both_sizes(
    browser: Client, agent: Agent, media: Path, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    reasons = upload(browser, agent, ("log.txt", b"x" * (1024 * 1536)))
    assert reasons == ["“log.txt” has 1.5 MB; a file may have at most 1 MB."]
    assert not Document.objects.exists() and not files_in(media)
    assert upload(browser, agent, ("log.txt", b"x" * 1024 * 1024)) == []


def test_the_form_says_the_limit_and_the_kinds(browser: Client, agent: Agent) -> None:
    tab = browser.get(reverse("tab", args=[agent.pk, "archival"])).content.decode()
    assert "up to 20 MB" in plain(tab) and "txt, md, rst, html," in plain(tab) and "or source code" in plain(tab)
    assert f'accept="{kinds.ACCEPTED}"' in tab


def test_no_file_at_all_is_said(browser: Client, agent: Agent) -> None:
    assert upload(browser, agent) == ["Choose a file first."]


def test_of_several_files_the_good_ones_are_taken(browser: Client, agent: Agent) -> None:
    files = (("a.txt", b"A."), ("b.exe", PNG), ("c.md", b"# C"), ("d.txt", b""), ("e.txt", b"A."))
    kind, empty, same = upload(browser, agent, *files)
    assert "“b.exe” is not a kind" in kind and empty == "“d.txt” is empty."
    assert same == "“e.txt” is in this archive already, as “a.txt”."
    assert set(Document.objects.values_list("name", flat=True)) == {"a.txt", "c.md"}


@pytest.mark.parametrize("name", ["log.txt", "copy of log.txt", "log.md"])
def test_the_same_file_is_taken_once(browser: Client, agent: Agent, media: Path, name: str) -> None:
    upload(browser, agent, ("log.txt", b"The lamp burns."))
    working.work(Document.objects.get())
    reasons = upload(browser, agent, (name, b"The lamp burns."))
    assert reasons == [f"“{name}” is in this archive already, as “log.txt”."]
    assert Document.objects.get().passages.count() == 1 and len(files_in(media)) == 1


def test_each_archive_may_have_the_same_file(browser: Client, alice: User, agent: Agent) -> None:
    other = make_agent(alice, "Ada")
    for one in (agent, other):
        assert upload(browser, one, ("log.txt", b"The lamp burns.")) == []
    assert Document.objects.count() == 2
    working.work(other.archive.documents.get())
    assert not agent.archive.passages.exists()


def test_a_file_that_failed_may_be_uploaded_again(browser: Client, agent: Agent) -> None:
    upload(browser, agent, ("log.txt", b"The lamp burns."))
    Document.objects.update(status=Status.FAILED, error="It went wrong.")
    assert upload(browser, agent, ("log.txt", b"The lamp burns.")) == []
    assert Document.objects.get().status == Status.QUEUED


def test_progress_is_listed_stage_by_stage(browser: Client, agent: Agent) -> None:
    upload(browser, agent, ("log.pdf", pdf("One.", "Two.")))
    for status, text in ((Status.QUEUED, "waiting"), (Status.READING, "reading")):
        Document.objects.update(status=status)
        markup = listed(browser, agent)
        assert f"log.pdf {text}" in plain(markup) and "<progress" in markup and "value=" not in markup
    Document.objects.update(status=Status.EMBEDDING, done=3, total=12)
    assert "log.pdf storing 3 / 12" in plain(listed(browser, agent)) and 'value="25"' in listed(browser, agent)
    working.work(Document.objects.get())
    assert "log.pdf ready · 2 pages · 2 passages" in plain(listed(browser, agent))
    assert "<progress" not in listed(browser, agent)


def test_a_failed_document_says_why_and_can_be_retried(browser: Client, agent: Agent) -> None:
    upload(browser, agent, ("log.pdf", b"%PDF-1.4 nonsense"))
    document = Document.objects.get()
    working.work(document)
    assert "The PDF cannot be read: it may be damaged" in plain(listed(browser, agent))
    url = reverse("document_retry", args=[document.pk])
    assert url in listed(browser, agent)
    assert browser.post(url).status_code == 204
    assert "log.pdf waiting" in plain(listed(browser, agent)) and url not in listed(browser, agent)


def test_a_document_is_found_by_page_and_deleted_with_its_file(
    browser: Client, agent: Agent, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    upload(browser, agent, ("log.pdf", pdf("The lamp burns.", "Zephyr is harbour master.")))
    document = Document.objects.get()
    working.work(document)
    search = reverse("tab", args=[agent.pk, "archival"]) + "?part=results&q=harbour"
    found = browser.get(search).content.decode()
    best = re.search(r'<li id="passage-.*?</li>', found, re.DOTALL)
    assert best and re.search(r"log\.pdf , page 2 · .* Zephyr is harbour master\.", plain(best[0]))
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(reverse("document_delete", args=[document.pk]))
        assert answer.status_code == 204
    assert "0 found" in plain(browser.get(search).content.decode())
    assert not files_in(media) and "log.pdf" not in listed(browser, agent)


def test_documents_of_an_attached_archive_stay_listed_when_the_list_is_refreshed(
    browser: Client, alice: User, agent: Agent
) -> None:
    other = make_agent(alice, "Ada")
    upload(browser, other, ("log.txt", b"The lamp burns."))
    agent.attached_archives.add(other.archive)
    assert "log.txt" in listed(browser, agent)
    assert "log.txt" in browser.get(reverse("tab", args=[agent.pk, "archival"])).content.decode()


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.txt", "../../../../etc/passwd.txt", "a\x00b.txt", "x" * 400 + ".txt"]
)
def test_a_hostile_name_is_only_a_name(browser: Client, agent: Agent, media: Path, name: str) -> None:
    upload(browser, agent, (name, b"The lamp burns."))
    document = Document.objects.get()
    assert len(document.name) <= 255 and document.name.endswith(".txt") and "/" not in document.name
    assert all(path.is_relative_to(media) for path in files_in(media)) and len(files_in(media)) == 1
    assert "<img" not in listed(browser, agent)
