"""Passages in the inspector: edited, deleted many at a time, brought back."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from agents import services
from agents.exceptions import LLMError
from agents.external_context import archival_storage
from agents.llm import embeddings
from agents.models import Agent, Passage
from tests.chat.conftest import field, plain
from tests.conftest import make_agent


@pytest.fixture
def passage(agent: Agent) -> Passage:
    return services.passage_add(archive=agent.archive, text="The spare key hangs behind the barometer.")


def edit(browser: Client, agent: Agent, passage: Passage, text: str) -> str:
    """What comes in its place."""
    answer = browser.post(reverse("passage_edit", args=[agent.pk, passage.pk]), {"text": text})
    assert answer.status_code == 200
    return answer.content.decode()


def found(browser: Client, agent: Agent, query: str) -> str:
    answer = browser.get(reverse("tab", args=[agent.pk, "archival"]), {"part": "results", "q": query})
    return plain(answer.content.decode())


def delete(browser: Client, *chosen: object) -> dict[str, Any]:
    """The toast."""
    answer = browser.post(reverse("passages_delete"), {"chosen": [str(one) for one in chosen]})
    assert answer.status_code == 204 and not answer.content
    return dict(json.loads(answer["HX-Trigger"])["memweb:toast"])


def undo(browser: Client, address: str) -> HttpResponse:
    return browser.post(address)  # type: ignore[return-value]


# Edit


def test_a_passage_opens_in_a_form_and_closes_as_it_was(browser: Client, agent: Agent, passage: Passage) -> None:
    form = browser.get(reverse("passage_edit", args=[agent.pk, passage.pk])).content.decode()
    assert field(form, "text") == passage.text and f'<li id="passage-{passage.pk}"' in form
    row = browser.get(reverse("passage", args=[agent.pk, passage.pk])).content.decode()
    assert f'<li id="passage-{passage.pk}"' in row and passage.text in plain(row) and "<textarea" not in row


def test_an_edited_passage_is_found_by_its_new_words_and_no_more_by_the_old(
    browser: Client, agent: Agent, passage: Passage
) -> None:
    services.passage_add(archive=agent.archive, text="Whale oil burns in the lamp.")
    markup = edit(browser, agent, passage, " The cellar floods in March. ")
    assert "The cellar floods in March." in plain(markup) and "<textarea" not in markup
    best = archival_storage.find(agent, "cellar floods").hits[0]
    assert best.row == passage
    assert not Passage.objects.filter(words="barometer").exists()
    assert Passage.objects.get(words="cellar") == passage
    assert "cellar floods in March." in found(browser, agent, "cellar")


def test_an_edited_passage_is_embedded_anew(browser: Client, agent: Agent, passage: Passage) -> None:
    twin = services.passage_add(archive=agent.archive, text="The cellar floods in March.")
    passage.refresh_from_db()
    assert passage.embedding != twin.embedding
    edit(browser, agent, passage, twin.text)
    for one in (passage, twin):
        one.refresh_from_db()
    assert passage.embedding == twin.embedding and passage.words == twin.words
    assert (passage.tokens, passage.embedding_model) == (twin.tokens, twin.embedding_model)


@pytest.mark.parametrize(
    ("text", "reason"), [("  ", "the text is empty"), ("x" * 8001, "The text has 8,001 characters; file at most 8,000")]
)
def test_an_edit_that_cannot_be_taken_stays_in_the_form(
    browser: Client, agent: Agent, passage: Passage, text: str, reason: str
) -> None:
    markup = edit(browser, agent, passage, text)
    assert reason in plain(markup) and field(markup, "text") == text
    before = passage.text
    passage.refresh_from_db()
    assert passage.text == before and "1 found" in found(browser, agent, "barometer")


def test_an_edit_that_cannot_be_embedded_stays_in_the_form(
    browser: Client, agent: Agent, passage: Passage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "latest", Unreachable)
    markup = edit(browser, agent, passage, "The cellar floods.")
    assert "The embeddings endpoint is away." in plain(markup) and field(markup, "text") == "The cellar floods."
    passage.refresh_from_db()
    assert passage.text.startswith("The spare key")


class Unreachable:
    name = "away"

    def embed_passages(self, texts: list[str]) -> list[list[float]]:
        raise LLMError("The embeddings endpoint is away.")


def test_html_stays_text_in_row_and_form(browser: Client, agent: Agent, passage: Passage) -> None:
    attack = "</textarea><script>alert(1)</script>"
    assert "<script>" not in edit(browser, agent, passage, attack)
    form = browser.get(reverse("passage_edit", args=[agent.pk, passage.pk])).content.decode()
    assert "<script>" not in form and field(form, "text") == attack


# Delete and bring back


def test_the_chosen_passages_are_deleted_and_found_no_more(browser: Client, agent: Agent) -> None:
    rows = [services.passage_add(archive=agent.archive, text=f"Lamp {number}.") for number in range(4)]
    toast = delete(browser, rows[0].pk, rows[2].pk)
    assert toast["text"] == "2 passages were deleted."
    text = found(browser, agent, "lamp")
    assert "2 found" in text and "Lamp 1." in text and "Lamp 3." in text
    assert archival_storage.find(agent, "lamp").total == 2


def test_the_undo_brings_exactly_those_back(browser: Client, agent: Agent) -> None:
    rows = [services.passage_add(archive=agent.archive, text=f"Lamp {number}.") for number in range(3)]
    delete(browser, rows[2].pk)
    address = delete(browser, rows[0].pk, rows[1].pk)["undo"]
    assert undo(browser, address).status_code == 204
    text = found(browser, agent, "lamp")
    assert "2 found" in text and "Lamp 0." in text and "Lamp 1." in text and "Lamp 2." not in text


def test_one_passage_is_deleted_and_said_so(browser: Client, passage: Passage) -> None:
    assert delete(browser, passage.pk)["text"] == "1 passage was deleted."


def test_a_second_press_deletes_nothing_more(browser: Client, passage: Passage) -> None:
    delete(browser, passage.pk)
    assert delete(browser, passage.pk)["text"] == "0 passages were deleted."


@pytest.mark.parametrize("chosen", [[], ["x"], ["-1"], ["9" * 40], [""]])
def test_with_nothing_chosen_nothing_is_deleted(browser: Client, passage: Passage, chosen: list[str]) -> None:
    toast = delete(browser, *chosen)
    assert toast["text"] == "Choose passages first." and toast["undo"] == ""
    passage.refresh_from_db()
    assert passage.retracted_at is None


@pytest.mark.parametrize("chosen", ["", "x-y", "9" * 40, "-", "-1-"])
def test_a_hand_made_undo_does_no_harm(browser: Client, passage: Passage, chosen: str) -> None:
    address = f"{reverse('passages_bring_back')}?chosen={chosen}"
    assert undo(browser, address).status_code == 204


def test_the_undo_of_as_many_as_can_be_chosen_fits_an_address(browser: Client, agent: Agent) -> None:
    Passage.objects.bulk_create(
        Passage(archive=agent.archive, text=f"Lamp {number}.", tokens=3) for number in range(510)
    )
    every = list(Passage.objects.order_by("pk").values_list("pk", flat=True))
    toast = delete(browser, *every)
    assert toast["text"] == "500 passages were deleted." and Passage.objects.filter(retracted_at=None).count() == 10
    assert undo(browser, toast["undo"]).status_code == 204
    assert Passage.objects.filter(retracted_at=None).count() == 510


def test_passages_of_an_attached_archive_are_edited_and_deleted_too(browser: Client, agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Ada")
    services.archive_attach(agent=agent, archive=other.archive)
    theirs = services.passage_add(archive=other.archive, text="Ada has a cat.")
    assert "· Ada Ada has two cats." in plain(edit(browser, agent, theirs, "Ada has two cats."))
    delete(browser, theirs.pk)
    assert "0 found" in found(browser, other, "cats")
