"""Searching functions: totals, pages, days, what is found at once, and bad input in words."""

import json
import uuid
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents import queue_manager, services
from agents.exceptions import FunctionError
from agents.external_context import archival_storage, recall_storage
from agents.functions import registry
from agents.functions.registry import Context
from agents.models import Agent, Archive, Message, Run, Step
from tests.conftest import make_agent

Kind = Message.Kind


def said(agent: Agent, text: str, kind: Kind = Kind.USER_MESSAGE, at: datetime | None = None) -> Message:
    message = Message(kind=kind, content=text, created_at=at or timezone.now())
    queue_manager.append(agent, message)
    return message


def run(agent: Agent, name: str, **arguments: object) -> str:
    run = Run.objects.create(agent=agent, idempotency_key=uuid.uuid4().hex)
    step = Step.objects.create(run=run, number=1, queue_start=1, last_seq=1)
    context = Context(agent, run, step, {}, run_start_seq=10**9, now=timezone.now())
    call = registry.validate(name, json.dumps(arguments))
    return call.function.body(context, **call.arguments)


def test_the_agents_own_replies_are_searchable(agent: Agent) -> None:
    said(agent, "I recommend the Blue Heron café.", Kind.ASSISTANT)
    assert "you: I recommend the Blue Heron café." in run(agent, "conversation_search", query="heron café")


def test_totals_and_pages_are_true(agent: Agent) -> None:
    for number in range(12):
        said(agent, f"lighthouse fact {number}")
    assert run(agent, "conversation_search", query="lighthouse").startswith("Showing 5 of 12, page 1 of 3.")
    assert run(agent, "conversation_search", query="lighthouse", page=3).startswith("Showing 2 of 12, page 3 of 3.")
    assert run(agent, "conversation_search", query="lighthouse", page=4) == "There is no page 4: 12 found, 3 pages."


def test_pages_do_not_repeat_a_message(agent: Agent) -> None:
    for number in range(12):
        said(agent, f"lighthouse fact {number}")
    pages = [recall_storage.find(agent, "lighthouse", page=page) for page in (1, 2, 3)]
    seqs = [hit.row.seq for page in pages for hit in page.hits]
    assert len(seqs) == len(set(seqs)) == 12


def test_a_days_range_includes_that_day_to_its_end(agent: Agent) -> None:
    late = timezone.make_aware(datetime(2026, 3, 5, 23, 59, 30))
    said(agent, "almost midnight", at=late)
    answer = run(agent, "conversation_search_date", start_date="2026-03-05", end_date="2026-03-05")
    assert "almost midnight" in answer and "Showing 1 of 1" in answer


def test_today_to_today_finds_what_was_just_said(agent: Agent) -> None:
    said(agent, "just now")
    today = timezone.localdate().isoformat()
    assert "just now" in run(agent, "conversation_search_date", start_date=today, end_date=today)


def test_a_new_passage_is_found_at_once(agent: Agent) -> None:
    run(agent, "archival_memory_search", query="barometer")
    run(agent, "archival_memory_insert", content="The key hangs behind the barometer.")
    assert "behind the barometer" in run(agent, "archival_memory_search", query="barometer")


def test_a_message_not_yet_embedded_is_found_by_its_words(agent: Agent) -> None:
    said(agent, "The code is XK-4471.")
    assert "XK-4471" in run(agent, "conversation_search", query="XK-4471")


def test_chinese_is_found_without_spaces(agent: Agent) -> None:
    said(agent, "我的妹妹住在里斯本，她养了一只猫。")
    said(agent, "今天天气很好，我们去爬山。")
    found = recall_storage.find(agent, "里斯本")
    assert found.hits[0].row.content.startswith("我的妹妹")


def test_embedding_is_done_in_batches_until_nothing_is_left(agent: Agent) -> None:
    for number in range(40):
        said(agent, f"fact {number}")
    assert [recall_storage.embed_missing(agent) for _ in range(3)] == [32, 8, 0]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("conversation_search", {"query": "  "}, "query is empty"),
        ("archival_memory_search", {"query": "x" * 10_000}, "10,000 characters"),
        ("conversation_search", {"query": "x", "page": 0}, "counts from 1"),
        ("conversation_search_date", {"start_date": "yesterday", "end_date": "2026-01-01"}, "not a day"),
        ("conversation_search_date", {"start_date": "2026-01-02", "end_date": "2026-01-01"}, "before start_date"),
        ("archival_memory_insert", {"content": " "}, "empty"),
        ("archival_memory_insert", {"content": "x" * 9000}, "9,000 characters"),
        ("pause_heartbeats", {"minutes": 0}, "from 1 to"),
        ("send_message", {"message": "\n"}, "empty"),
    ],
)
def test_bad_input_gets_a_sentence(agent: Agent, name: str, arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(FunctionError, match=reason):
        run(agent, name, **arguments)


@pytest.mark.parametrize("query", ["' OR 1=1 --", "a & | ! b", '"', "((((", ":*", "%", "<->", "\\"])
def test_quotes_and_operators_are_just_words(agent: Agent, query: str) -> None:
    said(agent, "something else")
    run(agent, "conversation_search", query=query)
    run(agent, "archival_memory_search", query=query)


def test_nothing_found_is_said(agent: Agent) -> None:
    assert "Nothing in the conversation matches" in run(agent, "conversation_search", query="x")
    assert run(agent, "archival_memory_search", query="x") == "Archival storage is empty."


def test_someone_elses_memory_is_never_found(agent: Agent, bob: User) -> None:
    other = make_agent(bob, "Other")
    said(other, "bob's secret lighthouse")
    archival_storage.insert(other.archive, "bob's secret lighthouse")
    assert "secret" not in run(agent, "conversation_search", query="secret lighthouse")
    assert "secret" not in run(agent, "archival_memory_search", query="secret lighthouse")


def test_an_attached_archive_is_searched_too(agent: Agent, alice: User) -> None:
    shared = Archive.objects.create(owner=alice, name="Library")
    archival_storage.insert(shared, "The moon is made of rock.")
    agent.attached_archives.add(shared)
    assert "made of rock" in run(agent, "archival_memory_search", query="moon")


def test_a_small_agent_in_a_large_table_finds_its_own(agent: Agent, bob: User) -> None:
    """A filtered HNSW scan may come back empty without iterative scan."""
    other = make_agent(bob, "Other")
    vectors = [archival_storage.build(other.archive, f"harbour {n}", [float(n % 7 + 1)] * 384) for n in range(3000)]
    type(vectors[0]).objects.bulk_create(vectors)
    services.passage_add(agent=agent, text="harbour of my own")
    assert [hit.row.text for hit in archival_storage.find(agent, "harbour").hits] == ["harbour of my own"]


def test_a_result_is_cut_with_a_note() -> None:
    text = registry.cut("x" * 5000)
    assert text.startswith("x" * 3000) and "5,000 characters in all" in text
