"""Checkpoints in the dialog: kept, made an agent of, thrown away."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents import services
from agents.llm.scripted import say
from agents.models import Agent, Checkpoint
from tests.chat.conftest import plain, post, seqs
from tests.conftest import ServeModel, exchange


@pytest.fixture
def storm(agent: Agent, serve_model: ServeModel) -> Checkpoint:
    """Of an agent that was told one thing before and another since."""
    serve_model([say("Noted."), say("Noted, too.")])
    exchange(agent, "The lamp is lit.")
    checkpoint = services.checkpoint_create(agent=agent, name="before the storm")
    exchange(agent, "The lamp is out.")
    return checkpoint


def listed(answer: Any) -> str:
    assert answer.status_code == 200
    return plain(answer.content.decode())


def test_the_dialog_says_what_there_is(browser: Client, agent: Agent) -> None:
    url = reverse("checkpoints", args=[agent.pk])
    assert url in browser.get(reverse("agent", args=[agent.pk])).content.decode()
    text = listed(browser.get(url))
    assert text.startswith("Checkpoints of Sam") and "There are none yet." in text


def test_one_is_kept_under_its_name_or_the_time(browser: Client, agent: Agent) -> None:
    assert "before the storm" in listed(post(browser, "checkpoint_new", agent.pk, name=" before  the storm "))
    listed(post(browser, "checkpoint_new", agent.pk))
    newest, oldest = agent.checkpoints.all()
    assert oldest.name == "before the storm" and newest.name[:4] == str(newest.created_at.year)
    text = listed(browser.get(reverse("checkpoints", args=[agent.pk])))
    assert text.index(newest.name) < text.index(oldest.name) and "1 entry" in text and "There are none" not in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("before the storm", "There is a checkpoint called “before the storm” already."),
        ("x" * 81, "A name has at most 80 characters."),
    ],
)
def test_a_name_that_cannot_be_taken_says_why(
    browser: Client, agent: Agent, storm: Checkpoint, name: str, reason: str
) -> None:
    assert reason in listed(post(browser, "checkpoint_new", agent.pk, name=name))
    assert agent.checkpoints.get() == storm


def test_a_new_agent_goes_on_from_it_and_its_page_opens(
    browser: Client, alice: User, agent: Agent, storm: Checkpoint
) -> None:
    answer = post(browser, "checkpoint_restore", storm.pk, name="Sam II")
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk]) and made.owner == alice
    markup = browser.get(answer["HX-Redirect"]).content.decode()
    assert "The lamp is lit." in plain(markup) and "The lamp is out." not in plain(markup)
    assert seqs(markup) == [1, 2, 3]
    assert "The lamp is out." in plain(browser.get(reverse("agent", args=[agent.pk])).content.decode())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Give the agent a name."),
        ("Sam", "You already have an agent called “Sam”."),
        ("x" * 81, "A name has at most 80 characters."),
    ],
)
def test_no_agent_is_made_under_a_name_that_cannot_be_taken(
    browser: Client, storm: Checkpoint, name: str, reason: str
) -> None:
    answer = post(browser, "checkpoint_restore", storm.pk, name=name)
    assert reason in listed(answer) and "HX-Redirect" not in answer
    assert Agent.objects.count() == 1


def test_a_checkpoint_is_deleted_and_the_agent_made_of_it_stays(browser: Client, storm: Checkpoint) -> None:
    post(browser, "checkpoint_restore", storm.pk, name="Sam II")
    assert "There are none yet." in listed(post(browser, "checkpoint_delete", storm.pk))
    assert not Checkpoint.objects.exists() and Agent.objects.count() == 2


def test_a_name_is_only_a_name(browser: Client, agent: Agent) -> None:
    markup = post(browser, "checkpoint_new", agent.pk, name="<img src=x>").content.decode()
    assert "<img" not in markup and "&lt;img src=x&gt;" in markup
