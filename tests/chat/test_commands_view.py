"""Slash commands in the message box: a toast, a listing or a question, and never a message to the agent."""

import json
import re
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from agents import commands, services
from agents.external_context import recall_storage
from agents.llm.scripted import call, say
from agents.models import Agent, Block, Message, Run
from tests.chat.conftest import field, plain
from tests.conftest import ServeModel, exchange, make_agent

Kind = Message.Kind
REMEMBERS = [call("core_memory_append", label="human", content="Name: Ada.", thoughts="A name."), say("Noted.")]


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    serve_model([*REMEMBERS, say("Again.")])
    exchange(agent, "I am Ada.")
    return agent


def send(browser: Client, agent: Agent, text: str, **data: str) -> HttpResponse:
    return browser.post(reverse("message_send", args=[agent.pk]), {"text": text, **data})  # type: ignore[return-value]


def toast(answer: HttpResponse) -> str:
    """What it says; the box is emptied then, as after a message."""
    assert answer.status_code == 204 and not answer.content
    told: dict[str, Any] = json.loads(answer["HX-Trigger"])
    assert told["memweb:sent"] == {}
    return str(told["memweb:toast"]["text"])


def dialog(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#dialog-body", "innerHTML")
    assert answer["HX-Trigger"] == '{"memweb:sent": {}}'
    return answer.content.decode()


def error(answer: HttpResponse) -> str:
    """What stands at the composer; what was typed is kept there."""
    assert answer.status_code == 200 and "HX-Trigger" not in answer
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#composer-error", "innerHTML")
    return plain(answer.content.decode())


def spoken(agent: Agent) -> list[str]:
    return [message.content for message in recall_storage.spoken(agent).order_by("seq")]


def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def last(agent: Agent) -> Message:
    return agent.messages.filter(kind=Kind.ASSISTANT, retracted_at=None).latest("seq")


# What each of them answers


def test_dump_lists_the_last_messages_as_stored(browser: Client, talked: Agent) -> None:
    text = plain(dialog(send(browser, talked, "/dump 2")))
    assert text.startswith("The last messages 5 · assistant · ") and "send_message" in text and "Noted." in text
    assert "6 · function result · " in text and "4 · " not in text
    assert "1 · login · " in plain(dialog(send(browser, talked, "/dump")))


def test_memory_lists_the_blocks(browser: Client, talked: Agent) -> None:
    text = plain(dialog(send(browser, talked, "/memory")))
    assert text == ("Core memory persona · 15 / 2,000 My name is Sam. human · 28 / 2,000 We have just met. Name: Ada.")


def test_help_lists_every_command(browser: Client, agent: Agent) -> None:
    text = plain(dialog(send(browser, agent, "/help")))
    assert text.startswith("Commands /dump [n] show the last n messages as stored, 10 unless given")
    assert all(f"/{name} " in text for name in commands.COMMANDS)


def test_what_a_listing_shows_is_text(browser: Client, agent: Agent, alice: User) -> None:
    services.block_edit(block=human(agent), value="<b onclick=x>Ada</b>", from_revision=1, editor=alice)
    markup = dialog(send(browser, agent, "/memory"))
    assert "<b onclick" not in markup and "&lt;b onclick=x&gt;Ada&lt;/b&gt;" in markup


def test_pop_takes_the_last_messages_back(browser: Client, talked: Agent) -> None:
    assert toast(send(browser, talked, "/pop 1")) == (
        "2 messages were taken back, with what they wrote to memory."  # a call goes with its result
    )
    assert spoken(talked) == ["I am Ada."] and human(talked).value.endswith("Name: Ada.")
    toast(send(browser, talked, "/pop"))
    assert spoken(talked) == [] and human(talked).value == "We have just met."


def test_retry_has_the_last_turn_answered_anew(browser: Client, talked: Agent) -> None:
    assert toast(send(browser, talked, "/retry")) == "The last turn was taken back; Sam tries again."
    services.run_next(agent_id=talked.pk)
    assert spoken(talked) == ["I am Ada.", "Again."]


def test_rethink_and_rewrite_correct_what_was_thought_and_said_last(browser: Client, talked: Agent) -> None:
    assert toast(send(browser, talked, "/rethink They may be joking.")) == "The last thought reads so now."
    assert toast(send(browser, talked, "/rewrite Pleased to meet you.")) == "The last reply reads so now."
    assert (last(talked).inner_monologue, last(talked).content) == ("They may be joking.", "Pleased to meet you.")
    page = plain(browser.get(reverse("agent", args=[talked.pk])).content.decode())
    assert "Pleased to meet you." in page and "Noted." not in page and page.count("corrected by you") == 1


def test_heartbeat_and_memorywarning_wake_the_agent(browser: Client, agent: Agent) -> None:
    assert toast(send(browser, agent, "/heartbeat")) == "Sam was woken."
    assert toast(send(browser, agent, "/memorywarning")) == "Sam was warned of memory pressure."
    assert [run.trigger for run in agent.runs.order_by("id")] == [Run.Trigger.HEARTBEAT, Run.Trigger.SYSTEM_ALERT]


def test_summarize_evicts_the_oldest_messages(browser: Client, talked: Agent) -> None:
    exchange(talked, "And more.")
    before = talked.queue_start
    assert "The oldest messages left the window" in toast(send(browser, talked, "/summarize"))
    talked.refresh_from_db()
    assert talked.queue_start > before


def test_systemswap_asks_and_replaces_only_after_a_yes(browser: Client, agent: Agent) -> None:
    line = "/systemswap Be brief. Say “<b>”."
    markup = dialog(send(browser, agent, line, key="k1"))
    assert "Replace the system instructions of Sam?" in plain(markup) and "Say “<b>”." in plain_escaped(markup)
    action = re.search(r'hx-post="([^"]*)"', markup)
    assert action and action[1] == reverse("message_send", args=[agent.pk])
    form = {name: field(markup, name) for name in ("text", "confirmed")}
    assert form == {"text": line, "confirmed": "yes"}
    agent.refresh_from_db()
    assert agent.system_instructions != "Be brief. Say “<b>”."
    answer: Any = browser.post(action[1], form)
    assert toast(answer) == "The system instructions were replaced."
    agent.refresh_from_db()
    assert agent.system_instructions == "Be brief. Say “<b>”."


def plain_escaped(markup: str) -> str:
    """Its text, of a difference whose words stand in elements of their own."""
    return re.sub(r"</?(?:ins|del)>", "", markup).replace("&lt;", "<").replace("&gt;", ">")


def test_attach_lets_the_agent_search_an_archive(browser: Client, agent: Agent, alice: User) -> None:
    archive = services.archive_create(owner=alice, name="Ship logs")
    assert toast(send(browser, agent, "/attach ship LOGS")) == "Sam searches “Ship logs” from now on."
    assert list(agent.attached_archives.all()) == [archive]


def test_anothers_archive_is_not_there(browser: Client, agent: Agent, bob: User) -> None:
    make_agent(bob, "Bob's")
    assert error(send(browser, agent, "/attach Bob's")) == ("There is no archive called “Bob's”. There are: none yet.")
    assert not agent.attached_archives.exists()


def test_save_keeps_a_checkpoint(browser: Client, talked: Agent) -> None:
    assert toast(send(browser, talked, "/save before the  storm")) == "Saved as the checkpoint “before the storm”."
    assert talked.checkpoints.get().last_seq == 6


def test_exit_leads_to_all_agents(browser: Client, agent: Agent) -> None:
    answer = send(browser, agent, "/exit")
    assert answer["HX-Redirect"] == reverse("overview")
    text = plain(browser.get(answer["HX-Redirect"]).content.decode())
    assert "Sam" in text


def test_commands_are_offered_at_the_composer_and_in_the_palette(browser: Client, agent: Agent) -> None:
    page = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    palette = browser.get(reverse("palette", args=[agent.pk])).content.decode()
    for name in commands.COMMANDS:
        assert f"/{name}" in page and f'data-command="/{name}' in palette


# What cannot be done


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/memry", "There is no command /memry. Did you mean /memory? To send this as a message, write //memry."),
        ("/Helpp me", "There is no command /helpp. Did you mean /help?"),
        ("/pop three", "“three” is not a number from 1 to 500."),
        ("/rewrite", "/rewrite needs something after it: /rewrite <text>"),
        ("/exit now", "/exit takes nothing after it."),
        ("/rewrite Hello", "There is nothing to correct yet."),
        ("/retry", "There is nothing to take back."),
        ("/summarize", "The queue is too short to evict anything."),
        ("/attach nowhere", "There is no archive called “nowhere”. There are: none yet."),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why_at_the_composer(
    browser: Client, agent: Agent, line: str, reason: str
) -> None:
    answer = send(browser, agent, line)
    assert error(answer).startswith(reason) and "<script>" not in answer.content.decode()
    assert not agent.runs.exists() and not agent.messages.exclude(kind=Kind.LOGIN).exists()


def test_a_command_in_capitals_with_white_space_around_it_is_one(browser: Client, agent: Agent) -> None:
    assert "Core memory" in dialog(send(browser, agent, "/MEMORY \n"))


# Messages that look like one


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("//help", "/help"),
        ("//memry", "/memry"),
        ("///", "///"),
        (" /help", "/help"),
        ("See /help", "See /help"),
        ("/usr/bin/python3 fails", "/usr/bin/python3 fails"),
        ("/etc/hosts", "/etc/hosts"),
        ("/help/me", "/help/me"),
        ("/tmp", "/tmp"),
        ("/home is full", "/home is full"),
        ("//server/share", "//server/share"),
        ("/ 2 = 3", "/ 2 = 3"),
        ("/", "/"),
        ("/<script>", "/<script>"),
        ("/memory.txt", "/memory.txt"),
        ("/记忆", "/记忆"),
    ],
)
def test_what_is_no_command_is_sent(browser: Client, agent: Agent, text: str, sent: str) -> None:
    answer = send(browser, agent, text)
    assert answer["HX-Trigger"] == '{"memweb:sent": {}}'
    assert agent.messages.get(kind=Kind.USER_MESSAGE).content == sent
    assert agent.runs.count() == 1


