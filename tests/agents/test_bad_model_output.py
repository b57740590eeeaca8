"""Model output is bad input too: whatever it writes, the run ends as runs end, and the page opens."""

from dataclasses import replace

import pytest
from django.test import Client
from pytest_django import Settings

from agents.llm.scripted import Answer, call, say
from agents.models import Agent, Message, Run
from tests.conftest import ServeModel, exchange

DEEP = '{"message": ' + "[" * 5000


def raw(name: str, arguments: str) -> Answer:
    return Answer(calls=((name, arguments),))


@pytest.mark.parametrize("mode", ["tools", "json_schema"])
@pytest.mark.parametrize(
    "first",
    [
        raw("archival_memory_insert", '{"content": "half an emoji \\ud83d here", "request_heartbeat": true}'),
        raw("archival_memory_insert", '{"content": "caf\\u0000e", "request_heartbeat": true}'),
        raw("send_message", '{"inner_thoughts": "caf\\u0000e \\udfff", "message": "Hi.", "request_heartbeat": true}'),
        raw("send_message", DEEP),
        raw("send_message", "null"),
        raw("", "{}"),
        raw("bad name! \x00", '{"x": 1}'),
        call("conversation_search_date", start_date="0001-01-01", end_date="9999-12-31"),
        call("conversation_search", query="x", page=10**19),
        call("pause_heartbeats", minutes=10**30),
        Answer(content="<html><body>Bad gateway</body></html>"),
        Answer(),
    ],
)
def test_the_run_goes_on_and_the_page_opens(
    agent: Agent, serve_model: ServeModel, settings: Settings, client: Client, mode: str, first: Answer
) -> None:
    settings.LLM = replace(settings.LLM, mode=mode)
    serve_model([replace(first, piece=1000), say("All is well.")])
    run = exchange(agent, "Hi")
    assert (run.status, run.error) == (Run.Status.DONE, "")
    assert agent.messages.filter(kind=Message.Kind.ASSISTANT, content="All is well.").exists()
    client.force_login(agent.owner)
    assert "All is well." in client.get(f"/agents/{agent.pk}/").content.decode()
    for tab in ("context", "queue", "runs"):
        assert client.get(f"/agents/{agent.pk}/inspector/{tab}/").status_code == 200


def test_a_silent_model_is_told_of_in_its_own_words(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([Answer()])
    exchange(agent, "Hi")
    assert "without a function call" in agent.messages.get(kind=Message.Kind.SYSTEM_ALERT).content
