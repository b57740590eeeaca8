"""The gateway against a real HTTP server: both modes, streaming, faults, and leaving a server that says nothing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pytest_django import Settings

from agents.exceptions import ContextOverflow, LLMError, RunCancelled
from agents.functions import registry
from agents.llm import gateway
from agents.llm.gateway import ModelConfig
from agents.llm.scripted import Answer, Request, ScriptedServer, call, say
from agents.llm.types import (
    ArgumentsDelta,
    CallStarted,
    Completion,
    Delta,
    FunctionCall,
    Prompt,
    ReplyDelta,
    Thinking,
    Usage,
)
from tests.conftest import ServeModel

FUNCTIONS = tuple(function.schema for function in registry.registered().values())
PROMPT = Prompt(
    system="You are Sam.",
    blocks=(),
    summary="",
    queue=({"role": "user", "content": '{"type": "user_message", "message": "Hi"}'},),
    functions=FUNCTIONS,
)
MODES = ("tools", "json_schema")


def config(mode: str = "tools", **fields: object) -> ModelConfig:
    return replace(gateway.model_config(), mode=mode, **fields)  # type: ignore[arg-type]


def ask(mode: str = "tools", **fields: object) -> tuple[list[Delta], Completion]:
    *deltas, last = gateway.stream(PROMPT, config(mode, **fields), check=lambda: None)
    assert isinstance(last, Completion)
    return [delta for delta in deltas if not isinstance(delta, Completion)], last


def joined(deltas: list[Delta], kind: type[Thinking] | type[ReplyDelta] | type[ArgumentsDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


@pytest.mark.parametrize("mode", MODES)
def test_a_reply_streams_out_of_half_arrived_arguments(mode: str, serve_model: ServeModel) -> None:
    text = 'She said "hi" \\ 你好 \n twice'
    serve_model([say(text, thoughts="I greet.", piece=3)])
    deltas, completion = ask(mode)
    assert joined(deltas, ReplyDelta) == text
    assert sum(isinstance(delta, ReplyDelta) for delta in deltas) > 3
    assert joined(deltas, Thinking) == completion.inner_monologue == "I greet."
    assert json.loads(completion.calls[0].arguments)["message"] == text


@pytest.mark.parametrize("mode", MODES)
def test_other_calls_stream_their_arguments(mode: str, serve_model: ServeModel) -> None:
    serve_model([call("archival_memory_search", query="the harbour master")])
    deltas, completion = ask(mode)
    assert CallStarted(0, "archival_memory_search") in deltas
    assert "the harbour master" in joined(deltas, ArgumentsDelta)
    assert completion.calls[0].name == "archival_memory_search"


def test_json_schema_mode_asks_for_the_schema_and_no_tools(serve_model: ServeModel) -> None:
    server = serve_model([say("ok")])
    ask("json_schema")
    request = server.requests[0]
    assert "tools" not in request
    schema = request["response_format"]["json_schema"]["schema"]
    names = [option["properties"]["name"]["enum"][0] for option in schema["properties"]["call"]["anyOf"]]
    assert names == [function.name for function in FUNCTIONS]
    assert "send_message" in request["messages"][0]["content"]


def test_json_schema_mode_tells_earlier_calls_as_text(serve_model: ServeModel) -> None:
    server = serve_model([say("ok")])
    arguments = json.dumps({"inner_thoughts": "hm", "query": "x", "request_heartbeat": True})
    history = (
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": '{"status": "OK"}'},
    )
    list(gateway.stream(replace(PROMPT, queue=history), config("json_schema"), check=lambda: None))
    assistant, result = server.requests[0]["messages"][1:]
    assert json.loads(assistant["content"])["call"]["name"] == "f" and result["role"] == "user"


def test_plain_prose_in_json_schema_mode_is_monologue_without_a_call(serve_model: ServeModel) -> None:
    serve_model([Answer(content="I would rather talk.")])
    _, completion = ask("json_schema")
    assert completion.calls == () and completion.inner_monologue == "I would rather talk."


def test_cut_off_json_in_json_schema_mode_keeps_the_call_unusable(serve_model: ServeModel) -> None:
    serve_model([Answer(calls=(("send_message", '{"message": "hal'),), finish_reason="length")])
    _, completion = ask("json_schema")
    assert completion.finish_reason == "length"
    assert completion.calls == (FunctionCall("call_0", "send_message", '{"message": "hal'),)


def test_monologue_comes_from_reasoning_and_from_content(serve_model: ServeModel) -> None:
    serve_model([replace(say("Hi.", thoughts=""), reasoning="Deep thought. ", content="Aloud thought.")])
    _, completion = ask()
    assert completion.inner_monologue == "Deep thought. Aloud thought."


def test_usage_tells_cached_tokens(serve_model: ServeModel) -> None:
    serve_model([say("Hi", cached_tokens=64, prompt_tokens=100)])
    _, completion = ask()
    assert completion.usage == Usage(prompt=100, completion=20, cached=64)


def test_a_server_that_refuses_required_tool_choice_is_asked_again_with_auto(serve_model: ServeModel) -> None:
    refusal = Answer(status=400, body='{"error": {"message": "tool_choice must be auto"}}')
    server = serve_model(lambda r: refusal if r["tool_choice"] == "required" else say("ok"))
    ask()
    assert [request["tool_choice"] for request in server.requests] == ["required", "auto"]


def test_a_server_that_wants_max_completion_tokens_gets_them(serve_model: ServeModel) -> None:
    refusal = Answer(status=400, body='{"error": {"message": "Unsupported parameter: max_tokens"}}')
    server = serve_model(lambda r: refusal if "max_tokens" in r else say("ok"))
    ask()
    assert "max_completion_tokens" in server.requests[-1]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_faults_before_the_first_delta_are_retried(status: int, serve_model: ServeModel) -> None:
    server = serve_model([Answer(status=status), Answer(status=status), say("there")])
    deltas, _ = ask()
    assert joined(deltas, ReplyDelta) == "there" and len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "", "refused the key"),
        (403, "", "refused the key"),
        (404, "", "knows no model “scripted”"),
        (429, "", "rate limit"),
        (500, "", "error 500"),
        (502, "<html><h1>Bad gateway</h1></html>", "error 502"),
        (400, '{"error": {"message": "nonsense"}}', "nonsense"),
    ],
)
def test_lasting_faults_are_told_in_plain_words(status: int, body: str, words: str, serve_model: ServeModel) -> None:
    serve_model([Answer(status=status, body=body)])
    with pytest.raises(LLMError, match=words):
        ask()


def test_a_prompt_the_server_finds_too_long_is_an_overflow(serve_model: ServeModel) -> None:
    body = '{"error": {"message": "This model\'s maximum context length is 4096 tokens"}}'
    serve_model([Answer(status=400, body=body)])
    with pytest.raises(ContextOverflow):
        ask()


def test_an_unreachable_endpoint_names_the_setting(settings: Settings) -> None:
    settings.LLM = replace(settings.LLM, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(LLMError, match=r"cannot be reached.*OPENAI_BASE_URL"):
        ask()


def test_a_connection_that_ends_in_the_middle_of_a_call_is_no_answer(serve_model: ServeModel) -> None:
    """The server closes without a finish reason, and the arguments are not whole: it is not the model's mistake."""
    serve_model([say("a long enough text to break", drop_after=4)])
    with pytest.raises(LLMError, match="in the middle of a call") as fault:
        ask()
    assert fault.value.retryable


