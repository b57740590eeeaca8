"""Streams with a field gone, null, of another type, or an event twice: never a fault of ours."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agents.llm.calls import OpenCalls, calls_in_text
from agents.llm.chunk import Tally
from agents.llm.problems import Problem, ServerSaid
from agents.llm.reading import AnswerReader
from tests.agents.llm.quirks import SAY, STREAMS

NAMES = {SAY[0], "core_memory_append"}
VALID = [list(row.answer.events) for row in STREAMS if row.answer.events and not row.told]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800\x00",
    [],
    [None],
    [[]],
    {},
    {"a": None},
    ["x", 3, {"text": 4}],
]
MUTATIONS = 600


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(events: list[Any], chance: random.Random) -> list[Any]:
    events = copy.deepcopy(events)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(list(places(events)))
        how = chance.randrange(4)
        if how == 0:
            del container[key]
        elif how == 1:
            container[key] = chance.choice(ODD)
        elif how == 2:
            container[key] = None
        else:
            events.insert(chance.randrange(len(events) + 1), copy.deepcopy(chance.choice(events)))
        if not events:
            break
    return events


def read(events: list[Any]) -> None:
    reader, calls, tally, text = AnswerReader(), OpenCalls(NAMES), Tally(), ""
    for event in events:
        for chunk in reader.take(event, 0.1):
            tally.note(chunk)
            text += chunk.content
            for piece in chunk.calls:
                list(calls.take(piece))
    list(reader.end(0.2))
    list(calls.finish())
    completion = tally.completion("", calls.calls() or calls_in_text(text, NAMES)[0], text)
    json.dumps([call.extra for call in completion.calls])
    text.encode()
    for call in completion.calls:
        (call.id + call.name + call.arguments).encode()


@pytest.mark.parametrize("seed", range(6))
def test_mutated_streams_are_read_or_told_as_the_servers(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(MUTATIONS // 6):
        events = mutated(chance.choice(VALID), chance)
        try:
            read(events)
        except ServerSaid:
            continue
        except Exception as error:
            error.add_note(json.dumps(events))
            raise


@pytest.mark.parametrize("seed", range(3))
def test_mutated_errors_are_read(seed: int) -> None:
    chance = random.Random(seed)
    body = {
        "error": {
            "message": "no",
            "code": 400,
            "details": [{"loc": ["body", 1], "msg": "x"}],
            "metadata": {"raw": '{"a": 1}'},
        }
    }
    for _ in range(100):
        for text in (json.dumps(mutated([body], chance)), json.dumps(body)[: chance.randrange(90)]):
            problem = Problem.of(chance.choice([200, 400, 404, 429, 500]), text)
            assert problem.kind and isinstance(problem.knows_no_tools, bool)


@pytest.mark.parametrize(
    "shape",
    ["a", "{", "(", " ", "<", "<function=a>", "<parameter=a>", "send_message(", '{"a":', "<tool_call>a<arg_key>"],
)
def test_long_texts_end(shape: str) -> None:
    """Not measured: what was quadratic took minutes here."""
    text = shape * (200_000 // len(shape))
    assert calls_in_text(text, NAMES) == ((), text)
    assert calls_in_text(f"<function=send_message>{text}", NAMES)[0] == ()
    assert Problem.of(400, text).kind and not Problem.of(400, text).knows_no_tools
