"""Sending a message, reading back through the conversation, Stop, and Retry."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import queue_manager, services
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, Message, Run
from agents.services import LONGEST_MESSAGE
from tests.chat.conftest import plain, seqs
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
REFUSED = Answer(status=401, body='{"error": {"message": "Incorrect API key provided"}}')


def send(browser: Client, agent: Agent, text: str, key: str = "") -> HttpResponse:
    url = reverse("message_send", args=[agent.pk])
    return browser.post(url, {"text": text, "key": key}, headers={"HX-Request": "true"})  # type: ignore[return-value]


def shown(browser: Client, agent: Agent) -> str:
    return browser.get(reverse("agent", args=[agent.pk])).content.decode()


def talk(agent: Agent, count: int) -> None:
    """Fill the timeline with messages, without a model."""
    now = timezone.now()
    said = [Message(kind=Kind.USER_MESSAGE, content=f"Message {n}.", created_at=now) for n in range(count)]
    queue_manager.append(agent, *said)


# Sending


def test_a_message_waits_as_a_row_and_queues_one_run(browser: Client, agent: Agent) -> None:
    answer = send(browser, agent, "I moved to Lisbon.", key="k1")
    assert "I moved to Lisbon." in plain(answer.content.decode())
    assert answer["HX-Trigger"] == '{"memweb:sent": {}}'
    message = agent.messages.get(kind=Kind.USER_MESSAGE)
    run = agent.runs.get()
    assert (message.seq, message.content) == (None, "I moved to Lisbon.")
    assert (run.event, run.status, run.idempotency_key) == (message, Run.Status.QUEUED, "k1")
    assert "waiting its turn" in shown(browser, agent)


def test_the_same_message_sent_twice_is_one_run(browser: Client, agent: Agent) -> None:
    first, second = send(browser, agent, "Once.", key="k1"), send(browser, agent, "Once.", key="k1")
    assert agent.runs.count() == agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 1
    assert plain(second.content.decode()) == plain(first.content.decode())


def test_the_same_key_after_the_reply_is_still_one_run(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Hello.")])
    send(browser, agent, "Once.", key="k1")
    services.run_next(agent_id=agent.pk)
    assert send(browser, agent, "Once.", key="k1").status_code == 200
    assert agent.runs.count() == 1


def test_the_same_words_with_another_key_are_another_message(browser: Client, agent: Agent) -> None:
    send(browser, agent, "Yes.", key="k1")
    send(browser, agent, "Yes.", key="k2")
    assert agent.runs.count() == 2


def test_messages_of_a_page_without_keys_are_all_taken(browser: Client, agent: Agent) -> None:
    send(browser, agent, "Yes.")
    send(browser, agent, "Yes.")
    assert agent.runs.count() == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The message is empty."),
        (" \r\n\t ", "The message is empty."),
        ("\x00", "The message is empty."),
        ("x" * (LONGEST_MESSAGE + 1), "The message has 100,001 characters; at most 100,000"),
        ("lighthouse " * 6000, "tokens; with this context window at most"),
    ],
    ids=["empty", "white", "nul", "characters", "tokens"],
)
def test_a_message_that_cannot_be_taken_says_why_at_the_composer(
    browser: Client, agent: Agent, text: str, reason: str
) -> None:
    answer = send(browser, agent, text)
    assert reason in plain(answer.content.decode())
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#composer-error", "innerHTML")
    assert "HX-Trigger" not in answer  # at which the page would empty the box
    assert not agent.runs.exists() and not agent.messages.filter(kind=Kind.USER_MESSAGE).exists()


def test_a_message_that_is_taken_clears_the_reason(browser: Client, agent: Agent) -> None:
    assert re.search(r'<div id="composer-error"[^>]*></div>', send(browser, agent, "Hello").content.decode())


def test_html_in_a_message_is_shown_as_text(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Seen.")])
    attack = "<img src=x onerror=alert(1)>"
    assert attack not in send(browser, agent, attack).content.decode()
    services.run_next(agent_id=agent.pk)
    text = shown(browser, agent)
    assert attack not in text and "&lt;img src=x" in text


# Reading


def test_older_rows_come_a_page_at_a_time_until_the_first(browser: Client, agent: Agent) -> None:
    talk(agent, 140)
    markup = shown(browser, agent)
    pages = [seqs(markup)]
    while button := re.search(r'hx-get="([^"]*/timeline/\?before=\d+)"', markup):
        markup = browser.get(button[1]).content.decode()
        pages.append(seqs(markup))
    assert len(pages) == 3
    assert [seq for rows in reversed(pages) for seq in rows] == list(range(1, 142))


@pytest.mark.parametrize("before", ["", "x", "-3", "1.5", "9" * 30, "9" * 5000])
def test_a_place_that_is_none_gives_the_newest_rows(browser: Client, agent: Agent, before: str) -> None:
    talk(agent, 3)
    answer = browser.get(reverse("timeline_older", args=[agent.pk]), {"before": before})
    assert seqs(answer.content.decode()) == [1, 2, 3, 4]


def test_before_the_first_row_there_is_nothing(browser: Client, agent: Agent) -> None:
    answer = browser.get(reverse("timeline_older", args=[agent.pk]), {"before": "1"})
    assert plain(answer.content.decode()) == ""


def test_a_reply_is_shown_with_its_thoughts_calls_and_memory_edits(
    browser: Client, agent: Agent, serve_model: ServeModel
) -> None:
    remember = call("core_memory_append", thoughts="A name.", label="human", content="Name: Ada.")
    serve_model([remember, call("fly_away"), say("Hello **Ada**.", thoughts="I greet her.")])
    exchange(agent, "I am Ada.")
    markup = shown(browser, agent)
    assert "<strong>Ada</strong>" in markup
    assert "<ins>\nName: Ada.</ins>" in markup
    text = plain(markup)
    for part in ("A name.", "I greet her.", "core_memory_append human ok", "fly_away failed", "Memory updated: human"):
        assert part in text
    assert "send_message" not in text.split("I greet her.")[1]
    assert "inner_thoughts" not in text


# Stop


def test_stop_asks_the_running_run_and_no_other(browser: Client, agent: Agent) -> None:
    runs = [services.message_send(agent=agent, text=text) for text in ("one", "two")]
    Run.objects.filter(pk=runs[0].pk).update(status=Run.Status.RUNNING)
    assert browser.post(reverse("run_stop", args=[agent.pk])).status_code == 204
    assert [run.cancel_requested_at is not None for run in agent.runs.order_by("id")] == [True, False]


def test_stop_when_nothing_runs_does_nothing(browser: Client, agent: Agent) -> None:
    services.message_send(agent=agent, text="one")
    assert browser.post(reverse("run_stop", args=[agent.pk])).status_code == 204
    assert agent.runs.get().cancel_requested_at is None


def test_a_stopped_reply_says_so_and_can_be_tried_again(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Whole.")])
    stopped = services.message_send(agent=agent, text="Tell me.")
    Run.objects.filter(pk=stopped.pk).update(cancel_requested_at=timezone.now())
    services.run_next(agent_id=agent.pk)
    markup = shown(browser, agent)
    assert "Stopped here by you." in plain(markup)
    assert retry_of(markup) == [stopped.pk]
    browser.post(reverse("run_retry", args=[stopped.pk]))
    services.run_next(agent_id=agent.pk)
    assert "Whole." in plain(shown(browser, agent))
    assert agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 1


# Retry


def retry_of(markup: str) -> list[int]:
    """The runs that a Retry button stands for."""
    return [int(pk) for pk in re.findall(r'hx-post="/runs/(\d+)/retry/"', markup)]


def test_a_failed_run_says_why_keeps_the_message_and_offers_retry(
    browser: Client, agent: Agent, serve_model: ServeModel
) -> None:
    serve_model([REFUSED])
    run = exchange(agent, "Are you there?")
    assert run.status == Run.Status.FAILED
    markup = shown(browser, agent)
    assert "Are you there?" in plain(markup)
    assert f"No answer. {run.error}" in plain(markup) and "key" in run.error
    assert retry_of(markup) == [run.pk]


def test_retry_makes_one_run_however_often_it_is_pressed(
    browser: Client, agent: Agent, serve_model: ServeModel
) -> None:
    serve_model([REFUSED, say("Now I am.")])
    run = exchange(agent, "Are you there?")
    url = reverse("run_retry", args=[run.pk])
    assert [browser.post(url).status_code for _ in range(3)] == [204, 204, 204]
    assert agent.runs.count() == 2
    services.run_next(agent_id=agent.pk)
    browser.post(url)
    assert agent.runs.count() == 2
    assert agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 1
    assert "Now I am." in plain(shown(browser, agent))


def test_a_retry_that_fails_too_has_a_retry_of_its_own(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([REFUSED])
    first = exchange(agent, "Are you there?")
    browser.post(reverse("run_retry", args=[first.pk]))
    services.run_next(agent_id=agent.pk)
    second = agent.runs.exclude(pk=first.pk).get()
    assert retry_of(shown(browser, agent)) == [second.pk]
    assert plain(shown(browser, agent)).count("No answer.") == 1
    browser.post(reverse("run_retry", args=[second.pk]))
    assert agent.runs.count() == 3


def test_a_run_that_is_done_is_not_tried_again(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Done.")])
    run = exchange(agent, "Hi")
    answer = browser.post(reverse("run_retry", args=[run.pk]))
    assert "Only a run that failed or was stopped can be tried again." in answer["HX-Trigger"]
    assert agent.runs.count() == 1
