"""Core memory blocks in the page: made, described, ordered, shared, put away, and their history gone back to."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents import services
from agents.llm.scripted import call, say
from agents.models import Agent, Block, BlockRevision
from agents.selectors.blocks import REVISIONS
from tests.chat.conftest import field, plain, post, toast, told
from tests.conftest import ServeModel, exchange, make_agent

Editor = BlockRevision.Editor
DONE: dict[str, Any] = {}
NEW = {"label": "project", "description": "What we build.", "limit": "500", "value": "A lighthouse."}


@pytest.fixture
def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


@pytest.fixture
def other(alice: User) -> Agent:
    return make_agent(alice, "Ada")


def write(block: Block, *texts: str, by: User) -> None:
    for text in texts:
        block.refresh_from_db()
        services.block_edit(block=block, value=text, from_revision=block.revision, editor=by)
    block.refresh_from_db()


def order(agent: Agent) -> list[str]:
    return list(agent.blocks.order_by("agentblock__position").values_list("label", flat=True))


def memory(browser: Client, agent: Agent) -> str:
    return browser.get(reverse("tab", args=[agent.pk, "memory"])).content.decode()


def history(browser: Client, agent: Agent, block: Block, **query: Any) -> str:
    return browser.get(reverse("block_history", args=[agent.pk, block.pk]), query).content.decode()


# Made


def test_a_new_block_is_the_last_in_view_and_begins_its_history(browser: Client, alice: User, agent: Agent) -> None:
    form = browser.get(reverse("block_new", args=[agent.pk])).content.decode()
    assert f'hx-post="{reverse("block_new", args=[agent.pk])}"' in form and 'value="2000"' in form
    assert told(post(browser, "block_new", agent.pk, **NEW, read_only="on")) == DONE
    block = agent.blocks.get(label="project")
    assert (block.value, block.description, block.limit, block.read_only, block.owner) == (
        *("A lighthouse.", "What we build.", 500, True, alice),
    )
    assert order(agent) == ["persona", "human", "project"]
    assert [(r.number, r.value, r.user) for r in block.revisions.all()] == [(1, "A lighthouse.", alice)]
    assert "project 🔒 locked 13 / 500" in plain(memory(browser, agent))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": " "}, "This field is required."),
        ({"label": "human"}, "Sam already has a block “human”."),
        ({"label": "x" * 41}, "at most 40 characters"),
        ({"description": "x" * 301}, "at most 300 characters"),
        ({"limit": "0"}, "greater than or equal to 1"),
        ({"limit": "100001"}, "The limit must be from 1 to 100,000 characters."),
        ({"limit": "some"}, "Enter a whole number."),
        ({"limit": "5"}, "“project” holds at most 5 characters; this text has 13."),
        ({"limit": "1"}, "“project” holds at most 1 character; this text has 13."),
    ],
)
def test_what_is_wrong_with_a_new_block_is_said_and_what_was_typed_is_kept(
    browser: Client, agent: Agent, change: dict[str, str], reason: str
) -> None:
    answer = post(browser, "block_new", agent.pk, **{**NEW, **change})
    assert answer.status_code == 200 and reason in plain(answer.content.decode())
    assert field(answer.content.decode(), "value") == "A lighthouse."
    assert order(agent) == ["persona", "human"] and Block.objects.count() == 2


def test_line_ends_count_as_the_block_counts_them(browser: Client, agent: Agent) -> None:
    assert told(post(browser, "block_new", agent.pk, **{**NEW, "limit": "5", "value": "a\r\nb\r\nc"})) == DONE
    assert agent.blocks.get(label="project").value == "a\nb\nc"


# Described


def settings_of(block: Block, **change: str) -> dict[str, str]:
    return {"label": block.label, "description": block.description, "limit": str(block.limit), **change}


def test_label_description_limit_and_lock_are_changed_and_the_text_is_not(
    browser: Client, agent: Agent, human: Block
) -> None:
    form = browser.get(reverse("block_settings", args=[agent.pk, human.pk])).content.decode()
    assert 'value="human"' in form and 'name="value"' not in form
    changed = settings_of(human, label="the person", description=" Who  asks. ", limit="17", read_only="on")
    assert told(post(browser, "block_settings", agent.pk, human.pk, **changed)) == DONE
    human.refresh_from_db()
    assert (human.label, human.description, human.limit, human.read_only) == ("the_person", "Who asks.", 17, True)
    assert (human.value, human.revision) == ("We have just met.", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limit": "16"}, "The block has 17 characters now; a limit of 16 would cut it. Shorten it first."),
        ({"limit": "200000"}, "The limit must be from 1 to 100,000 characters."),
        ({"label": "persona"}, "Sam already has a block “persona”."),
    ],
)
def test_settings_that_cannot_be_taken_say_why(
    browser: Client, agent: Agent, human: Block, change: dict[str, str], reason: str
) -> None:
    answer = post(browser, "block_settings", agent.pk, human.pk, **settings_of(human, **change))
    assert answer.status_code == 200 and reason in plain(answer.content.decode())
    human.refresh_from_db()
    assert (human.label, human.limit) == ("human", 2000)


def test_a_locked_block_is_refused_to_the_agent_and_unlocked_again(
    browser: Client, agent: Agent, human: Block, serve_model: ServeModel
) -> None:
    note = call("core_memory_append", label="human", content="Name: Ada.")
    serve_model([note, say("I may not."), note, say("Now.")])
    post(browser, "block_settings", agent.pk, human.pk, **settings_of(human, read_only="on"))
    exchange(agent, "I am Ada.")
    human.refresh_from_db()
    assert human.value == "We have just met." and "🔒 locked" in memory(browser, agent)
    post(browser, "block_settings", agent.pk, human.pk, **settings_of(human))
    exchange(agent, "I am Ada.")
    human.refresh_from_db()
    assert human.value.endswith("Name: Ada.") and "🔒 locked" not in memory(browser, agent)


# Ordered


@pytest.mark.parametrize(
    ("label", "to", "wanted"),
    [
        ("project", "up", ["persona", "project", "human"]),
        ("persona", "down", ["human", "persona", "project"]),
        ("persona", "up", ["persona", "human", "project"]),
        ("project", "down", ["persona", "human", "project"]),
    ],
)
def test_a_block_moves_one_place_and_not_beyond_the_ends(
    browser: Client, agent: Agent, label: str, to: str, wanted: list[str]
) -> None:
    post(browser, "block_new", agent.pk, **NEW)
    assert post(browser, "block_move", agent.pk, agent.blocks.get(label=label).pk, to=to).status_code == 204
    assert order(agent) == wanted


# Shared, detached, deleted


def test_a_shared_block_is_one_text_for_both(browser: Client, alice: User, agent: Agent, other: Agent) -> None:
    post(browser, "block_new", agent.pk, **NEW)
    block = agent.blocks.get(label="project")
    dialog = browser.get(reverse("block_settings", args=[agent.pk, block.pk])).content.decode()
    assert "In view of: Sam" in plain(dialog) and "<option>Ada</option>" in dialog
    answer = post(browser, "block_share", agent.pk, block.pk, **{"with": "Ada"})
    assert toast(answer) == "Ada has “project” in view now."
    assert other.blocks.get(label="project") == block
    assert "Shared with Ada" in plain(memory(browser, agent)) and "Shared with Sam" in plain(memory(browser, other))
    write(block, "A harbour.", by=alice)
    assert "A harbour." in plain(memory(browser, other))
    dialog = browser.get(reverse("block_settings", args=[agent.pk, block.pk])).content.decode()
    assert "<option>Ada</option>" not in dialog


def test_a_block_is_not_shared_over_one_of_the_same_label(
    browser: Client, agent: Agent, human: Block, other: Agent
) -> None:
    assert toast(post(browser, "block_share", agent.pk, human.pk, **{"with": "Ada"})) == (
        "Ada already has a block “human”."
    )
    assert toast(post(browser, "block_share", agent.pk, human.pk)) == "Choose an agent first."
    assert human not in other.blocks.all()


def test_a_shared_block_is_not_renamed_to_a_label_that_one_of_its_agents_has(
    browser: Client, agent: Agent, other: Agent
) -> None:
    post(browser, "block_new", agent.pk, **NEW)
    post(browser, "block_new", other.pk, **{**NEW, "label": "plan"})
    block = agent.blocks.get(label="project")
    services.block_share(block=block, agent=other)
    answer = post(browser, "block_settings", agent.pk, block.pk, **settings_of(block, label="plan"))
    assert "Ada already has a block “plan”." in plain(answer.content.decode())


def test_a_detached_block_is_kept_and_the_undo_brings_it_back(browser: Client, agent: Agent, human: Block) -> None:
    answer = post(browser, "block_detach", agent.pk, human.pk)
    assert toast(answer) == "Sam sees “human” no more. The block is kept."
    assert order(agent) == ["persona"] and Block.objects.filter(pk=human.pk).exists()
    assert f'<option value="{human.pk}">human (detached)</option>' in memory(browser, agent)
    undo = told(answer)["memweb:toast"]["undo"]
    assert toast(browser.post(undo)) == "Sam has “human” in view now."  # type: ignore[arg-type]
    assert order(agent) == ["persona", "human"] and human.revisions.count() == 1


def test_a_detached_block_can_be_attached_from_the_memory_tab(
    browser: Client, agent: Agent, human: Block, other: Agent
) -> None:
    post(browser, "block_detach", agent.pk, human.pk)
    assert "human (detached)" not in memory(browser, other)  # Ada has a block of that label
    assert toast(post(browser, "block_attach", agent.pk)) == "Choose a block first."
    assert toast(post(browser, "block_attach", agent.pk, block=human.pk)) == "Sam has “human” in view now."
    assert toast(post(browser, "block_attach", agent.pk, block=human.pk)) == "Sam already has a block “human”."
    assert order(agent) == ["persona", "human"]


def test_a_deleted_block_goes_for_every_agent_with_its_history(browser: Client, agent: Agent, other: Agent) -> None:
    post(browser, "block_new", agent.pk, **NEW)
    block = agent.blocks.get(label="project")
    services.block_share(block=block, agent=other)
    assert told(post(browser, "block_delete", agent.pk, block.pk)) == DONE
    assert not Block.objects.filter(label="project").exists()
    assert not BlockRevision.objects.filter(value="A lighthouse.").exists()
    assert "project" not in memory(browser, agent) and "project" not in memory(browser, other)


def test_a_block_that_another_agent_has_is_not_reached_through_this_one(
    browser: Client, agent: Agent, human: Block, other: Agent
) -> None:
    for name in ("block_detach", "block_delete", "block_move"):
        assert post(browser, name, other.pk, human.pk).status_code == 404
    assert order(agent) == ["persona", "human"]


# History


def test_the_history_has_every_revision_with_its_difference(
    browser: Client, alice: User, agent: Agent, human: Block, serve_model: ServeModel
) -> None:
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    exchange(agent, "I am Ada.")
    write(human, "We have never met.", by=alice)
    markup = history(browser, agent, human)
    text = plain(markup)
    assert text.index("#3 alice") < text.index("#2 Sam") < text.index("#1 import")
    assert "<ins>\nName: Ada.</ins>" in markup and "<del>just</del><ins>never</ins>" in markup
    step = human.revisions.get(number=2).step
    assert step and f"?step={step.pk}" in markup
    restorable = [f"/revisions/{r.pk}/restore/" in markup for r in human.revisions.order_by("number")]
    assert restorable == [True, True, False]  # the last is what it says


def test_any_two_revisions_are_compared(browser: Client, alice: User, agent: Agent, human: Block) -> None:
    write(human, "One lamp.", "Two lamps.", "Two old lamps.", by=alice)
    markup = history(browser, agent, human, old=2, new=4)
    assert "From #2 to #4" in plain(markup)
    compared = markup.split("From #2 to #4")[1].split("</p>")[1]
    assert "<del>One</del>" in compared and "old" in compared
    assert "From #" not in history(browser, agent, human, old=2) + history(browser, agent, human, old="x", new=99)


def test_a_long_history_comes_in_pages_none_without_its_difference(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    write(human, *(f"Edit {number}." for number in range(2, REVISIONS + 3)), by=alice)
    first, second = history(browser, agent, human), history(browser, agent, human, page=2)
    assert first.count("<b>#") == REVISIONS and second.count("<b>#") == 2
    assert "<del>2</del><ins>3</ins>" in first  # against the newest of the other page
    assert "Older" in plain(first) and "Newer" not in plain(first) and "Newer" in plain(second)


def test_an_old_text_is_restored_as_a_new_revision(browser: Client, alice: User, agent: Agent, human: Block) -> None:
    write(human, "Second.", "Third.", by=alice)
    answer = post(browser, "revision_restore", agent.pk, human.revisions.get(number=1).pk, **{"from": 3})
    assert toast(answer) == "“human” says again what #1 said."
    newest = human.revisions.latest("number")
    assert (newest.number, newest.value, newest.restores, newest.user) == (4, "We have just met.", 1, alice)
    assert "back to #1" in plain(history(browser, agent, human))


def test_a_restore_over_a_newer_edit_shows_both_texts_and_overwrites_nothing(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    write(human, "Second.", "Third.", by=alice)
    answer = post(browser, "revision_restore", agent.pk, human.revisions.get(number=1).pk, **{"from": 2})
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#dialog-body", "innerHTML")
    markup = answer.content.decode()
    assert "It now says: Third." in plain(markup) and field(markup, "value") == "We have just met."
    human.refresh_from_db()
    assert human.value == "Third."
    form = {name: field(markup, name) for name in ("value", "revision", "in")}
    assert post(browser, "block_edit", agent.pk, human.pk, **form).status_code == 204
    human.refresh_from_db()
    assert (human.value, human.revision) == ("We have just met.", 4)


def test_a_revision_too_long_for_the_limit_of_today_is_not_restored(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    write(human, "Short.", by=alice)
    post(browser, "block_settings", agent.pk, human.pk, **settings_of(human, limit="6"))
    answer = post(browser, "revision_restore", agent.pk, human.revisions.get(number=1).pk, **{"from": 2})
    assert toast(answer) == "The block “human” holds at most 6 characters; this text has 17."


@pytest.mark.parametrize("name", ["revision_restore", "revision_undo"])
def test_a_revision_of_a_deleted_block_says_so(browser: Client, agent: Agent, human: Block, name: str) -> None:
    revision = human.revisions.get().pk
    post(browser, "block_delete", agent.pk, human.pk)
    answer = post(browser, name, agent.pk, revision, **{"from": 1})
    assert toast(answer) == "That block was deleted, and its history with it."


# Undo


def test_an_undo_takes_back_one_edit_and_keeps_what_was_written_since(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    write(human, "The keeper is called Ada.\nThe lamp burns oil.\nThe fog horn is loud.", by=alice)
    write(human, "The keeper is called Bea.\nThe lamp burns oil.\nThe fog horn is loud.", by=alice)
    write(human, "The keeper is called Bea.\nThe lamp burns oil.\nThe fog horn is silent.", by=alice)
    answer = post(browser, "revision_undo", agent.pk, human.revisions.get(number=3).pk)
    assert toast(answer) == "That edit of “human” was undone."
    human.refresh_from_db()
    assert human.value == "The keeper is called Ada.\nThe lamp burns oil.\nThe fog horn is silent."
    assert human.revision == 5


def test_the_undo_of_the_agents_last_edit_stands_by_its_chip(
    browser: Client, agent: Agent, human: Block, serve_model: ServeModel
) -> None:
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    exchange(agent, "I am Ada.")
    url = reverse("revision_undo", args=[agent.pk, human.revisions.get(number=2).pk])
    assert url in browser.get(reverse("agent", args=[agent.pk])).content.decode()
    assert url in memory(browser, agent)
    browser.post(url)
    human.refresh_from_db()
    assert human.value == "We have just met."
    assert human.revisions.latest("number").restores == 1


def test_an_undo_that_would_touch_later_edits_shows_both_texts(
    browser: Client, alice: User, agent: Agent, human: Block
) -> None:
    write(human, "We have never met.", "Something else altogether, of which nothing is left.", by=alice)
    answer = post(browser, "revision_undo", agent.pk, human.revisions.get(number=2).pk)
    assert answer.status_code == 200 and answer["HX-Retarget"] == "#dialog-body"
    markup = answer.content.decode()
    assert "“human” was changed again after that edit. Nothing was overwritten" in plain(markup)
    assert "It now says: Something else altogether, of which nothing is left." in plain(markup)
    assert field(markup, "value") == "We have just met." and field(markup, "revision") == "3"
    human.refresh_from_db()
    assert human.value.startswith("Something else") and human.revision == 3


def test_a_block_in_the_dialog_stays_there_while_it_cannot_be_saved(
    browser: Client, agent: Agent, human: Block
) -> None:
    form = {"in": "dialog", "value": "x" * 2001, "revision": "1"}
    answer = post(browser, "block_edit", agent.pk, human.pk, **form)
    assert 'id="block-in-dialog"' in answer.content.decode() and field(answer.content.decode(), "in") == "dialog"
    assert "holds at most 2,000 characters" in plain(answer.content.decode())


def test_how_a_block_began_is_not_undone(browser: Client, agent: Agent, human: Block) -> None:
    answer = post(browser, "revision_undo", agent.pk, human.revisions.get().pk)
    assert toast(answer) == "This is how the block began: there is nothing before it."


# An open form


def test_an_open_form_hears_of_another_edit_and_can_then_be_saved(
    browser: Client, agent: Agent, human: Block, serve_model: ServeModel
) -> None:
    url = reverse("block_now", args=[agent.pk, human.pk])
    assert browser.get(url, {"since": "1"}).status_code == 204
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    exchange(agent, "I am Ada.")
    markup = browser.get(url, {"since": "1"}).content.decode()
    assert "Sam changed this block while you were editing. Your draft is kept." in plain(markup)
    assert "<ins>\nName: Ada.</ins>" in markup and "<textarea" not in markup
    assert field(markup, "revision") == "2"
    post(browser, "block_edit", agent.pk, human.pk, value="Mine.", revision=field(markup, "revision"))
    human.refresh_from_db()
    assert (human.value, human.revision) == ("Mine.", 3)


@pytest.mark.parametrize("since", ["", "x", "0", "99"])
def test_a_form_without_a_true_revision_is_shown_the_whole_text(
    browser: Client, agent: Agent, human: Block, since: str
) -> None:
    markup = browser.get(reverse("block_now", args=[agent.pk, human.pk]), {"since": since}).content.decode()
    assert "<ins>We have just met.</ins>" in markup and field(markup, "revision") == "1"
