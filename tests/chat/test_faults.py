"""Where the disk is full or the database takes no rows, pages are shown, and what cannot be kept is said and gone."""

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from agents.models import Agent, Document, Message
from chat.sessions import SEEN
from tests.chat.conftest import plain
from tests.chat.test_uploads import upload


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that is written to the media folder breaks off after its first bytes."""
    write, os_open = os.write, os.open
    inside: set[int] = set()

    def opened(path: Any, *arguments: Any, **named: Any) -> int:
        number = os_open(path, *arguments, **named)
        if str(path).startswith(str(settings.MEDIA_ROOT)):
            inside.add(number)
        return number

    def written(number: int, data: bytes) -> int:
        if number in inside:
            write(number, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(number, data)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "write", written)
    monkeypatch.setattr("django.core.files.move.os.rename", _other_disk)


def _other_disk(*_paths: Any) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_an_upload_to_a_full_disk_leaves_nothing_and_says_so(
    browser: Client, agent: Agent, settings: Settings, tmp_path: Path, full_disk: None
) -> None:
    settings.MEDIA_ROOT = tmp_path
    told = upload(browser, agent, ("log.txt", b"The lamp burns. " * 1000))
    assert "The disk of this memweb is full" in str(told)
    assert Document.objects.count() == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture
def read_only() -> Iterator[None]:
    """The database takes no rows, as a standby or a server without room."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")


@pytest.mark.django_db(transaction=True)
def test_pages_are_shown_while_the_database_takes_no_rows(browser: Client, agent: Agent, read_only: None) -> None:
    browser.cookies["zone"] = "Europe/Berlin"
    connection.cursor().execute("SET default_transaction_read_only = off")
    Agent.objects.update(last_active_at=timezone.now() - timedelta(days=1))
    session = browser.session
    session[SEEN] = 0  # so long ago that this visit is to be noted
    session.save()
    connection.cursor().execute("SET default_transaction_read_only = on")
    assert browser.get(reverse("agent", args=[agent.pk])).status_code == 200
    assert browser.get(reverse("tab", args=[agent.pk, "memory"])).status_code == 200
    assert Message.objects.filter(kind=Message.Kind.LOGIN).count() == 1
    browser.raise_request_exception = False
    address = reverse("message_send", args=[agent.pk])
    page = browser.post(address, {"text": "hi", "key": "k"})
    assert page.status_code == 503 and "takes no changes at the moment" in plain(page.content.decode())
    part = browser.post(address, {"text": "hi", "key": "k"}, headers={"HX-Request": "true"})
    assert (part.status_code, part["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert "takes no changes at the moment" in part.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cause", "sentence"),
    [(psycopg.errors.DiskFull("no room"), "The disk of this memweb is full"), (None, "The database is away")],
)
def test_a_page_that_cannot_be_made_says_why(
    browser: Client, monkeypatch: pytest.MonkeyPatch, cause: Exception | None, sentence: str
) -> None:
    def fail(*_arguments: Any, **_named: Any) -> None:
        raise OperationalError("no") from cause

    browser.raise_request_exception = False
    monkeypatch.setattr("chat.views.agents.selectors.agents_of", fail)
    page = browser.get(reverse("overview"))
    assert page.status_code == 503 and sentence in plain(page.content.decode())
    monkeypatch.setattr("chat.views.agents.selectors.agents_of", Mistake)
    assert browser.get(reverse("overview")).status_code == 500


class Mistake:
    def __init__(self, *_arguments: Any) -> None:
        raise KeyError("of memweb's own")
