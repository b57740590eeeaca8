"""The last turn in the page: edited, deleted, tried again; and the question that is asked before memory is put back."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from agents import services
from agents.external_context import recall_storage
from agents.llm.scripted import call, say
from agents.models import Agent, Block, Message, Run
from tests.chat.conftest import field, plain, post, toast, told
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
REMEMBERS = [call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")]
DONE: dict[str, Any] = {}
ASKS = "Somebody edited this memory since"


@pytest.fixture
def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    """An agent that greeted, and then remembered a name."""
    serve_model([say("Hello."), *REMEMBERS, say("Again.")])
    exchange(agent, "Hi")
    exchange(agent, "I am Ada.")
    return agent


@pytest.fixture
def edited_since(talked: Agent, human: Block, alice: User) -> Agent:
    """The same, whose block a person edited after the agent had."""
    services.block_edit(block=human, value="Ada, says alice.", from_revision=2, editor=alice)
    return talked


def spoken(agent: Agent) -> list[str]:
    return [message.content for message in recall_storage.spoken(agent).order_by("seq")]


def waiting(agent: Agent) -> list[str]:
    return list(agent.messages.filter(seq=None).values_list("content", flat=True))


def text_of(block: Block) -> str:
    block.refresh_from_db()
    return block.value


def message(agent: Agent, text: str) -> int:
    return agent.messages.get(content=text, kind=Kind.USER_MESSAGE).pk


def form_in(answer: HttpResponse) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """The dialog that asks: where it posts to, what it sends in any case, and what there is to choose."""
    assert answer.status_code == 200
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#dialog-body", "innerHTML")
    markup = answer.content.decode()
    assert ASKS in plain(markup)
    action = re.search(r'<form[^>]*hx-post="([^"]*)"', markup)
    assert action
    hidden = {name: field(markup, name) for name in re.findall(r'<input type="hidden" name="([^"]*)"', markup)}
    choices: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="radio" name="([^"]*)" value="([^"]*)"', markup):
        choices.setdefault(name, []).append(value)
    return action[1], hidden, choices


# Edit


def test_the_last_message_opens_in_a_form_and_closes_as_it_was(browser: Client, talked: Agent) -> None:
    pk = message(talked, "I am Ada.")
    form = browser.get(reverse("message_edit", args=[pk])).content.decode()
    assert field(form, "text") == "I am Ada." and f'id="message-{pk}"' in form
    row = browser.get(reverse("message_row", args=[pk])).content.decode()
    assert f'<article class="row user" id="message-{pk}"' in row and "I am Ada." in row


def test_an_edited_message_is_answered_anew_and_the_old_answer_goes(
    browser: Client, talked: Agent, human: Block
) -> None:
    answer = post(browser, "message_edit", message(talked, "I am Ada."), text=" I am Bea. ")
    assert told(answer) == DONE
    assert spoken(talked) == ["Hi", "Hello."] and waiting(talked) == ["I am Bea."]
    assert text_of(human) == "We have just met."
    services.run_next(agent_id=talked.pk)
    assert spoken(talked) == ["Hi", "Hello.", "I am Bea.", "Again."]
    page = plain(browser.get(reverse("agent", args=[talked.pk])).content.decode())
    assert "I am Bea." in page and "I am Ada." not in page and "Noted." not in page


@pytest.mark.parametrize(
    ("text", "reason"), [("  ", "The message is empty."), ("x" * 100_001, "The message has 100,001 characters")]
)
def test_an_edit_that_cannot_be_taken_stays_in_the_form_and_loses_nothing(
    browser: Client, talked: Agent, human: Block, text: str, reason: str
) -> None:
    answer = post(browser, "message_edit", message(talked, "I am Ada."), text=text)
    markup = answer.content.decode()
    assert answer.status_code == 200 and reason in plain(markup) and field(markup, "text") == text
    assert spoken(talked) == ["Hi", "Hello.", "I am Ada.", "Noted."] and not waiting(talked)
    assert "Name: Ada." in text_of(human)


def test_only_the_last_turn_can_be_edited(browser: Client, talked: Agent) -> None:
    answer = post(browser, "message_edit", message(talked, "Hi"), text="Hey")
    assert "That is not the last turn any more." in plain(answer.content.decode())
    reply = talked.messages.get(content="Noted.").pk
    answer = post(browser, "message_edit", reply, text="Never said.")
    assert "That is not the last turn any more." in plain(answer.content.decode())
    assert spoken(talked) == ["Hi", "Hello.", "I am Ada.", "Noted."] and not waiting(talked)


def test_a_turn_that_the_agent_itself_began_has_no_message_to_edit(browser: Client, talked: Agent) -> None:
    services.heartbeat_send(agent=talked, reason="Wake up.")
    services.run_next(agent_id=talked.pk)
    heartbeat = talked.messages.get(kind=Kind.HEARTBEAT).pk
    answer = post(browser, "message_edit", heartbeat, text="Sleep.")
    assert "The last turn was not begun by a message of yours." in plain(answer.content.decode())


# Delete


def test_deleting_the_last_turn_takes_its_memory_along(browser: Client, talked: Agent, human: Block) -> None:
    answer = post(browser, "turn_delete", talked.pk)
    assert toast(answer) == "The turn is gone, with what it wrote to memory."
    assert spoken(talked) == ["Hi", "Hello."] and text_of(human) == "We have just met."
    post(browser, "turn_delete", talked.pk)
    assert spoken(talked) == []
    assert toast(post(browser, "turn_delete", talked.pk)) == "There is nothing to take back."


@pytest.mark.parametrize("name", ["turn_delete", "turn_retry"])
def test_nothing_is_taken_back_while_something_waits_or_runs(browser: Client, talked: Agent, name: str) -> None:
    run = services.message_send(agent=talked, text="Wait.")
    assert toast(post(browser, name, talked.pk)) == (
        "Messages are waiting. Withdraw them first, or let them be answered."
    )
    Run.objects.filter(pk=run.pk).update(status=Run.Status.RUNNING)
    assert toast(post(browser, name, talked.pk)) == "Sam is at work. Stop that first."
    assert spoken(talked) == ["Hi", "Hello.", "I am Ada.", "Noted."]
    assert talked.runs.count() == 3


# Retry


def test_retry_keeps_the_message_and_answers_it_anew(browser: Client, talked: Agent, human: Block) -> None:
    assert told(post(browser, "turn_retry", talked.pk)) == DONE
    assert spoken(talked) == ["Hi", "Hello.", "I am Ada."] and text_of(human) == "We have just met."
    services.run_next(agent_id=talked.pk)
    assert spoken(talked) == ["Hi", "Hello.", "I am Ada.", "Again."]


def test_retry_pressed_twice_makes_one_run(browser: Client, talked: Agent) -> None:
    post(browser, "turn_retry", talked.pk)
    answer = post(browser, "turn_retry", talked.pk)
    assert answer.status_code == 204
    assert talked.runs.filter(status=Run.Status.QUEUED).count() == 1


def test_with_nothing_said_there_is_nothing_to_retry(browser: Client, agent: Agent) -> None:
    assert toast(post(browser, "turn_retry", agent.pk)) == "There is nothing to take back."
    assert not agent.runs.exists()


# Withdraw


def test_a_waiting_message_is_withdrawn_and_its_text_comes_back(browser: Client, agent: Agent) -> None:
    services.message_send(agent=agent, text="Never mind “this”.")
    pk = message(agent, "Never mind “this”.")
    page = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    assert reverse("message_withdraw", args=[pk]) in page
    assert told(post(browser, "message_withdraw", pk)) == {"memweb:withdrawn": {"text": "Never mind “this”."}}
    assert not agent.runs.exists() and not agent.messages.filter(kind=Kind.USER_MESSAGE).exists()


def test_a_message_that_was_read_is_not_withdrawn(browser: Client, talked: Agent) -> None:
    answer = post(browser, "message_withdraw", message(talked, "I am Ada."))
    assert toast(answer) == "Sam has read that message already."
    assert "I am Ada." in spoken(talked)


# The question


def test_the_question_shows_both_texts_and_changes_nothing_by_itself(
    browser: Client, edited_since: Agent, human: Block
) -> None:
    answer = post(browser, "turn_delete", edited_since.pk)
    action, hidden, choices = form_in(answer)
    assert (action, hidden) == (reverse("turn_delete", args=[edited_since.pk]), {})
    assert choices == {f"block-{human.pk}": ["keep", "3"]}
    text = plain(answer.content.decode())
    assert "Keep what it says now Ada, says alice." in text
    assert "Put back what it said before We have just met." in text
    assert text_of(human) == "Ada, says alice." and spoken(edited_since)[-1] == "Noted."


def test_a_choice_for_another_block_is_not_asked_with_again(browser: Client, edited_since: Agent) -> None:
    answer = post(browser, "turn_delete", edited_since.pk, **{"block-0": "keep", "other": "x"})
    assert form_in(answer)[1] == {"other": "x"}


@pytest.mark.parametrize(("choice", "wanted"), [(0, "Ada, says alice."), (1, "We have just met.")])
def test_the_choice_is_what_the_block_says_then(
    browser: Client, edited_since: Agent, human: Block, choice: int, wanted: str
) -> None:
    action, hidden, choices = form_in(post(browser, "turn_delete", edited_since.pk))
    chosen = {name: values[choice] for name, values in choices.items()}
    answer: Any = browser.post(action, hidden | chosen)
    assert "The turn is gone" in toast(answer)
    assert text_of(human) == wanted and spoken(edited_since) == ["Hi", "Hello."]


def test_an_edit_keeps_its_words_through_the_question(browser: Client, edited_since: Agent, human: Block) -> None:
    pk = message(edited_since, "I am Ada.")
    action, hidden, choices = form_in(post(browser, "message_edit", pk, text="I am “Bea” <b>"))
    assert hidden == {"text": "I am “Bea” <b>"} and action == reverse("message_edit", args=[pk])
    answer: Any = browser.post(action, hidden | {name: values[0] for name, values in choices.items()})
    assert told(answer) == DONE
    assert waiting(edited_since) == ["I am “Bea” <b>"] and text_of(human) == "Ada, says alice."


@pytest.mark.parametrize("line", ["/retry", "/pop 4"])
def test_a_command_asks_the_same_and_is_then_carried_out(
    browser: Client, edited_since: Agent, human: Block, line: str
) -> None:
    answer = post(browser, "message_send", edited_since.pk, text=line, key="k1")
    action, hidden, choices = form_in(answer)
    assert hidden == {"text": line, "key": "k1"}
    answer = browser.post(action, hidden | {name: values[1] for name, values in choices.items()})  # type: ignore[assignment]
    assert "taken back" in toast(answer)
    assert text_of(human) == "We have just met." and "Noted." not in spoken(edited_since)


def test_retry_asks_too_and_makes_its_run_only_then(browser: Client, edited_since: Agent, human: Block) -> None:
    action, hidden, choices = form_in(post(browser, "turn_retry", edited_since.pk))
    assert not edited_since.runs.filter(status=Run.Status.QUEUED).exists()
    browser.post(action, hidden | {name: values[0] for name, values in choices.items()})
    assert edited_since.runs.filter(status=Run.Status.QUEUED).count() == 1
    assert text_of(human) == "Ada, says alice."


@pytest.mark.parametrize("way", ["turn_delete", "turn_retry", "message_edit", "/pop 4"])
def test_a_choice_made_before_yet_another_edit_overwrites_nothing_and_says_so(
    browser: Client, edited_since: Agent, human: Block, alice: User, way: str
) -> None:
    if way == "message_edit":
        answer = post(browser, way, message(edited_since, "I am Ada."), text="I am Bea.")
    elif way.startswith("/"):
        answer = post(browser, "message_send", edited_since.pk, text=way, key="k1")
    else:
        answer = post(browser, way, edited_since.pk)
    action, hidden, choices = form_in(answer)
    services.block_edit(block=human, value="Ada, says alice again.", from_revision=3, editor=alice)
    answer = browser.post(action, hidden | {name: values[1] for name, values in choices.items()})  # type: ignore[assignment]
    assert "was changed while you were editing" in toast(answer)
    assert text_of(human) == "Ada, says alice again." and spoken(edited_since)[-1] == "Noted."


@pytest.mark.parametrize("choice", ["9" * 30, "x", "", "-1"])
def test_a_choice_that_is_none_overwrites_nothing(
    browser: Client, edited_since: Agent, human: Block, choice: str
) -> None:
    post(browser, "turn_delete", edited_since.pk, **{f"block-{human.pk}": choice, "block-x": "1", "block-": "1"})
    assert text_of(human) == "Ada, says alice."
