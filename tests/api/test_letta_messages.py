"""letta-client, unmodified: messages, streams, runs and steps."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from letta_client import AsyncLetta, InternalServerError, NotFoundError, UnprocessableEntityError
from letta_client.types.agents import AssistantMessage, ToolCallMessage
from letta_client.types.tool_return_message import ToolReturnMessage

from tests.processes import until
from tests.product import Newcomer, Product


def kinds(messages: Any) -> list[str]:
    return [message.message_type for message in messages]


def said(messages: Any) -> str:
    return "".join(message.content for message in messages if message.message_type == "assistant_message")


def test_a_message_is_answered_with_what_was_thought_called_and_said(letta: Any, sam: Any) -> None:
    answer = letta.agents.messages.create(sam.id, messages=[{"role": "user", "content": "I moved to Lisbon"}])
    assert kinds(answer.messages) == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "reasoning_message",
        "assistant_message",
    ]
    call = next(message for message in answer.messages if isinstance(message, ToolCallMessage))
    returned = next(message for message in answer.messages if isinstance(message, ToolReturnMessage))
    assert json.loads(call.tool_call.arguments or "")["content"] == "Lives in Lisbon."
    assert (returned.tool_call_id, returned.status) == (call.tool_call.tool_call_id, "success")
    assert isinstance(answer.messages[-1], AssistantMessage)
    assert answer.stop_reason.stop_reason == "end_turn"
    assert answer.usage.step_count == 2
    assert answer.usage.total_tokens == (answer.usage.prompt_tokens or 0) + (answer.usage.completion_tokens or 0) > 0
    listed = {message.id for message in letta.agents.messages.list(sam.id)}
    assert {message.id for message in answer.messages} <= listed
    assert len({message.id for message in answer.messages}) == 5
    assert letta.agents.blocks.retrieve("human", agent_id=sam.id).value == "Name: Ann\nLives in Lisbon."


@pytest.mark.parametrize(
    "sent",
    [
        {"input": "hello there"},
        {"input": [{"type": "text", "text": "hello there"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello there"}]}]},
        {"messages": [{"role": "user", "content": "hello there", "type": "message"}]},
    ],
)
def test_every_way_to_write_a_message_is_understood(letta: Any, sam: Any, sent: dict[str, Any]) -> None:
    assert said(letta.agents.messages.create(sam.id, **sent).messages) == "You said: *hello there*"


def test_several_messages_in_one_request_are_all_answered(letta: Any, sam: Any) -> None:
    two = [{"role": "user", "content": text} for text in ("first", "second")]
    answer = letta.agents.messages.create(sam.id, messages=two)
    assert said(answer.messages) == "You said: *first*You said: *second*"
    assert len(answer.usage.run_ids or []) == 2


def test_a_system_message_is_an_event_and_no_user_message(letta: Any, sam: Any) -> None:
    letta.agents.messages.create(sam.id, messages=[{"role": "system", "content": "The lamp went out."}])
    listed = list(letta.agents.messages.list(sam.id, order="asc"))
    assert kinds(listed)[:2] == ["system_message", "system_message"]
    assert "user_message" not in kinds(listed)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"input": ""},
        {"input": "   "},
        {"messages": []},
        {"input": "a", "messages": [{"role": "user", "content": "b"}]},
        {"input": "x" * 150_000},
        {"messages": [{"role": "robot", "content": "b"}]},
        {"messages": [{"role": "user"}]},
        {"input": "a", "max_steps": 0},
    ],
)
def test_what_is_no_message_is_refused_and_not_stored(letta: Any, sam: Any, sent: dict[str, Any]) -> None:
    with pytest.raises(UnprocessableEntityError):
        letta.agents.messages.create(sam.id, **sent)
    assert kinds(letta.agents.messages.list(sam.id)) == ["system_message"]


def test_what_is_no_text_is_named(letta: Any, sam: Any) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
    for sent in (
        {"input": [image]},
        {"messages": [{"role": "assistant", "content": "I said"}]},
        {"input": "a", "client_tools": [{"name": "f"}]},
        {"input": "a", "override_model": "openai/x"},
    ):
        with pytest.raises(InternalServerError, match="memweb does not support"):
            letta.agents.messages.create(sam.id, **sent)


def test_only_wanted_types_come_back(letta: Any, sam: Any) -> None:
    answer = letta.agents.messages.create(
        sam.id, input="I moved to Lisbon", include_return_message_types=["assistant_message", "tool_return_message"]
    )
    assert kinds(answer.messages) == ["tool_return_message", "assistant_message"]


def test_a_run_stops_after_max_steps(letta: Any, sam: Any) -> None:
    answer = letta.agents.messages.create(sam.id, input="I moved to Lisbon", max_steps=1)
    assert (answer.stop_reason.stop_reason, answer.usage.step_count) == ("max_steps", 1)


def test_going_round_in_circles_ends(letta: Any, sam: Any) -> None:
    answer = letta.agents.messages.create(sam.id, input="circles")
    assert answer.stop_reason.stop_reason == "invalid_tool_call"
    calls = [m for m in answer.messages if isinstance(m, ToolCallMessage)]
    returns = [m for m in answer.messages if isinstance(m, ToolReturnMessage)]
    assert [c.tool_call.tool_call_id for c in calls] == [r.tool_call_id for r in returns]
    assert {r.status for r in returns} == {"error"}


def test_a_read_only_block_fails_the_agents_call(letta: Any) -> None:
    rules = {"label": "rules", "value": "Be kind.", "read_only": True}
    agent = letta.agents.create(memory_blocks=[rules])
    answer = letta.agents.messages.create(agent.id, input="please, read only")
    (returned,) = [m for m in answer.messages if isinstance(m, ToolReturnMessage)]
    assert returned.status == "error"
    assert "read-only" in returned.tool_return
    assert said(answer.messages) == "I may not change that."


def test_a_failed_run_is_no_error_of_the_request_and_is_told_once(letta: Any, sam: Any, product: Product) -> None:
    before = len(product.model.requests)
    answer = letta.with_options(max_retries=2).agents.messages.create(sam.id, input="break down")
    assert answer.stop_reason.stop_reason == "llm_api_error"
    assert answer.messages == []
    assert len(product.model.requests) == before + 1
    assert kinds(letta.agents.messages.list(sam.id)).count("user_message") == 1


# Streams


def test_a_stream_brings_whole_messages_then_reason_and_usage(letta: Any, sam: Any) -> None:
    chunks = list(letta.agents.messages.create(sam.id, input="I moved to Lisbon", streaming=True))
    assert kinds(chunks) == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "reasoning_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert chunks[-2].stop_reason == "end_turn"
    assert chunks[-1].step_count == 2
    listed = {message.id for message in letta.agents.messages.list(sam.id)}
    assert {chunk.id for chunk in chunks[:-2]} <= listed


def test_tokens_stream_in_pieces_that_make_the_message(letta: Any, sam: Any) -> None:
    chunks = list(letta.agents.messages.stream(sam.id, input="slow", stream_tokens=True))
    pieces = [chunk for chunk in chunks if chunk.message_type == "assistant_message"]
    assert len(pieces) > 3
    whole = letta.agents.messages.list(sam.id, include_return_message_types=["assistant_message"]).items[0]
    assert said(pieces) == whole.content
    assert {piece.id for piece in pieces} == {whole.id}
    thoughts = "".join(chunk.reasoning for chunk in chunks if chunk.message_type == "reasoning_message")
    assert thoughts == "Slowly."


def test_a_stream_tells_why_a_run_failed(letta: Any, sam: Any) -> None:
    chunks = list(letta.agents.messages.stream(sam.id, input="break down"))
    assert kinds(chunks) == ["error_message", "stop_reason", "usage_statistics"]
    assert "out of order" in chunks[0].message


def test_a_stream_that_is_left_goes_on_and_is_stored(letta: Any, sam: Any) -> None:
    stream = letta.agents.messages.stream(sam.id, input="slow", stream_tokens=True)
    next(iter(stream))
    stream.close()
    until(lambda: said(letta.agents.messages.list(sam.id)) != "", "the stored answer", 20)


def test_the_async_client_streams_and_waits(product: Product, someone: Newcomer, sam: Any) -> None:
    async def converse() -> None:
        async with AsyncLetta(base_url=product.url, api_key=someone.token) as client:
            texts = [f"number {number}" for number in range(6)]
            answers = await asyncio.gather(*(client.agents.messages.create(sam.id, input=text) for text in texts))
            assert sorted(said(answer.messages) for answer in answers) == [f"You said: *{text}*" for text in texts]
            stream = await client.agents.messages.create(sam.id, input="once more", streaming=True)
            assert said([chunk async for chunk in stream]) == "You said: *once more*"
            assert [agent.name async for agent in client.agents.list(limit=1)] == ["Sam"]

    asyncio.run(converse())


# Known messages


def test_the_same_otid_is_one_message(letta: Any, sam: Any) -> None:
    message = {"role": "user", "content": "only once", "otid": "mine-1"}
    first, second = (letta.agents.messages.create(sam.id, messages=[message]) for _ in range(2))
    assert [m.id for m in first.messages] == [m.id for m in second.messages]
    assert kinds(letta.agents.messages.list(sam.id)).count("user_message") == 1
    with pytest.raises(UnprocessableEntityError, match="another message"):
        letta.agents.messages.create(sam.id, messages=[{**message, "content": "other"}])


def test_an_idempotency_key_is_one_message(letta: Any, sam: Any) -> None:
    for _ in range(2):
        letta.agents.messages.create(sam.id, input="only once", extra_headers={"Idempotency-Key": "k"})
    assert kinds(letta.agents.messages.list(sam.id)).count("user_message") == 1


def test_a_client_that_tries_again_gets_the_run_that_there_is(letta: Any, sam: Any) -> None:
    letta.agents.messages.create(sam.id, input="only once")
    letta.agents.messages.create(sam.id, input="only once", extra_headers={"x-stainless-retry-count": "1"})
    assert kinds(letta.agents.messages.list(sam.id)).count("user_message") == 1
    letta.agents.messages.create(sam.id, input="only once")
    assert kinds(letta.agents.messages.list(sam.id)).count("user_message") == 2


# Lists


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_iterating_messages_meets_each_once(letta: Any, talked: Any, limit: int, order: Any) -> None:
    whole = letta.agents.messages.list(talked.id, order=order, limit=100).items
    ids = [message.id for message in letta.agents.messages.list(talked.id, order=order, limit=limit)]
    assert ids == [message.id for message in whole]
    assert len(set(ids)) == len(ids) > 10


@pytest.fixture
def talked(letta: Any, sam: Any) -> Any:
    for text in ("I moved to Lisbon", "hello", "look up the lamp"):
        letta.agents.messages.create(sam.id, input=text)
    return sam


def test_the_newest_come_first_unless_asked_otherwise(letta: Any, talked: Any) -> None:
    newest = letta.agents.messages.list(talked.id, limit=3).items
    assert len(newest) == 3
    assert newest[0].message_type == "assistant_message"
    oldest = letta.agents.messages.list(talked.id, limit=2, order="asc").items
    assert kinds(oldest) == ["system_message", "user_message"]


def test_messages_are_listed_by_type_and_after_one(letta: Any, talked: Any) -> None:
    users = letta.agents.messages.list(talked.id, include_return_message_types=["user_message"], order="asc").items
    assert [m.content for m in users] == ["I moved to Lisbon", "hello", "look up the lamp"]
    later = letta.agents.messages.list(talked.id, order="asc", after=users[1].id, limit=100).items
    assert said(later).startswith("You said: *hello*")
    before = letta.agents.messages.list(talked.id, order="asc", before=users[1].id, limit=100).items
    assert "hello" not in said(before)
    with pytest.raises(NotFoundError):
        letta.agents.messages.list(talked.id, after="message-99999999")


def test_recall_storage_is_searched(letta: Any, talked: Any) -> None:
    found = letta.messages.search(query="Lisbon", agent_id=talked.id)
    assert found[0].content == "I moved to Lisbon"
    listed = {message.id for message in letta.agents.messages.list(talked.id)}
    assert {item.message_id for item in found} <= listed
    assert letta.messages.search(query="Lisbon")[0].message_id == found[0].message_id
    assert letta.messages.search(query="Lisbon", end_date="2001-01-01T00:00:00Z") == []


# Runs and steps


def test_a_message_is_sent_without_waiting(letta: Any, sam: Any) -> None:
    run = letta.agents.messages.create_async(sam.id, input="hello")
    assert (run.agent_id, run.id[:4]) == (sam.id, "run-")
    until(lambda: letta.runs.retrieve(run.id).status == "completed", "the run's end", 20)
    assert letta.runs.retrieve(run.id).stop_reason == "end_turn"
    assert kinds(letta.runs.messages.list(run.id)) == ["user_message", "reasoning_message", "assistant_message"]


def test_runs_and_steps_tell_what_they_took(letta: Any, talked: Any) -> None:
    runs = list(letta.runs.list(agent_id=talked.id))
    assert [run.status for run in runs] == ["completed"] * 3
    assert list(letta.runs.list(agent_id=talked.id, active=True)) == []
    assert len(list(letta.runs.list(agent_ids=[talked.id], statuses=["completed"], limit=1))) == 3
    first = runs[-1]
    steps = list(letta.runs.steps.list(first.id))
    assert [step.run_id for step in steps] == [first.id] * 2
    usage = letta.runs.usage.retrieve(first.id)
    assert usage.total_tokens == sum(step.total_tokens or 0 for step in steps)
    assert letta.steps.retrieve(steps[0].id).model == "scripted"
    assert kinds(letta.steps.messages.list(steps[0].id)) == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
    ]
    assert len(list(letta.steps.list(agent_id=talked.id, limit=2))) == 5


def test_a_run_is_cancelled(letta: Any, sam: Any) -> None:
    run = letta.agents.messages.create_async(sam.id, input="never end")
    until(lambda: letta.runs.retrieve(run.id).status == "running", "a running run", 20)
    assert letta.agents.messages.cancel(sam.id) == {run.id: "cancelled"}
    until(lambda: letta.runs.retrieve(run.id).status == "cancelled", "the run's end", 20)
    assert letta.agents.messages.cancel(sam.id, run_ids=[run.id]) == {}


def test_a_waiting_request_hears_that_its_run_was_cancelled(letta: Any, sam: Any) -> None:
    def cancel() -> None:
        until(lambda: bool(list(letta.runs.list(agent_id=sam.id, statuses=["running"]))), "a running run", 20)
        letta.agents.messages.cancel(sam.id)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    answer = letta.agents.messages.create(sam.id, input="never end")
    canceller.join()
    assert answer.stop_reason.stop_reason == "cancelled"


def test_reset_forgets_the_conversation_and_keeps_memory(letta: Any, talked: Any) -> None:
    letta.agents.passages.create(talked.id, text="The lamp was lit in 1871.")
    agent = letta.agents.messages.reset(talked.id)
    assert list(letta.agents.messages.list(talked.id)) == []
    assert "Lisbon" in agent.memory.blocks[1].value
    assert len(letta.agents.passages.list(talked.id)) == 1
    assert letta.messages.search(query="Lisbon", agent_id=talked.id) == []
    assert said(letta.agents.messages.create(talked.id, input="hello again").messages) == "You said: *hello again*"


def test_compact_waits_for_the_summary(letta: Any, sam: Any) -> None:
    short = letta.agents.messages.compact(sam.id)
    assert (short.num_messages_before, short.summary) == (short.num_messages_after, "")
    for number in range(6):
        letta.agents.messages.create(sam.id, input=f"message {number}")
    done = letta.agents.messages.compact(sam.id)
    assert done.num_messages_after < done.num_messages_before
    assert done.summary == "They talked about the harbour and the lighthouse."


def test_what_happens_elsewhere_is_heard(product: Product, someone: Newcomer, letta: Any, sam: Any) -> None:
    heard: list[dict[str, Any]] = []
    ready, headers = threading.Event(), {"Authorization": f"Bearer {someone.token}"}

    def listen() -> None:
        with httpx.stream("GET", f"{product.url}/v1/agents/{sam.id}/events", headers=headers, timeout=30) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    heard.append(json.loads(line.removeprefix("data: ")))
                    ready.set()
                if any(event["event"] == "run" and event["status"] == "done" for event in heard):
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait(20)
    letta.agents.messages.create(sam.id, input="I moved to Lisbon")
    listener.join(20)
    assert heard[0]["event"] == "state"
    names = [event["event"] for event in heard]
    assert {"step", "delta", "message", "memory_edit", "dropped", "run"} <= set(names)
    told = [event["message"]["message_type"] for event in heard if event["event"] == "message"]
    assert told[:2] == ["user_message", "reasoning_message"]
    (edit,) = [event for event in heard if event["event"] == "memory_edit"]
    assert ["insert", "\nLives in Lisbon."] in edit["change"]
