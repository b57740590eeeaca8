"""Servers as they are: each row of the tables, through real HTTP and the real client, in each mode."""

import json
from dataclasses import replace

import pytest

from agents.exceptions import ContextOverflow, LLMError
from agents.functions import registry
from agents.llm import gateway
from agents.llm.scripted import Answer, say
from agents.llm.types import Completion, Delta, Prompt, ReplyDelta
from tests.agents.llm.error_quirks import ERRORS, LIMITS, OVERFLOWS, REFUSALS, Body, Refusal
from tests.agents.llm.quirks import STREAMS, Stream
from tests.conftest import ServeModel

QUEUE = ({"role": "user", "content": '{"type": "user_message", "message": "Hi", "time": "Sun 2026-11-22 09:30 UTC"}'},)
FUNCTIONS = tuple(function.schema for function in registry.registered().values())
PROMPT = Prompt(system="You are Sam.", blocks=(), summary="", queue=QUEUE, functions=FUNCTIONS)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.llm.connection.MAX_RETRIES", 0)


def ask(mode: str = "tools", prompt: Prompt = PROMPT) -> tuple[list[Delta], Completion]:
    config = replace(gateway.model_config(), mode=mode)
    *deltas, last = gateway.stream(prompt, config, check=lambda: None)
    assert isinstance(last, Completion)
    return [delta for delta in deltas if not isinstance(delta, Completion)], last


def answer_of(row: Body) -> Answer:
    kind = "application/json" if row.text.startswith(("{", "[", '"')) else "text/html"
    return Answer(status=row.status, body=row.text or " ", content_type=kind, headers=tuple(row.headers.items()))


@pytest.mark.parametrize("mode", ["tools", "json_schema"])
@pytest.mark.parametrize("row", STREAMS, ids=str)
def test_what_is_streamed_becomes_the_calls_that_are_meant(row: Stream, mode: str, serve_model: ServeModel) -> None:
    server = serve_model([row.answer])
    if row.told:
        with pytest.raises(LLMError) as error:
            ask(mode)
        assert row.told in str(error.value)
        assert error.value.retryable == (" error 50" in str(error.value))  # what ended it may be over the next time
        assert len(server.requests) == 1
        return
    deltas, completion = ask(mode)
    assert [(call.name, json.loads(call.arguments)) for call in completion.calls] == list(row.calls)
    assert len({call.id for call in completion.calls}) == len(row.calls)
    reply = "".join(delta.text for delta in deltas if isinstance(delta, ReplyDelta))
    assert reply in ("", row.calls[-1][1]["message"])
    assert row.thought in completion.inner_monologue
    assert row.unthought not in completion.inner_monologue


@pytest.mark.parametrize("row", STREAMS, ids=str)
def test_no_stream_is_a_fault_of_ours_in_guided_mode(row: Stream, serve_model: ServeModel) -> None:
    serve_model([row.answer])
    try:
        _, completion = ask("guided")
    except LLMError as error:
        assert not row.told or row.told in str(error)
    else:
        assert not row.told and completion.calls


@pytest.mark.parametrize("row", OVERFLOWS, ids=str)
def test_a_prompt_that_is_too_long_is_known_in_any_words(row: Body, serve_model: ServeModel) -> None:
    server = serve_model([answer_of(row)])
    with pytest.raises(ContextOverflow):
        ask()
    assert len(server.requests) == 1


@pytest.mark.parametrize("row", [row for row in OVERFLOWS if row.status != 413], ids=str)
def test_a_prompt_that_is_too_long_is_known_in_a_stream(row: Body, serve_model: ServeModel) -> None:
    data = "\n".join(f"data: {line}" for line in row.text.splitlines())
    serve_model([Answer(events=(f"event: error\n{data}\n\n",))])
    with pytest.raises(ContextOverflow):
        ask()


@pytest.mark.parametrize("row", [*LIMITS, *ERRORS], ids=str)
def test_other_errors_are_told_in_the_servers_words(row: Body, serve_model: ServeModel) -> None:
    serve_model([answer_of(row)])
    with pytest.raises(LLMError) as error:
        ask()
    assert not isinstance(error.value, ContextOverflow)
    for words in row.told:
        assert words in str(error.value)


@pytest.mark.parametrize("row", REFUSALS, ids=str)
def test_an_option_that_a_server_refuses_is_changed_and_that_is_remembered(
    row: Refusal, serve_model: ServeModel
) -> None:
    refusal = Answer(status=row.status, body=row.text, content_type="application/json")
    server = serve_model(lambda request: refusal if row.refused(request) else say("Here."))
    for _time in range(2):
        _, completion = ask(row.mode)
        assert json.loads(completion.calls[0].arguments)["message"] == "Here."
        assert row.instead(server.requests[-1])
    assert len([request for request in server.requests if not row.refused(request)]) == 2
    assert not row.refused(server.requests[-2])  # the second time it was not even asked
