"""What a person reads when a server is not as others are: from their message to the timeline."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from pytest_django import Settings

from agents.llm.scripted import Answer, Request, say
from agents.models import Agent, Message, Run
from tests.agents.llm.quirks import SAY, STREAMS, Stream, delta, end, piece
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
SEARCH = json.dumps({"query": "tea", "request_heartbeat": True})
SIGNED = {"google": {"thought_signature": "SIGNATURE=="}}
STATEFUL = Answer(
    events=(
        delta(reasoning_content="Let me look it up."),
        delta(tool_calls=[{"index": 0, "id": "s1", "extra_content": SIGNED, "function": {
            "name": "conversation_search", "arguments": SEARCH}}]),
        end("tool_calls"),
    )
)  # fmt: skip
THINKS = Answer(reasoning="Hm, hm, hm.", finish_reason="length")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.llm.connection.MAX_RETRIES", 0)


def said(agent: Agent) -> list[str]:
    return [m.content for m in agent.messages.filter(kind=Kind.ASSISTANT).order_by("seq") if m.content]


def notices(agent: Agent, word: str) -> list[str]:
    return [m.content for m in agent.messages.filter(kind=Kind.NOTICE).order_by("seq") if word in m.content]


def calls_given_back(request: Request) -> list[Request]:
    return [message for message in request["messages"] if message.get("tool_calls")]


@pytest.mark.parametrize("mode", ["tools", "json_schema"])
@pytest.mark.parametrize("row", STREAMS[::4], ids=str)
def test_the_person_reads_the_reply_or_the_servers_words(
    agent: Agent, serve_model: ServeModel, settings: Settings, mode: str, row: Stream
) -> None:
    settings.LLM = replace(settings.LLM, mode=mode)
    serve_model([row.answer] if row.told else [row.answer, say("And more.")])
    run = exchange(agent, "Hi")
    assert "memweb itself failed" not in run.error
    if row.told:
        assert run.status == Run.Status.FAILED and row.told in run.error
    else:
        assert (run.status, run.error) == (Run.Status.DONE, "")
        assert said(agent)[0] == row.calls[-1][1]["message"]


def test_what_a_server_wants_back_goes_to_it_and_to_no_other(
    agent: Agent, serve_model: ServeModel, settings: Settings
) -> None:
    server = serve_model([STATEFUL, say("Found."), say("Again.")])
    exchange(agent, "Do I like tea?")
    [given] = calls_given_back(server.requests[1])
    assert given["reasoning_content"] == "Let me look it up."
    assert given["tool_calls"][0]["extra_content"] == SIGNED
    exchange(agent, "And now?")
    later = calls_given_back(server.requests[2])
    assert later[0]["tool_calls"][0]["extra_content"] == SIGNED
    assert not any("reasoning_content" in message for message in later)
    other = serve_model([say("Another.")])
    exchange(agent, "You?")
    assert not any(word in json.dumps(other.requests) for word in ("extra_content", "reasoning_content"))
    settings.LLM = replace(settings.LLM, base_url=server.url, model="another")
    exchange(agent, "And you?")
    assert not any(word in json.dumps(server.requests[-1]) for word in ("extra_content", "reasoning_content"))


def test_given_back_state_that_is_refused_is_left_out(agent: Agent, serve_model: ServeModel) -> None:
    body = json.dumps(
        {"detail": [{"loc": ["body", "messages", 2, "reasoning_content"], "msg": "Extra inputs are not permitted"}]}
    )

    def brain(request: Request) -> Answer:
        if "reasoning_content" in json.dumps(request["messages"]):
            return Answer(status=422, body=body)
        return say("Found.") if calls_given_back(request) else STATEFUL

    server = serve_model(brain)
    assert exchange(agent, "Do I like tea?").status == Run.Status.DONE
    assert said(agent) == ["Found."] and len(server.requests) == 3


@pytest.mark.parametrize("mode", ["tools", "json_schema"])
def test_roles_alternate_from_the_first_message_on(
    agent: Agent, serve_model: ServeModel, settings: Settings, mode: str
) -> None:
    settings.LLM = replace(settings.LLM, mode=mode)
    bad = Answer(status=400, body='{"message": "Conversation roles must alternate user/assistant/user/assistant/..."}')
    answers = iter(
        [replace(say("x"), calls=(("conversation_search", SEARCH),)), say("One."), say("Two."), say("Three.")]
    )

    def brain(request: Request) -> Answer:
        roles = [message["role"] for message in request["messages"]]
        return bad if ("user", "user") in pairwise(roles) else next(answers)

    serve_model(brain)
    for text in ("Hi", "And?", "So?"):
        assert exchange(agent, text).error == ""
    assert said(agent) == ["One.", "Two.", "Three."]


def test_a_server_that_cuts_the_prompt_is_told_of_once_and_not_at_the_first(
    agent: Agent, serve_model: ServeModel
) -> None:
    serve_model([say("Yes.", prompt_tokens=100)])
    told = []
    for _time in range(4):
        exchange(agent, "Hi")
        told.append(len(notices(agent, "OLLAMA_CONTEXT_LENGTH")))
    assert told == [0, 1, 1, 1]


def test_honest_counts_are_not_told_of(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Yes.", prompt_tokens=100), say("Yes."), say("Yes.", prompt_tokens=100), say("Yes.")])
    for _time in range(4):
        exchange(agent, "Hi")
    assert notices(agent, "OLLAMA_CONTEXT_LENGTH") == []


def test_an_answer_that_was_all_thinking_is_asked_for_with_more_room(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([THINKS, say("At last.")])
    exchange(agent, "Hi")
    assert said(agent) == ["At last."]
    first, second = server.requests
    assert second["max_tokens"] == 2 * first["max_tokens"] and second["reasoning_effort"] == "low"


def test_an_effort_that_is_refused_is_left_out(agent: Agent, serve_model: ServeModel) -> None:
    body = '{"error": {"message": "Unrecognized request argument supplied: reasoning_effort"}}'
    thought = iter([THINKS])
    serve_model(lambda r: Answer(status=400, body=body) if "reasoning_effort" in r else next(thought, say("At last.")))
    assert exchange(agent, "Hi").status == Run.Status.DONE and said(agent) == ["At last."]


def test_a_model_that_only_thinks_is_told_with_the_setting(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([THINKS])
    run = exchange(agent, "Hi")
    assert run.status == Run.Status.FAILED and "MEMWEB_REPLY_TOKENS" in run.error
    assert len(server.requests) == 3


def test_plain_text_twice_changes_the_mode_and_the_person_reads_an_answer(
    agent: Agent, serve_model: ServeModel
) -> None:
    server = serve_model([Answer(content="I would rather talk.")])
    run = exchange(agent, "Hi")
    assert (run.status, run.error) == (Run.Status.DONE, "")
    assert said(agent) == ["I would rather talk."]
    assert len(notices(agent, "MEMWEB_FUNCTION_MODE=json_schema")) == 1
    assert ["response_format" in request for request in server.requests] == [False, False, True]


def test_a_server_without_functions_is_asked_for_json_at_once(agent: Agent, serve_model: ServeModel) -> None:
    refusal = Answer(status=400, body='{"error": {"message": "m does not support tools"}}')
    server = serve_model(lambda request: refusal if "tools" in request else say("By JSON."))
    assert exchange(agent, "Hi").error == "" and said(agent) == ["By JSON."]
    assert ["tools" in request for request in server.requests] == [True, False]


def test_a_fault_in_the_middle_is_asked_again(agent: Agent, serve_model: ServeModel) -> None:
    broken = Answer(
        events=(piece(json.dumps(SAY[1])[:30], SAY[0], index=0), {"error": {"code": 502, "message": "Gone."}})
    )
    serve_model([broken, say("All is well.")])
    assert exchange(agent, "Hi").status == Run.Status.DONE and said(agent) == ["All is well."]
