"""The FIFO queue: how entries reach the model, where it is cut, and what happens to what does not fit."""

import json
from datetime import UTC, datetime

from agents.main_context import fifo_queue
from agents.models import Message, Summary
from agents.text import tokens

Kind = Message.Kind
NOW = datetime(2026, 11, 22, 10, 2, tzinfo=UTC)


def queue(*kinds: str, cost: int = 10) -> list[Message]:
    return [Message(seq=seq, kind=kind, tokens=cost, created_at=NOW) for seq, kind in enumerate(kinds, start=1)]


TURN = (Kind.USER_MESSAGE, Kind.ASSISTANT, Kind.FUNCTION_RESULT)


def test_the_cut_falls_where_a_turn_starts_and_frees_about_half() -> None:
    assert fifo_queue.eviction_cut(queue(*TURN * 4)) == 7


def test_the_cut_never_parts_a_call_from_its_result() -> None:
    one_long_run = queue(Kind.USER_MESSAGE, *(Kind.ASSISTANT, Kind.FUNCTION_RESULT) * 10)
    cut = fifo_queue.eviction_cut(one_long_run)
    assert cut is not None
    assert one_long_run[cut - 1].kind == Kind.ASSISTANT


def test_the_last_three_messages_stay() -> None:
    messages = queue(Kind.USER_MESSAGE, Kind.USER_MESSAGE, Kind.USER_MESSAGE, Kind.USER_MESSAGE)
    messages[-1].tokens = 10_000
    assert fifo_queue.eviction_cut(messages) == 2


def test_a_queue_too_short_to_cut_is_left_alone() -> None:
    assert fifo_queue.eviction_cut(queue(*TURN)) is None
    assert fifo_queue.eviction_cut([]) is None


def test_events_are_packaged_with_type_message_and_time() -> None:
    message = Message(kind=Kind.USER_MESSAGE, content="Hé “you”", created_at=NOW)
    event = json.loads(fifo_queue.wire(message)["content"])
    assert event == {"type": "user_message", "message": "Hé “you”", "time": "Sun 2026-11-22 10:02 UTC"}


def test_a_heartbeat_gives_its_reason() -> None:
    event = json.loads(fifo_queue.wire(Message(kind=Kind.HEARTBEAT, content="quiet", created_at=NOW))["content"])
    assert (event["type"], event["reason"]) == ("heartbeat", "quiet")


def test_broken_arguments_and_names_reach_the_server_as_something_it_can_parse() -> None:
    calls = [{"id": "1", "name": "bad name!", "arguments": '{"message": "ha'}]
    turn = fifo_queue.wire(Message(kind=Kind.ASSISTANT, calls=calls, created_at=NOW))
    function = turn["tool_calls"][0]["function"]
    assert function["name"] == "bad_name_"
    assert json.loads(function["arguments"]) == {"not_valid_json": '{"message": "ha'}


def test_a_stopped_reply_is_told_as_such() -> None:
    message = Message(kind=Kind.ASSISTANT, content="Once upon", stopped=True, created_at=NOW)
    assert "stopped by the person while saying: Once upon" in fifo_queue.wire(message)["content"]


def test_a_message_larger_than_the_room_is_cut_with_a_note_and_stays_valid_json() -> None:
    turn = {"role": "user", "content": fifo_queue.package("user_message", NOW, message="word " * 3000)}
    small = {"role": "user", "content": fifo_queue.package("user_message", NOW, message="short")}
    cut, kept = fifo_queue.fit([turn, small], 400)
    assert fifo_queue.wire_tokens(cut) + fifo_queue.wire_tokens(kept) <= 400
    assert json.loads(cut["content"])["message"].endswith(fifo_queue.CUT_NOTE)
    assert kept == small


def test_long_call_arguments_are_cut_and_stay_valid_json() -> None:
    arguments = json.dumps({"content": "word " * 3000, "request_heartbeat": True})
    turn = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}],
    }
    (cut,) = fifo_queue.fit([turn], 300)
    assert fifo_queue.wire_tokens(cut) <= 300
    assert json.loads(cut["tool_calls"][0]["function"]["arguments"])["request_heartbeat"] is True


def test_the_summary_heads_the_queue_and_says_when_it_lags_behind() -> None:
    summary = Summary(text="They met.", covers_to=5, tokens=3)
    assert "note" not in json.loads(fifo_queue.summary_text(summary, 5))
    assert "conversation_search" in json.loads(fifo_queue.summary_text(summary, 9))["note"]
    assert fifo_queue.summary_text(None, 1) == ""
    assert "not summarised yet" in fifo_queue.summary_text(None, 9)


def test_special_token_text_is_counted_as_text() -> None:
    assert tokens.count("<|endoftext|>") > 1
