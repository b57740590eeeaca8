"""Another service's export in the page: dropped as a document is, and what the list shows of it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from agents import tasks
from agents.models import Agent, Document
from chat.lists import CONVERSATIONS
from tests.agents.exports import START, chatgpt_talk, many, packed, written
from tests.chat.conftest import plain


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def drop(browser: Client, agent: Agent, name: str, content: bytes) -> list[str]:
    sent = {"files": [SimpleUploadedFile(name, content)]}
    return list(browser.post(reverse("document_add", args=[agent.pk]), sent).json()["errors"])


def listed(browser: Client, agent: Agent, **asked: int) -> str:
    return plain(browser.get(reverse("documents", args=[agent.pk]), asked).content.decode())


def test_an_export_is_dropped_and_its_conversations_are_found_with_their_days(browser: Client, agent: Agent) -> None:
    talks = [
        chatgpt_talk("Trip to Kyoto", ("user", "I am allergic to buckwheat."), ("assistant", "No soba, then.")),
        *many(4, 2),
    ]
    assert drop(browser, agent, "chats.zip", packed(*talks)) == []
    assert "chats.zip" in listed(browser, agent)
    tasks.ingest()
    assert re.search(r"chats\.zip\s+unpacked ·\s+5 conversations ·\s+5 new", listed(browser, agent))
    assert re.search(r"Trip to Kyoto\s+· 4 May 2023\s+ready ·\s+1 passage", listed(browser, agent))
    answer = browser.get(reverse("tab", args=[agent.pk, "archival"]), {"part": "results", "q": "buckwheat"})
    text = plain(answer.content.decode())
    assert "Trip to Kyoto" in text and "4 May 09:30" in text and "I am allergic to buckwheat." in text
    by_day = {"part": "results", "q": "buckwheat", "start": "2023-05-04", "end": "2023-05-04"}
    assert "buckwheat." in plain(browser.get(reverse("tab", args=[agent.pk, "archival"]), by_day).content.decode())


def test_what_is_wrong_stands_in_its_place(browser: Client, agent: Agent) -> None:
    assert drop(browser, agent, "chats.json", written(*many(3, 2))[:-9]) == []
    tasks.ingest()
    assert "It is not valid JSON, or was cut off on its way" in listed(browser, agent)
    assert Document.objects.count() == 1


def test_of_thousands_of_conversations_the_list_shows_some(
    browser: Client, agent: Agent, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    count = CONVERSATIONS + 20
    rows = [
        Document(
            archive=agent.archive,
            name=f"Talk {number}.",
            sha256=str(number),
            media_type="x",
            size=1,
            conversation=str(number),
            said_at=START + timedelta(days=number),
            status=Document.Status.READY,
        )
        for number in range(count)
    ]
    rows[0].status = Document.Status.FAILED
    Document.objects.bulk_create(rows)
    with django_assert_max_num_queries(12):
        text = listed(browser, agent)
    shown = [int(number) for number in re.findall(r"Talk (\d+)\.\s+·", text)]
    assert shown == [0, *range(count - 1, 20, -1)]  # what failed, then the latest
    assert "20 more conversations" in text
    page = browser.get(reverse("documents", args=[agent.pk])).content.decode()
    more = re.search(r"conversations=(\d+)\"\s+hx-target", page)
    assert more is not None
    text = listed(browser, agent, conversations=int(more[1]))
    assert "Talk 1." in text and "more conversation" not in text
