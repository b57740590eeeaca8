"""What is rare in an answer and would be lost, or stay, without a word."""

import json

import pytest

from agents.exceptions import LLMError
from agents.llm import adapting, gateway
from agents.llm.problems import Problem
from agents.llm.scripted import Answer
from agents.llm.think_tags import ThinkTags
from agents.main_context import fifo_queue
from agents.models import Message
from tests.agents.llm.test_gateway import ask, config
from tests.conftest import ServeModel


def event(**delta: object) -> str:
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def split(*pieces: str) -> list[tuple[bool, str]]:
    tags = ThinkTags()
    found = [part for piece in pieces for part in tags.take(piece)]
    return [part for part in [*found, tags.rest()] if part[1]]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_a_character_that_ends_lines_elsewhere_ends_no_event(character: str, serve_model: ServeModel) -> None:
    pieces = tuple(event(content=text) for text in ("one ", f"two{character}three ", "four"))
    serve_model([Answer(events=(*pieces, "data: [DONE]\n\n"))])
    _, completion = ask()
    assert completion.text == f"one two{character}three four"


def test_a_tag_that_is_spoken_of_is_no_thought() -> None:
    spoken = '{"message": "The <think> tag ends with </think>."}'
    assert split(spoken) == [(False, spoken)]
    assert split("Say <think>", " aloud") == [(False, "Say "), (False, "<think> aloud")]
    assert split("<th", "ink>hm</think>\n", "{}") == [(True, "hm"), (False, "\n"), (False, "{}")]
    assert split("hm</think>{}") == [(True, "hm"), (False, "{}")]


def test_what_did_not_help_is_not_remembered(serve_model: ServeModel) -> None:
    body = json.dumps({"error": {"message": "temperature and tool_choice are set, and the roof is on fire"}})
    serve_model([Answer(status=400, body=body)])
    with pytest.raises(LLMError, match="on fire"):
        ask()
    here = config()
    assert adapting.ways_of(here.base_url, here.name).changes == {}
    broken = Problem.of(500, '{"error": {"message": "stream error: stream ID 7; INTERNAL_ERROR"}}')
    assert not adapting.Ways().learn(broken, {"model": "m", "messages": [], "stream": True})


def test_an_answer_gets_no_more_room_than_the_prompt_leaves() -> None:
    here, ways = config(context_window=16_384), adapting.Ways(room=4)
    assert gateway._room(here, ways, sent=2_000) == 8_192
    assert gateway._room(here, ways, sent=12_000) == 4_384
    assert gateway._room(here, ways, sent=16_000) == here.reply_reserve


def test_an_object_without_a_call_is_nothing_for_the_person(serve_model: ServeModel) -> None:
    serve_model([Answer(content='{"inner_thoughts": "He lies.", "call": null}')])
    _, completion = ask("json_schema")
    assert completion.calls == () and completion.text == "" and "He lies." in completion.inner_monologue


def test_reasoning_is_given_back_as_far_as_there_is_room_the_newest_first() -> None:
    state = {"server": "here", "reasoning_content": "word " * 100}
    messages = [Message(pk=n, kind=Message.Kind.ASSISTANT, run_id=1, state=state, content="Hi") for n in (1, 2, 3)]
    turns = [fifo_queue.wire(message) for message in messages]
    whole, cost = fifo_queue.with_state(turns, messages, "here", 1, 10_000)
    assert all("reasoning_content" in turn for turn in whole) and cost > 300
    some, cost_of_some = fifo_queue.with_state(turns, messages, "here", 1, cost - 1)
    assert ["reasoning_content" in turn for turn in some] == [False, True, True] and cost_of_some < cost
    assert fifo_queue.with_state(turns, messages, "elsewhere", 1, 10_000) == (tuple(turns), 0)