# Sent twice


def test_a_command_sent_twice_with_one_key_is_carried_out_once(browser: Client, agent: Agent) -> None:
    toast(send(browser, agent, "/heartbeat", key="k1"))
    again = send(browser, agent, "/heartbeat", key="k1")
    assert again.status_code == 204 and again["HX-Trigger"] == '{"memweb:sent": {}}'
    assert agent.runs.count() == 1
    toast(send(browser, agent, "/heartbeat", key="k2"))
    toast(send(browser, agent, "/heartbeat"))
    toast(send(browser, agent, "/heartbeat"))
    assert agent.runs.count() == 4


def test_a_key_is_one_agents_alone(browser: Client, agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Ada")
    for one in (agent, other):
        toast(send(browser, one, "/heartbeat", key="k1"))
    assert agent.runs.count() == other.runs.count() == 1


def test_a_command_that_failed_can_be_sent_again_with_its_key(browser: Client, agent: Agent, alice: User) -> None:
    assert "no archive" in error(send(browser, agent, "/attach Ship logs", key="k1"))
    services.archive_create(owner=alice, name="Ship logs")
    assert "searches" in toast(send(browser, agent, "/attach Ship logs", key="k1"))


def test_a_command_at_which_memweb_itself_failed_can_be_sent_again_too(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken, pytest.raises(RuntimeError):
        broken.setattr(commands, "command_run", Mock(side_effect=RuntimeError))
        send(browser, agent, "/heartbeat", key="k1")
    assert toast(send(browser, agent, "/heartbeat", key="k1")) == "Sam was woken."
