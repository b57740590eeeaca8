"""A conversation as a file to read, and the whole agent as a file that becomes an agent again."""

import json
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import services
from agents.llm.scripted import Answer, call, say
from agents.models import Agent
from tests.chat.conftest import plain
from tests.conftest import ServeModel, exchange, make_agent

REFUSED = Answer(status=401, body='{"error": {"message": "Incorrect API key"}}')


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    """An agent that remembered and answered, whose last turn was taken back, and that failed once."""
    remember = call("core_memory_append", thoughts="A name.", label="human", content="Name: Ada “住在里斯本”.")
    serve_model([remember, say("# Hello\n\nAda & <b>."), say("Taken back."), REFUSED])
    exchange(agent, "I am Ada.\nFrom Lisbon.")
    exchange(agent, "Forget this.")
    services.turn_delete(agent=agent, hand=services.Hand(agent.owner))
    exchange(agent, "Are you there?")
    services.message_send(agent=agent, text="It waits.")
    return agent


def export(browser: Client, agent: Agent, form: str) -> Any:
    return browser.get(reverse("export", args=[agent.pk, form]))


def test_markdown_is_what_both_sides_said_in_order(browser: Client, talked: Agent) -> None:
    answer = export(browser, talked, "md")
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="sam.md"'
    said = talked.messages.exclude(content="").filter(retracted_at=None)
    stamps = [f"{message.created_at:%Y-%m-%d %H:%M} UTC" for message in said.filter(seq__in=[2, 5]).order_by("seq")]
    last = said.get(content="Are you there?")
    assert answer.content.decode() == (
        "# Sam\n\n"
        f"**alice**, {stamps[0]}\n\nI am Ada.\nFrom Lisbon.\n\n"
        f"**Sam**, {stamps[1]}\n\n# Hello\n\nAda & <b>.\n\n"
        f"**alice**, {last.created_at:%Y-%m-%d %H:%M} UTC\n\nAre you there?\n"
    )


def test_json_is_the_whole_agent(browser: Client, talked: Agent) -> None:
    services.passage_add(archive=talked.archive, text="The lamp burns whale oil.")
    answer = export(browser, talked, "json")
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="sam.json"'
    whole = json.loads(answer.content)
    assert (whole["name"], whole["system_instructions"]) == ("Sam", talked.system_instructions)
    assert [block["label"] for block in whole["core_memory"]] == ["persona", "human"]
    assert whole["core_memory"][1]["value"] == "We have just met.\nName: Ada “住在里斯本”."
    assert "住在里斯本" in answer.content.decode()
    assert [passage["text"] for passage in whole["passages"]] == ["The lamp burns whale oil."]
    messages = whole["messages"]
    kinds = [*("login", "user_message", "assistant", "function_result", "assistant", "function_result")]
    assert [message["kind"] for message in messages] == [*kinds, "user_message", "notice"]
    remembered, result = messages[2], messages[3]
    assert remembered["inner_monologue"] == "A name." and remembered["calls"][0]["name"] == "core_memory_append"
    assert result["function"] == "core_memory_append" and not result["failed"]
    assert messages[-1]["failed"]
    assert datetime.fromisoformat(messages[0]["time"]) == talked.messages.get(seq=1).created_at


def test_what_was_taken_back_or_waits_is_in_neither(browser: Client, talked: Agent) -> None:
    for form in ("md", "json"):
        text = export(browser, talked, form).content.decode()
        assert "Are you there?" in text
        assert not any(gone in text for gone in ("Forget this.", "Taken back.", "It waits."))


def test_another_kind_of_file_is_404(browser: Client, agent: Agent) -> None:
    assert [export(browser, agent, form).status_code for form in ("pdf", "MD", "md.json")] == [404, 404, 404]


def test_a_conversation_without_a_word_is_a_file_all_the_same(browser: Client, agent: Agent) -> None:
    assert export(browser, agent, "md").content == b"# Sam\n"
    assert len(json.loads(export(browser, agent, "json").content)["messages"]) == 1


@pytest.mark.parametrize(
    ("name", "file"),
    [("Sam the Second", "sam-the-second"), ("灯塔", "conversation"), ('../"x"\r\ny', "x-y"), ("<b>", "b")],
)
def test_the_files_name_is_safe_whatever_the_agents(browser: Client, alice: User, name: str, file: str) -> None:
    answer = export(browser, make_agent(alice, name), "md")
    assert answer["Content-Disposition"] == f'attachment; filename="{file}.md"'


def test_the_page_offers_all(browser: Client, agent: Agent) -> None:
    page = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    for form in ("md", "json", "af"):
        assert f'href="{reverse("export", args=[agent.pk, form])}" download' in page


# Import


def bring(browser: Client, raw: bytes | None, name: str = "") -> Any:
    file = {} if raw is None else {"file": SimpleUploadedFile("sam.json", raw)}
    return browser.post(reverse("agent_import"), {"name": name, **file})


def test_an_exported_file_becomes_an_agent_whose_page_opens(browser: Client, alice: User, talked: Agent) -> None:
    answer = bring(browser, export(browser, talked, "json").content, name=" Sam II ")
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk]) and made.owner == alice
    page = plain(browser.get(answer["HX-Redirect"]).content.decode())
    assert "I am Ada. From Lisbon." in page and "Forget this." not in page
    whole, again = (json.loads(export(browser, one, "json").content) for one in (talked, made))
    assert again == whole | {"name": "Sam II"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "Choose a file first."),
        (b"{", "This is no agent file of Letta or of memweb"),
        (b"", "This is no agent file of Letta or of memweb"),
        (b'{"name": "Sam"}', "agents, Field required"),
        (b'{"format": "memweb-agent"}', "This is not an agent exported by memweb"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why_and_the_name_is_kept(
    browser: Client, agent: Agent, raw: bytes | None, reason: str
) -> None:
    answer = bring(browser, raw, name="Sam II")
    assert answer.status_code == 200 and reason in plain(answer.content.decode())
    assert 'value="Sam II"' in answer.content.decode()
    assert Agent.objects.get() == agent


def test_a_letta_file_becomes_an_agent_whose_page_says_once_what_is_not_here(
    browser: Client, alice: User, talked: Agent
) -> None:
    answer = export(browser, talked, "af")
    assert answer["Content-Disposition"] == 'attachment; filename="sam.af"'
    whole = json.loads(answer.content)
    whole["agents"][0].update(name="Sam II", tools=["launch", "<b>"], source_ids=["s"])
    whole["files"] = [{"id": "f", "source_id": "s", "file_name": "plan.pdf"}]
    whole["agents"].append({"name": "Sam III"})
    answer = bring(browser, json.dumps(whole).encode())
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk]) and made.owner == alice
    page, again = (browser.get(answer["HX-Redirect"]).content.decode() for _ in range(2))
    told = (
        "The file had 1 more agent: Sam III.",
        "2 functions that the file names are not here, so they cannot be called: &lt;b&gt;, launch.",
        "1 file came without its text, so it is not in archival storage: plan.pdf.",
    )
    assert all(sentence in page and sentence not in again for sentence in told)
    assert "I am Ada. From Lisbon." in plain(page)


def test_a_name_already_taken_is_said(browser: Client, agent: Agent) -> None:
    answer = bring(browser, export(browser, agent, "json").content)
    assert "You already have an agent called “Sam”." in plain(answer.content.decode())


def test_a_file_too_large_is_not_read(browser: Client, agent: Agent, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    answer = bring(browser, b" " * (1024 * 1024 + 1))
    assert "The file is too large: at most 1 MB." in plain(answer.content.decode())
