"""Archives in the inspector: made, attached, detached with an undo, deleted, and uploaded into."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import services
from agents.ingest import working
from agents.models import Agent, Archive, Document
from tests.chat.conftest import plain, post
from tests.conftest import make_agent


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def logs(alice: User) -> Archive:
    """An archive of no agent."""
    return services.archive_create(owner=alice, name="Ship logs")


def shown(answer: HttpResponse) -> str:
    """The list of archives that comes in the old one's place."""
    markup = answer.content.decode()
    assert answer.status_code == 200 and markup.startswith('<section id="archives"')
    return markup


def searched(markup: str) -> list[str]:
    """The archives that the agent searches, its own first."""
    chips = re.search(r'<ul class="chips".*?</ul>', markup, re.DOTALL)
    assert chips
    return re.findall(r"<b>(.*?)</b>", chips[0])


def offered(markup: str) -> list[str]:
    """Those that it could."""
    return re.findall(r'<option value="\d+">(.*?)</option>', markup)


def passages(browser: Client, agent: Agent) -> str:
    return plain(browser.get(reverse("tab", args=[agent.pk, "archival"]), {"part": "results"}).content.decode())


def test_an_agent_begins_with_its_own_archive(browser: Client, agent: Agent) -> None:
    markup = shown(browser.get(reverse("archives", args=[agent.pk])))  # type: ignore[arg-type]
    assert searched(markup) == ["Sam"] and "Sam its own" in plain(markup)
    assert "/detach/" not in markup and "/delete/" not in markup


def test_a_new_archive_is_searched_at_once(browser: Client, alice: User, agent: Agent) -> None:
    assert searched(shown(post(browser, "archive_new", agent.pk, name=" Ship  logs "))) == ["Sam", "Ship logs"]
    archive = Archive.objects.get(name="Ship logs")
    assert archive.owner == alice and list(agent.attached_archives.all()) == [archive]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("  ", "Give the archive a name."),
        ("ship LOGS", "You already have an archive called “ship LOGS”. Choose another name."),
        ("x" * 121, "A name has at most 120 characters."),
        ("Sam", "You already have an archive called “Sam”. Choose another name."),
    ],
)
def test_a_name_that_cannot_be_taken_is_kept_with_the_reason(
    browser: Client, agent: Agent, logs: Archive, name: str, reason: str
) -> None:
    markup = shown(post(browser, "archive_new", agent.pk, name=name))
    assert (
        reason in plain(markup)
        and f'value="{name}"' in markup
        and '<details class="more" id="more-archives" open>' in markup
    )
    assert Archive.objects.count() == 2 and searched(markup) == ["Sam"]


def test_an_archive_is_attached_and_its_passages_are_shown(
    browser: Client, alice: User, agent: Agent, logs: Archive
) -> None:
    other = make_agent(alice, "Ada")
    services.passage_add(archive=other.archive, text="Ada's own secret harbour.")
    assert "harbour" not in passages(browser, agent)
    markup = shown(browser.get(reverse("archives", args=[agent.pk])))  # type: ignore[arg-type]
    assert offered(markup) == ["Ada", "Ship logs"]
    markup = shown(post(browser, "archive_attach", agent.pk, archive=other.archive_id))
    assert searched(markup) == ["Sam", "Ada"] and offered(markup) == ["Ship logs"]
    assert "Ada's own secret harbour." in passages(browser, agent)


def test_what_cannot_be_attached_says_why(browser: Client, agent: Agent, logs: Archive) -> None:
    assert "Choose an archive first." in plain(shown(post(browser, "archive_attach", agent.pk)))
    for archive in (agent.archive_id, logs.pk):
        post(browser, "archive_attach", agent.pk, archive=logs.pk)
        markup = shown(post(browser, "archive_attach", agent.pk, archive=archive))
        assert "already." in plain(markup) and searched(markup) == ["Sam", "Ship logs"]


