"""An export of ChatGPT or Claude becomes an agent whose recall storage is what was said there."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from agents import services
from agents.exceptions import InvalidInput
from agents.llm.scripted import call, say
from agents.models import Agent, Message
from agents.services import Bringing, history_imports
from tests.agents.exports import START, chatgpt_talk, claude, many, packed, written
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
LATE = chatgpt_talk(
    "Boats", ("user", "My boat is called Halcyon."), ("assistant", "Noted."), at=START + timedelta(days=9)
)
EARLY = chatgpt_talk("Birds", ("user", "I saw a heron."), ("assistant", "Where?"))


def bring(owner: User, raw: bytes, name: str = "") -> Agent:
    (made,) = services.agents_import(owner=owner, file=SimpleUploadedFile("export", raw), how=Bringing(name=name))
    return made.agent


@pytest.mark.parametrize("raw", [written(LATE, EARLY), packed(LATE, EARLY)], ids=["json", "zip"])
def test_what_was_said_is_in_recall_storage_in_its_order(alice: User, raw: bytes) -> None:
    agent = bring(alice, raw)
    rows = agent.messages.order_by("seq")
    assert [(row.kind, row.content) for row in rows] == [
        (Kind.NOTICE, "ChatGPT: Birds"),
        (Kind.USER_MESSAGE, "I saw a heron."),
        (Kind.ASSISTANT, "Where?"),
        (Kind.NOTICE, "ChatGPT: Boats"),
        (Kind.USER_MESSAGE, "My boat is called Halcyon."),
        (Kind.ASSISTANT, "Noted."),
    ]
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6] and (agent.next_seq, agent.queue_start) == (7, 7)
    times = [row.created_at for row in rows]
    assert times == sorted(times) and times[1].date() == START.date() and times[4] - times[1] == timedelta(days=9)
    assert agent.name == "ChatGPT" and {block.label for block in agent.blocks.all()} == {"persona", "human"}


def test_the_agent_knows_that_it_is_there_and_finds_a_fact(alice: User, serve_model: ServeModel) -> None:
    talks = [
        *many(40, 50, of="claude"),
        claude("Boats", ("human", "My boat is called Halcyon."), ("assistant", "Noted.")),
    ]
    agent = bring(alice, written(*talks), name="Sam")
    assert agent.messages.exclude(kind=Kind.NOTICE).count() == 40 * 50 + 2
    model = serve_model([call("conversation_search", query="the name of my boat Halcyon"), say("Halcyon.")])
    exchange(agent, "What is my boat called?")
    asked = json.dumps(model.requests[0]["messages"])
    assert "41 conversations with Claude from 2023-05-04 to" in asked and "Halcyon" not in asked
    result = agent.messages.filter(kind=Kind.FUNCTION_RESULT).first()
    assert result and "My boat is called Halcyon." in result.content and "2023-05-04" in result.content


def test_it_goes_out_and_comes_in_as_any_other_agent(alice: User) -> None:
    agent = bring(alice, written(EARLY, LATE))
    file = services.agent_write(agent=agent)
    again = bring(alice, file.file.read(), name="Again")
    file.close()
    contents = [
        list(one.messages.order_by("seq").values_list("kind", "content", "created_at")) for one in (agent, again)
    ]
    assert contents[0] == contents[1] and again.summary and again.summary.text == agent.summary.text  # type: ignore[union-attr]


@pytest.mark.parametrize("raw", [written(chatgpt_talk("Empty")), packed(EARLY)[:-40], written(EARLY)[:-9]])
def test_a_broken_export_makes_nothing(alice: User, raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        bring(alice, raw)
    assert not Agent.objects.exists() and not Message.objects.exists()


def test_too_many_messages_make_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_imports, "MOST_MESSAGES", 5)
    with pytest.raises(InvalidInput, match="more than 5 messages"):
        bring(alice, written(EARLY, LATE))
    assert not Agent.objects.exists()


def test_by_the_page(client: Client, alice: User) -> None:
    client.force_login(alice)
    answer = client.post(reverse("agent_import"), {"file": SimpleUploadedFile("c.zip", packed(EARLY)), "name": "Old"})
    agent = Agent.objects.get(name="Old")
    assert answer["HX-Redirect"] == reverse("agent", args=[agent.pk])
    assert "I saw a heron." in client.get(answer["HX-Redirect"]).content.decode()
