"""Searching functions: totals, pages, days, what is found at once, and bad input in words."""

import json
import re
import uuid
from dataclasses import replace
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import queue_manager
from agents.exceptions import FunctionError
from agents.external_context import archival_storage, bm25, hybrid, recall_ranking, recall_storage
from agents.functions import registry, toolset
from agents.functions.archival_memory import archival_memory_search
from agents.functions.registry import Context, Function
from agents.main_context.fifo_queue import package_result
from agents.models import Agent, Archive, Message, Passage, Run, Step
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
    call = toolset.of(agent).validate(name, json.dumps(arguments))
    assert isinstance(call.function, Function)
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
    assert list(recall_storage.embed_missing(agent)) == [32, 8]


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


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Write to ada.lovelace@example.org about it.", "ada.lovelace@example.org"),
        ("The function is called parse_http_header.", "how does parse_http_header work?"),
        ("The permit number is PT-4471.", "PT-4471"),
        ("The rent went up on 2026-03-14.", "what happened on 2026-03-14"),
        ("灯塔的透镜只能用蒸馏水擦拭。", "蒸馏水"),
        ("茶在厨房里。", "茶"),
        ("灯台の鍵は倉庫にあります。", "倉庫"),
        ("등대의 열쇠는 창고에 있다.", "창고"),
        ("key 6513270e-269e-4d37-b2a7-4de452e6b438", "the key 6513270e-269e-4d37-b2a7-4de452e6b438"),
        ("It said O'Brien \\ 'quoted'.", "O'Brien's \\ 'quoted'"),
    ],
)
def test_one_rare_thing_finds_its_passage(agent: Agent, text: str, query: str) -> None:
    for number in range(20):
        archival_storage.insert(agent.archive, f"The lamp of tower {number} burns and works.")
    archival_storage.insert(agent.archive, text)
    assert archival_storage.find(agent, query).hits[0].row.text == text


def test_the_databases_statistics_tell_common_words_from_rare_ones(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "LIKELY_ROWS", 5)
    for number in range(30):
        archival_storage.insert(agent.archive, f"The lamp of tower {number} burns.")
    archival_storage.insert(agent.archive, "The lamp burns beside a sextant.")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_passage")
    only_words = replace(archival_storage.COLUMNS, vectors=())
    rows = archival_storage.passages_of(agent)
    found = hybrid.candidates(rows, [agent.archive_id], only_words, "lamp sextant")
    assert [candidate.row.text for candidate in found] == ["The lamp burns beside a sextant."]
    common = hybrid.candidates(rows, [agent.archive_id], only_words, "lamp burns tower")
    assert len(common) == 30  # "tower" and one of the two that stand everywhere


def test_a_search_is_two_statements_however_much_is_found(agent: Agent) -> None:
    for number in range(12):
        said(agent, f"lighthouse fact {number}")
        archival_storage.insert(agent.archive, f"lighthouse fact {number}")
    with CaptureQueriesContext(connection) as queries:
        hybrid.candidates(recall_storage.spoken(agent), [agent.pk], recall_ranking.COLUMNS, "lighthouse")
        hybrid.candidates(Passage.objects.all(), [agent.archive_id], archival_storage.COLUMNS, "lighthouse")
    asked = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(asked) == 4


def test_pages_stay_as_they_are_while_a_document_comes_in(agent: Agent) -> None:
    """What the run itself files is found at once, see above."""
    for number in range(7):
        archival_storage.insert(agent.archive, f"harbour fact {number}")
    run = Run.objects.create(agent=agent, idempotency_key="a")
    step = Step.objects.create(run=run, number=1, queue_start=1, last_seq=1)
    context = Context(agent, run, step, {}, run_start_seq=10**9, now=timezone.now())
    first = archival_memory_search(context, "harbour")
    result = said(agent, package_result(ok=True, message="", time=timezone.now()), Kind.FUNCTION_RESULT)
    Message.objects.filter(pk=result.pk).update(function="archival_memory_search", run=run)
    archival_storage.insert(agent.archive, "harbour harbour")
    second = archival_memory_search(context, "harbour", page=2)
    assert "of 7, page 1 of 3" in first and "of 7, page 2 of 3" in second
    facts = [set(re.findall(r"harbour fact \d", page)) for page in (first, second)]
    assert [len(page) for page in facts] == [3, 3] and not facts[0] & facts[1]
    archival_storage.insert(agent.archive, "harbour of this run", step=step)
    assert "of 8, page 1 of 3" in archival_memory_search(context, "harbour")


def test_a_result_is_cut_with_a_note() -> None:
    text = registry.cut("x" * 5000)
    assert text.startswith("x" * 3000) and "5,000 characters in all" in text
