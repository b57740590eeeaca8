"""A person edits core memory: limits, stale forms, and a history of every edit."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from agents.llm.scripted import call, say
from agents.models import Agent, Block, BlockRevision
from tests.chat.conftest import field, plain
from tests.conftest import ServeModel, exchange

Editor = BlockRevision.Editor


@pytest.fixture
def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def url(agent: Agent, block: Block, name: str = "block_edit") -> str:
    return reverse(name, args=[agent.pk, block.pk])


def save(browser: Client, agent: Agent, block: Block, value: str, revision: int | str = 1) -> str:
    """What comes in the card's place."""
    answer = browser.post(url(agent, block), {"value": value, "revision": str(revision)})
    assert answer.status_code == 200
    return answer.content.decode()


def history(block: Block) -> list[tuple[int, str, str]]:
    return list(block.revisions.order_by("number").values_list("number", "value", "editor"))


def is_form(markup: str) -> bool:
    return "<textarea" in markup


def test_the_form_holds_the_text_and_the_revision_it_was_made_from(browser: Client, agent: Agent, human: Block) -> None:
    markup = browser.get(url(agent, human)).content.decode()
    assert (field(markup, "value"), field(markup, "revision")) == ("We have just met.", "1")


def test_an_edit_is_saved_and_shown_with_its_difference(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    markup = save(browser, agent, human, "We have never met.")
    assert not is_form(markup)
    assert "<del>just</del><ins>never</ins>" in markup
    assert "Last change by alice" in plain(markup)
    assert history(human) == [(1, "We have just met.", Editor.IMPORT), (2, "We have never met.", Editor.USER)]
    assert human.revisions.get(number=2).user == alice


def test_every_edit_is_a_revision(browser: Client, agent: Agent, human: Block) -> None:
    for number in range(1, 5):
        save(browser, agent, human, f"Edit {number}.", revision=number)
    assert [value for _, value, _ in history(human)][1:] == [f"Edit {number}." for number in range(1, 5)]


def test_a_text_saved_unchanged_is_no_revision(browser: Client, agent: Agent, human: Block) -> None:
    assert not is_form(save(browser, agent, human, "We have just met."))
    assert len(history(human)) == 1


def test_a_text_over_the_limit_stays_in_the_form_with_the_reason(browser: Client, agent: Agent, human: Block) -> None:
    text = "Line one.\nLine two. " + "x" * 2000
    markup = save(browser, agent, human, text)
    assert field(markup, "value") == text
    assert "“human” holds at most 2,000 characters; this text has 2,020." in plain(markup)
    assert field(markup, "revision") == "1"
    assert len(history(human)) == 1
    assert not is_form(save(browser, agent, human, text[:2000]))


@pytest.mark.parametrize("character", ["x", "字", "é", "🙂", "\n"])
def test_characters_are_counted_as_the_database_counts_them(
    browser: Client, agent: Agent, human: Block, character: str
) -> None:
    """Browsers send CRLF for every line end: the block holds, and counts, one character for it."""
    at_limit = "a" + character * (human.limit - 2) + "b"
    assert not is_form(save(browser, agent, human, at_limit.replace("\n", "\r\n")))
    human.refresh_from_db()
    assert human.value == at_limit
    assert is_form(save(browser, agent, human, (at_limit + "b").replace("\n", "\r\n"), revision=2))
    with pytest.raises(IntegrityError), transaction.atomic():
        Block.objects.filter(pk=human.pk).update(value=at_limit + "b")


def test_the_card_counts_honestly(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "住在里斯本\r\n有一只猫🙂")
    assert "human 11 / 2,000 Edit" in plain(browser.get(url(agent, human, "block")).content.decode())


def test_a_stale_edit_shows_both_texts_and_overwrites_nothing(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "The newer text.")
    markup = save(browser, agent, human, "The text of a stale form.", revision=1)
    assert field(markup, "value") == "The text of a stale form."
    assert "It now says: The newer text. Difference" in plain(markup)
    assert re.search(r"<ins>newer ?</ins>", markup) and "Your text, saved only if you press Save again:" in plain(
        markup
    )
    assert "was changed while you were editing" in plain(markup)
    human.refresh_from_db()
    assert (human.value, human.revision) == ("The newer text.", 2)


def test_saving_a_stale_edit_again_puts_it_in_place(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "The newer text.")
    markup = save(browser, agent, human, "Mine.", revision=1)
    assert not is_form(save(browser, agent, human, field(markup, "value"), revision=field(markup, "revision")))
    assert [value for _, value, _ in history(human)] == ["We have just met.", "The newer text.", "Mine."]


def test_a_stale_edit_is_shown_again_if_the_block_changed_again(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "Second.")
    markup = save(browser, agent, human, "Mine.", revision=1)
    save(browser, agent, human, "Third.", revision=2)
    again = save(browser, agent, human, "Mine.", revision=field(markup, "revision"))
    assert is_form(again) and "It now says: Third." in plain(again)


def test_a_stale_edit_over_an_emptied_block_says_that_it_is_empty(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "")
    assert "It now says: nothing" in plain(save(browser, agent, human, "Mine.", revision=1))


def test_an_agents_edit_in_the_meantime_is_not_overwritten(
    browser: Client, agent: Agent, human: Block, serve_model: ServeModel
) -> None:
    opened = field(browser.get(url(agent, human)).content.decode(), "revision")
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    exchange(agent, "I am Ada.")
    markup = save(browser, agent, human, "Mine.", revision=opened)
    assert "Name: Ada." in plain(markup) and field(markup, "value") == "Mine."
    assert [editor for _, _, editor in history(human)] == [Editor.IMPORT, Editor.AGENT]


@pytest.mark.parametrize("revision", ["", "x", "-1", "1.0", "9" * 5000])
def test_a_form_without_a_true_revision_is_stale(browser: Client, agent: Agent, human: Block, revision: str) -> None:
    assert is_form(save(browser, agent, human, "Mine.", revision=revision))
    assert len(history(human)) == 1


def test_html_stays_text_in_card_and_form(browser: Client, agent: Agent, human: Block) -> None:
    attack = "</textarea><script>alert(1)</script>"
    assert "<script>" not in save(browser, agent, human, attack)
    markup = browser.get(url(agent, human)).content.decode()
    assert "<script>" not in markup and field(markup, "value") == attack


@pytest.mark.parametrize("text", ["\nAfter an empty line.", "  indented", "ends with a line end\n", ""])
def test_opening_and_saving_a_form_changes_nothing(browser: Client, agent: Agent, human: Block, text: str) -> None:
    save(browser, agent, human, text)
    markup = browser.get(url(agent, human)).content.decode()
    save(browser, agent, human, field(markup, "value"), revision=2)
    human.refresh_from_db()
    assert (human.value, human.revision) == (text, 2)


def test_nul_characters_are_dropped(browser: Client, agent: Agent, human: Block) -> None:
    save(browser, agent, human, "a\x00b")
    human.refresh_from_db()
    assert human.value == "ab"


def test_a_block_that_the_agent_may_not_change_can_be_changed_by_people(
    browser: Client, agent: Agent, human: Block
) -> None:
    Block.objects.filter(pk=human.pk).update(read_only=True)
    assert "human 🔒 locked 8 / 2,000" in plain(save(browser, agent, human, "By hand."))
    assert history(human)[-1][1] == "By hand."