def test_a_detached_archive_keeps_what_it_has_and_the_undo_attaches_it_again(
    browser: Client, agent: Agent, logs: Archive
) -> None:
    services.archive_attach(agent=agent, archive=logs)
    services.document_add(archive=logs, file=SimpleUploadedFile("log.txt", b"The lamp burns."))
    working.work(logs.documents.get())
    answer = post(browser, "archive_detach", agent.pk, logs.pk)
    assert searched(shown(answer)) == ["Sam"]
    toast = json.loads(answer["HX-Trigger"])["memweb:toast"]
    assert toast["text"] == "Sam searches “Ship logs” no more."
    assert "The lamp burns." not in passages(browser, agent) and logs.passages.count() == 1
    assert searched(shown(browser.post(toast["undo"]))) == ["Sam", "Ship logs"]  # type: ignore[arg-type]
    assert "The lamp burns." in passages(browser, agent)


def test_an_archive_is_deleted_with_all_it_has_for_everybody_who_searched_it(
    browser: Client, alice: User, agent: Agent, logs: Archive, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    other = make_agent(alice, "Ada")
    for one in (agent, other):
        services.archive_attach(agent=one, archive=logs)
    services.document_add(archive=logs, file=SimpleUploadedFile("log.txt", b"The lamp burns."))
    working.work(logs.documents.get())
    with django_capture_on_commit_callbacks(execute=True):
        assert searched(shown(post(browser, "archive_delete", agent.pk, logs.pk))) == ["Sam"]
    assert not Document.objects.exists() and not [path for path in media.rglob("*") if path.is_file()]
    assert not other.attached_archives.exists() and "The lamp burns." not in passages(browser, other)


def test_an_agents_own_archive_is_not_deleted(browser: Client, alice: User, agent: Agent) -> None:
    other = make_agent(alice, "Ada")
    services.archive_attach(agent=agent, archive=other.archive)
    for archive in (agent.archive_id, other.archive_id):
        markup = shown(post(browser, "archive_delete", agent.pk, archive))
        assert "This archive belongs to an agent and goes with it." in plain(markup)
        assert reverse("archive_delete", args=[agent.pk, archive]) not in markup
    assert Archive.objects.count() == 2


def test_an_upload_goes_into_the_chosen_archive(browser: Client, agent: Agent, logs: Archive) -> None:
    services.archive_attach(agent=agent, archive=logs)
    tab = browser.get(reverse("tab", args=[agent.pk, "archival"])).content.decode()
    into = re.search(r'<select id="upload-to">(.*?)</select>', tab, re.DOTALL)
    assert into and re.findall(r">([^<]+)</option>", into[1]) == ["Sam", "Ship logs"]
    assert f'<option value="{agent.archive_id}" selected>' in into[1]
    file = SimpleUploadedFile("log.txt", b"The lamp burns.")
    answer: Any = post(browser, "document_add", agent.pk, files=file, archive=logs.pk)
    assert answer.json() == {"errors": []}
    assert (logs.documents.count(), agent.archive.documents.count()) == (1, 0)
    working.work(logs.documents.get())
    listed = plain(browser.get(reverse("documents", args=[agent.pk])).content.decode())
    assert "log.txt ready · 1 passage · Ship logs" in listed
    assert "log.txt · " in passages(browser, agent) and "· Ship logs The lamp burns." in passages(browser, agent)


def test_another_persons_archive_is_not_there(browser: Client, agent: Agent, bob: User) -> None:
    theirs = services.archive_create(owner=bob, name="Bob's logs")
    assert post(browser, "archive_attach", agent.pk, archive=theirs.pk).status_code == 404
    assert post(browser, "archive_detach", agent.pk, theirs.pk).status_code == 404
    assert post(browser, "archive_delete", agent.pk, theirs.pk).status_code == 404
    file = SimpleUploadedFile("log.txt", b"Planted.")
    assert post(browser, "document_add", agent.pk, files=file, archive=theirs.pk).status_code == 404
    markup = shown(browser.get(reverse("archives", args=[agent.pk])))  # type: ignore[arg-type]
    assert offered(markup) == [] and not theirs.documents.exists()


def test_two_people_may_call_their_archives_the_same(browser: Client, agent: Agent, bob: User) -> None:
    services.archive_create(owner=bob, name="Ship logs")
    assert searched(shown(post(browser, "archive_new", agent.pk, name="Ship logs"))) == ["Sam", "Ship logs"]


def test_a_name_is_only_a_name(browser: Client, agent: Agent) -> None:
    markup = shown(post(browser, "archive_new", agent.pk, name="<img src=x>"))
    assert "<img" not in markup and "&lt;img src=x&gt;" in searched(markup)
