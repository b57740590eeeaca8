"""Compiling: one list of sections, a stable prefix, small instructions."""

import json

from agents import selectors
from agents.functions import toolset
from agents.llm.scripted import call, say
from agents.main_context.compile import compile
from agents.models import Agent
from tests.conftest import ServeModel, exchange


def tokens_of(agent: Agent) -> dict[str, int]:
    return {section.name: section.tokens for section in selectors.context_view(agent).main.prompt.sections}


def test_sections_come_in_the_order_of_the_paper(agent: Agent) -> None:
    assert list(tokens_of(agent)) == ["system_instructions", "functions", "core_memory", "summary", "queue"]


def test_the_default_instructions_are_small(agent: Agent) -> None:
    sections = tokens_of(agent)
    assert sections["system_instructions"] + sections["core_memory"] < 900
    assert sections["system_instructions"] + sections["functions"] < 1800


def test_the_prefix_stays_the_same_from_turn_to_turn(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("one"), say("two")])
    exchange(agent, "first")
    exchange(agent, "second")
    first, second = (request["messages"] for request in server.requests)
    assert second[: len(first)] == first
    assert server.requests[0]["tools"] == server.requests[1]["tools"]


def test_a_block_edit_rebuilds_the_prefix(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([call("core_memory_append", label="human", content="Likes tea."), say("Tea it is.")])
    exchange(agent, "I like tea.")
    before, after = (request["messages"][0]["content"] for request in server.requests)
    assert "Likes tea." not in before and "Likes tea." in after


def test_every_function_shows_inner_thoughts_first_and_request_heartbeat(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("hi")])
    exchange(agent, "hi")
    for tool in server.requests[0]["tools"]:
        names = list(tool["function"]["parameters"]["properties"])
        assert names[0] == "inner_thoughts" and names[-1] == "request_heartbeat"


def test_the_eight_functions_are_there(agent: Agent) -> None:
    assert [schema.name for schema in toolset.of(agent).schemas] == [
        "send_message",
        "pause_heartbeats",
        "core_memory_append",
        "core_memory_replace",
        "conversation_search",
        "conversation_search_date",
        "archival_memory_insert",
        "archival_memory_search",
    ]


def test_the_exact_prompt_is_what_is_sent(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("hello")])
    exchange(agent, "hi")
    shown = compile(agent, functions=toolset.of(agent).schemas, budget=7000).prompt.messages()
    assert json.dumps(shown[: len(server.requests[0]["messages"])]) == json.dumps(server.requests[0]["messages"])
