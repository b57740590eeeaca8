"""Making an agent: what was typed is taken whole, or kept with what is wrong with it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents import services
from agents.models import Agent, Persona
from tests.chat.conftest import plain


def test_a_new_agent_starts_from_what_was_typed(browser: Client, alice: User) -> None:
    form = {"name": "  Sam  ", "persona": "I am Sam.", "human": "", "model": "", "context_window": "4096"}
    answer = browser.post(reverse("agent_new"), form)
    agent = Agent.objects.get(owner=alice)
    assert answer["HX-Redirect"] == reverse("agent", args=[agent.pk])
    assert (agent.name, agent.context_window) == ("Sam", 4096)
    assert agent.blocks.get(label="persona").value == "I am Sam."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": " "}, "This field is required."),
        ({"name": "Sam"}, "You already have an agent called “Sam”. Choose another name."),
        ({"name": "x" * 81}, "at most 80 characters"),
        ({"human": "x" * 2001}, "at most 2000 characters"),
        ({"context_window": "100"}, "greater than or equal to 4096"),
        ({"context_window": "many"}, "Enter a whole number."),
    ],
)
def test_what_is_wrong_with_a_new_agent_is_said_and_what_was_typed_is_kept(
    browser: Client, agent: Agent, change: dict[str, str], reason: str
) -> None:
    answer = browser.post(reverse("agent_new"), {"name": "Otto", "persona": "I sort things.", "human": "", **change})
    text = answer.content.decode()
    assert reason in plain(text) and "I sort things." in text
    assert Agent.objects.get() == agent


def test_line_ends_count_as_the_block_counts_them(browser: Client, alice: User) -> None:
    text = "a" + "\n" * 1998 + "b"
    browser.post(reverse("agent_new"), {"name": "Sam", "persona": text.replace("\n", "\r\n"), "human": ""})
    assert Agent.objects.get().blocks.get(label="persona").value == text


def test_a_preset_takes_the_agents_name(alice: User) -> None:
    text = Persona.objects.get(name__startswith="Sam").text
    agent = services.agent_create(owner=alice, draft=services.AgentDraft(name="Ada", persona=text, human=""))
    persona = agent.blocks.get(label="persona").value
    assert persona.startswith("My name is Ada. I am a steady")
    assert persona.removeprefix("My name is Ada.") == text.strip().removeprefix("My name is Sam.")


def test_a_persona_of_ones_own_keeps_its_name(alice: User) -> None:
    draft = services.AgentDraft(name="Ada", persona="My name is Zoe. I sing.", human="")
    agent = services.agent_create(owner=alice, draft=draft)
    assert agent.blocks.get(label="persona").value == "My name is Zoe. I sing."
