"""The loop: steps, chaining, the model's mistakes, and when a run ends."""

import json
from dataclasses import replace
from unittest.mock import patch

import pytest
from kombu.exceptions import OperationalError
from pytest_django import Settings
from redis.exceptions import ConnectionError

from agents.llm.scripted import Answer, call, last_event, say
from agents.models import Agent, Message, Run
from tests.conftest import ServeModel, exchange

Kind = Message.Kind


def kinds(agent: Agent) -> list[str]:
    return [m.kind for m in agent.messages.filter(seq__gt=1).order_by("seq")]


def results(agent: Agent) -> list[str]:
    rows = agent.messages.filter(kind=Kind.FUNCTION_RESULT).order_by("seq")
    return [json.loads(row.content)["message"] for row in rows]


def test_a_message_gets_a_reply_through_send_message(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Hello, I am Sam.", thoughts="They greet me.")])
    run = exchange(agent, "Hi!")
    assert run.status == Run.Status.DONE
    assert kinds(agent) == ["user_message", "assistant", "function_result"]
    reply = agent.messages.get(kind=Kind.ASSISTANT)
    assert (reply.content, reply.inner_monologue) == ("Hello, I am Sam.", "They greet me.")


@pytest.mark.parametrize("mode", ["tools", "json_schema"])
def test_both_gateway_modes_hold_the_same_conversation(
    agent: Agent, serve_model: ServeModel, settings: Settings, mode: str
) -> None:
    settings.LLM = replace(settings.LLM, mode=mode)
    serve_model([call("core_memory_append", label="human", content="Name: Ann."), say("Hello Ann.")])
    run = exchange(agent, "I am Ann.")
    assert run.status == Run.Status.DONE and run.steps.count() == 2
    assert agent.blocks.get(label="human").value.endswith("Name: Ann.")
    assert agent.messages.filter(kind=Kind.ASSISTANT, content="Hello Ann.").exists()


def test_a_broker_that_is_away_delays_and_fails_nothing(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Still here.")])
    away = ConnectionError("broker away")
    with (
        patch("agents.broadcast.draft.cache.set", side_effect=away),
        patch("agents.broadcast.draft.cache.delete", side_effect=away),
        patch("agents.dispatch.current_app.send_task", side_effect=OperationalError("broker away")),
    ):
        run = exchange(agent, "Hi")
    assert run.status == Run.Status.DONE


def test_a_requested_heartbeat_runs_the_next_step_at_once(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="Name: Ann."), say("Nice to meet you, Ann.")])
    run = exchange(agent, "I am Ann.")
    assert run.steps.count() == 2
    assert agent.blocks.get(label="human").value == "We have just met.\nName: Ann."


def test_a_run_without_heartbeat_yields(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([call("core_memory_append", heartbeat=False, label="human", content="Ann."), say("never")])
    exchange(agent, "I am Ann.")
    assert len(server.requests) == 1


def test_a_failed_call_runs_the_next_step_even_without_heartbeat(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", heartbeat=False, label="nowhere", content="x"), say("Sorry.")])
    exchange(agent, "Remember x.")
    assert "no block “nowhere”" in results(agent)[0]
    assert agent.messages.filter(kind=Kind.ASSISTANT).last().content == "Sorry."  # type: ignore[union-attr]


def test_an_unknown_function_is_told_what_there_is(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("fly_away"), say("I cannot fly.")])
    exchange(agent, "Fly!")
    assert "no function “fly_away”" in results(agent)[0] and "send_message" in results(agent)[0]


def test_broken_json_is_a_failed_result_and_the_loop_goes_on(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([Answer(calls=(("send_message", '{"message": "hal'),)), say("Whole.")])
    run = exchange(agent, "Hi")
    assert run.status == Run.Status.DONE
    assert agent.messages.filter(kind=Kind.ASSISTANT, content="Whole.").exists()
    assert agent.messages.get(kind=Kind.FUNCTION_RESULT, failed=True)


def test_arguments_that_miss_the_schema_are_named(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human"), say("Oh.")])
    exchange(agent, "Hi")
    assert "content: field required" in results(agent)[0]


def test_arguments_cut_off_by_length_are_never_acted_on(agent: Agent, serve_model: ServeModel) -> None:
    whole = json.dumps({"label": "human", "content": "half a"})
    serve_model([Answer(calls=(("core_memory_append", whole),), finish_reason="length"), say("Again.")])
    exchange(agent, "Hi")
    assert "cut off" in results(agent)[0]
    assert agent.blocks.get(label="human").value == "We have just met."


def test_plain_text_is_monologue_and_the_model_is_told(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([Answer(content="I just talk."), say("Properly now.")])
    exchange(agent, "Hi")
    first = agent.messages.filter(kind=Kind.ASSISTANT).first()
    assert first and first.inner_monologue == "I just talk." and first.content == ""
    assert "called no function" in results(agent)[0]


def test_three_identical_calls_with_identical_results_stop_the_run(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([call("archival_memory_search", query="x")])
    run = exchange(agent, "Search.")
    assert run.status == Run.Status.DONE and len(server.requests) == 3
    assert "three times in a row" in agent.messages.get(kind=Kind.SYSTEM_ALERT).content


def test_a_run_ends_after_the_most_steps(agent: Agent, serve_model: ServeModel, settings: Settings) -> None:
    settings.MAX_STEPS_PER_RUN = 4
    server = serve_model(lambda request: call("archival_memory_insert", content=f"fact {len(request['messages'])}"))
    exchange(agent, "Work.")
    assert len(server.requests) == 4
    assert "after 4 steps" in agent.messages.get(kind=Kind.SYSTEM_ALERT).content


def test_user_messages_are_packaged_as_json(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("ok")])
    exchange(agent, "Hi “there”")
    event = last_event(server.requests[0])
    assert event["type"] == "user_message" and event["message"] == "Hi “there”" and event["time"]


def test_several_calls_in_one_answer_run_in_order(agent: Agent, serve_model: ServeModel) -> None:
    first = call("core_memory_append", label="human", content="A.").calls
    second = say("Noted.").calls
    serve_model([Answer(calls=first + second), say("That is all.")])
    run = exchange(agent, "A.")
    step = agent.messages.filter(step=run.steps.get(number=1), kind=Kind.FUNCTION_RESULT).order_by("seq")
    assert [(row.function, row.failed) for row in step] == [("core_memory_append", False), ("send_message", False)]
    assert agent.messages.filter(kind=Kind.ASSISTANT).order_by("seq")[0].content == "Noted."
    assert run.steps.count() == 2  # the first call asked for another


def test_nul_bytes_and_html_from_the_model_are_harmless(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("<script>alert(1)</script>\x00 done")])
    exchange(agent, "Hi\x00")
    assert agent.messages.get(kind=Kind.ASSISTANT).content == "<script>alert(1)</script> done"