def test_a_silent_server_is_left_as_soon_as_somebody_asks(serve_model: ServeModel) -> None:
    serve_model([say("never whole", hang_after=2)])
    looks = iter(range(8))

    def check() -> None:
        if next(looks, None) is None:
            raise RunCancelled

    with pytest.raises(RunCancelled):
        list(gateway.stream(PROMPT, config(), check=check))


def test_a_server_that_never_answers_times_out(serve_model: ServeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.llm.connection.MAX_RETRIES", 0)
    answered = threading.Event()
    serve_model(lambda request: say("late") if answered.wait(10) else say("later"))
    with pytest.raises(LLMError, match=r"gave no answer for 0\.3 seconds"):
        ask(timeout=0.3)
    answered.set()


def test_leaving_really_ends_the_request_at_the_server(serve_model: ServeModel) -> None:
    server: ScriptedServer = serve_model([say("never whole", hang_after=2)])
    stream = gateway.stream(PROMPT, config(), check=lambda: None)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert server.left.wait(5)


def test_complete_gives_a_whole_plain_answer(serve_model: ServeModel) -> None:
    serve_model([Answer(content="A summary.")])
    text = gateway.complete([{"role": "user", "content": "x"}], config(), max_tokens=50, check=lambda: None)
    assert text == "A summary."


def test_the_local_server_is_sent_a_few_requests_at_once_and_the_others_wait(serve_model: ServeModel) -> None:
    lock, full, at_once, most = threading.Lock(), threading.Event(), 0, 0

    def brain(request: Request) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            if at_once == gateway.LOCAL_AT_ONCE:
                full.set()
        full.wait(10)
        with lock:
            at_once -= 1
        return say("Here.")

    serve_model(brain)
    with ThreadPoolExecutor(3 * gateway.LOCAL_AT_ONCE) as threads:
        answers = list(threads.map(lambda _: ask(local=True), range(3 * gateway.LOCAL_AT_ONCE)))
    assert len(answers) == 3 * gateway.LOCAL_AT_ONCE and most == gateway.LOCAL_AT_ONCE
