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
from tests.chat.conftest import plain, received
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
    raw = received(answer)
    assert answer["Content-Length"] == str(len(raw))
    whole = json.loads(raw)
    assert (whole["name"], whole["system_instructions"]) == ("Sam", talked.system_instructions)
    assert [block["label"] for block in whole["core_memory"]] == ["persona", "human"]
    assert whole["core_memory"][1]["value"] == "We have just met.\nName: Ada “住在里斯本”."
    assert "住在里斯本" in raw.decode()
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
        text = received(export(browser, talked, form)).decode()
        assert "Are you there?" in text
        assert not any(gone in text for gone in ("Forget this.", "Taken back.", "It waits."))


def test_another_kind_of_file_is_404(browser: Client, agent: Agent) -> None:
    assert [export(browser, agent, form).status_code for form in ("pdf", "MD", "md.json")] == [404, 404, 404]


def test_a_conversation_without_a_word_is_a_file_all_the_same(browser: Client, agent: Agent) -> None:
    assert export(browser, agent, "md").content == b"# Sam\n"
    assert len(json.loads(received(export(browser, agent, "json")))["messages"]) == 1


@pytest.mark.parametrize(
    ("name", "file"),
    [("Sam the Second", "sam-the-second"), ("灯塔", "conversation"), ('../"x"\r\ny', "x-y"), ("<b>", "b")],
)
def test_the_files_name_is_safe_whatever_the_agents(browser: Client, alice: User, name: str, file: str) -> None:
    answer = export(browser, make_agent(alice, name), "md")
    assert answer["Content-Disposition"] == f'attachment; filename="{file}.md"'


def test_the_page_offers_all(browser: Client, agent: Agent) -> None:
    page = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    for form in ("md", "json", "zip", "af"):
        assert f'href="{reverse("export", args=[agent.pk, form])}" download' in page


# Import


def bring(browser: Client, raw: bytes | None, name: str = "") -> Any:
    file = {} if raw is None else {"file": SimpleUploadedFile("sam.json", raw)}
    return browser.post(reverse("agent_import"), {"name": name, **file})


def test_an_exported_file_becomes_an_agent_whose_page_opens(browser: Client, alice: User, talked: Agent) -> None:
    answer = bring(browser, received(export(browser, talked, "json")), name=" Sam II ")
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk]) and made.owner == alice
    page = plain(browser.get(answer["HX-Redirect"]).content.decode())
    assert "I am Ada. From Lisbon." in page and "Forget this." not in page
    whole, again = (received(export(browser, one, "json")) for one in (talked, made))
    assert again.replace(b'"Sam II"', b'"Sam"') == whole


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
        "1 file did not come along, upload it again: plan.pdf.",
    )
    assert all(sentence in page and sentence not in again for sentence in told)
    assert "I am Ada. From Lisbon." in plain(page)


def test_a_name_already_taken_is_said(browser: Client, agent: Agent) -> None:
    answer = bring(browser, received(export(browser, agent, "json")))
    assert "You already have an agent called “Sam”." in plain(answer.content.decode())


def test_a_file_too_large_is_not_read(browser: Client, agent: Agent, settings: Settings) -> None:
    settings.MAX_AGENT_FILE_BYTES = 1024 * 1024
    answer = bring(browser, b" " * (1024 * 1024 + 1))
    assert "The file is too large: at most 1 MB." in plain(answer.content.decode())


# With documents


def test_a_zip_has_the_documents_and_becomes_an_agent(browser: Client, agent: Agent) -> None:
    file = SimpleUploadedFile("log.txt", b"The barometer fell to 28 inches.")
    document = services.document_add(archive=agent.archive, file=file)
    answer = export(browser, agent, "zip")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="sam.zip"'
    answer = bring(browser, received(answer), name="Sam II")
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk])
    assert made.archive.documents.get().sha256 == document.sha256


def test_documents_that_did_not_come_along_are_named_once(browser: Client, agent: Agent) -> None:
    for number in range(21):
        file = SimpleUploadedFile(f"<log> {number}.txt", f"Fog on day {number}.".encode())
        services.document_add(archive=agent.archive, file=file)
    answer = bring(browser, received(export(browser, agent, "json")), name="Sam II")
    made = Agent.objects.get(name="Sam II")
    markup, again = (browser.get(answer["HX-Redirect"]).content.decode() for _ in range(2))
    sentence = "21 files did not come along, upload them again:"
    assert sentence in markup and sentence not in again and "<log>" not in markup
    assert "19.txt" in markup and "20.txt" not in markup
    listed = browser.get(reverse("documents", args=[made.pk])).content.decode()
    assert plain(listed).count("Its file did not come along. Upload it again.") == 21 and "Retry" not in plain(listed)


def test_nobody_elses_agent_is_exported(client: Client, agent: Agent, bob: User) -> None:
    client.force_login(bob)
    assert [export(client, agent, form).status_code for form in ("md", "json", "zip", "af")] == [404] * 4


def test_a_copy_is_made_under_a_name_of_its_own(browser: Client, talked: Agent) -> None:
    url = reverse("agent_copy", args=[talked.pk])
    assert 'value="Copy of Sam"' in browser.get(url).content.decode()
    refused = browser.post(url, {"name": "Sam"})
    assert "You already have an agent called “Sam”." in plain(refused.content.decode())
    answer = browser.post(url, {"name": "Sam II"})
    made = Agent.objects.get(name="Sam II")
    assert answer["HX-Redirect"] == reverse("agent", args=[made.pk])
    assert "I am Ada. From Lisbon." in plain(browser.get(answer["HX-Redirect"]).content.decode())
