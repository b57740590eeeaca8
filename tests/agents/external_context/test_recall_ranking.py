"""What recall storage finds first: by what came before, by the day, by who said it, by how rare a word is."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.db.models import F

from agents import queue_manager, services
from agents.external_context import recall_storage
from agents.external_context.hybrid import SearchColumns, candidates
from agents.external_context.recall_storage import SESSION_GAP
from agents.external_context.vector_index import RECALL
from agents.models import Agent, Message

Kind = Message.Kind
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


def said(agent: Agent, *texts: str, kind: Kind = Kind.USER_MESSAGE, at: datetime = NOON) -> None:
    """A minute apart."""
    rows = [Message(kind=kind, content=t, created_at=at + timedelta(minutes=n)) for n, t in enumerate(texts)]
    queue_manager.append(agent, *rows)


def embedded(agent: Agent) -> Agent:
    list(recall_storage.embed_missing(agent))
    agent.refresh_from_db()
    return agent


def found(agent: Agent, query: str) -> list[str]:
    return [hit.row.content for hit in recall_storage.find(agent, query, size=50).hits]


def test_an_answer_is_found_by_the_question_it_answers(agent: Agent) -> None:
    said(agent, "Do you have any lighthouses?", "Yes, two of them.")
    said(agent, "It rains.", at=NOON + timedelta(days=3))
    assert "Yes, two of them." in found(embedded(agent), "lighthouses")


def test_silence_for_hours_ends_a_talk(agent: Agent) -> None:
    said(agent, "Do you have any lighthouses?")
    said(agent, "Good morning.", at=NOON + SESSION_GAP + timedelta(minutes=1))
    first, second = recall_storage.spoken(embedded(agent)).order_by("seq")
    assert (first.session, second.session) == (first.seq, second.seq)
    said(agent, "And how are you?", at=second.created_at + timedelta(minutes=1))
    assert recall_storage.spoken(embedded(agent)).order_by("-seq")[0].session == second.seq


def test_a_message_is_found_by_the_day_it_was_said(agent: Agent) -> None:
    said(agent, "We painted the door.")
    said(agent, "We painted the wall.", at=NOON + timedelta(days=60))
    assert found(embedded(agent), "what happened on 5 March 2026")[0] == "We painted the door."


def test_what_is_not_embedded_yet_is_found_by_its_words(agent: Agent) -> None:
    said(agent, "The barometer fell.")
    embedded(agent)
    said(agent, "The hygrometer rose.")
    assert "The hygrometer rose." in found(agent, "hygrometer")


ENGLISH = ("Name: Ann.", "The key is in the boathouse.", "The key is in the cupboard.")
CHINESE = ("姓名：林晓雯。", "钥匙在船屋里。", "钥匙在柜子里。")


@pytest.mark.parametrize(
    ("language", "query", "first"),
    [
        (ENGLISH, "where do I keep the key", "mine"),
        (ENGLISH, "where does Ann keep the key", "mine"),
        (ENGLISH, "where do you keep the key", "yours"),
        (ENGLISH, "where does Sam keep the key", "yours"),
        (CHINESE, "我的钥匙在哪里", "mine"),
        (CHINESE, "林晓雯的钥匙在哪里", "mine"),
        (CHINESE, "你的钥匙在哪里", "yours"),
        (CHINESE, "您的钥匙在哪里", "yours"),
        (CHINESE, "Sam的钥匙在哪里", "yours"),
    ],
)
def test_who_is_named_comes_first(agent: Agent, language: tuple[str, str, str], query: str, first: str) -> None:
    human, mine, yours = language
    block = agent.blocks.get(label="human")
    services.block_edit(block=block, value=human, from_revision=1, editor=agent.owner)
    said(agent, mine, kind=Kind.USER_MESSAGE)
    said(agent, yours, kind=Kind.ASSISTANT, at=NOON + timedelta(days=1))
    assert found(embedded(agent), query)[0] == {"mine": mine, "yours": yours}[first]


def test_a_rare_word_counts_for_more_than_a_common_one(agent: Agent) -> None:
    said(agent, *[f"The lamp of tower {number}." for number in range(20)], "A sextant.")
    columns = SearchColumns(RECALL, words=("words",), vectors=())
    rows = candidates(recall_storage.spoken(agent), [agent.pk], columns, "lamp sextant")
    best = max(rows, key=lambda candidate: candidate.scores["words"])
    assert best.row.content == "A sextant." and len(rows) == 21


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Write to ada.lovelace@example.org about it.", "ada.lovelace@example.org"),
        ("The function is called parse_http_header.", "parse_http_header"),
        ("The permit number is PT-4471.", "PT-4471"),
        ("我上个星期搬到里斯本了", "里斯本"),
        ("来週リスボンに引っ越します", "リスボン"),
        ("我每天早上喝茶", "茶"),
        ("Zarathustra spoke.", "zarathustra"),
        ("The rent went up on 2026-03-14.", "2026-03-14"),
        ("It cost 1,234.50 in all.", "1,234.50"),
    ],
)
def test_one_rare_thing_is_enough(agent: Agent, text: str, query: str) -> None:
    said(agent, *[f"The lamp of tower {number}." for number in range(20)], text)
    assert found(embedded(agent), query)[0] == text


def test_messages_of_one_talk_that_are_embedded_together_are_of_one_talk(agent: Agent) -> None:
    said(agent, "Good evening.", "Good evening.", "It is windy.", "Very.")
    said(agent, "Good morning.", "Good morning.", "All calm.", at=NOON + timedelta(days=1))
    rows = list(recall_storage.spoken(embedded(agent)).order_by("seq"))
    assert [row.session for row in rows] == [rows[0].seq] * 4 + [rows[4].seq] * 3


def test_talks_that_were_split_are_put_together_again(agent: Agent) -> None:
    said(agent, "Good evening.", "It is windy.", "Very.")
    said(agent, "Good morning.", "All calm.", at=NOON + timedelta(days=1))
    right = list(recall_storage.spoken(embedded(agent)).order_by("seq").values_list("session", flat=True))
    agent.messages.update(session=F("seq"))
    migration = import_module("agents.migrations.0019_talks")
    with connection.cursor() as cursor:
        cursor.execute(migration.TALKS)
    assert list(recall_storage.spoken(agent).order_by("seq").values_list("session", flat=True)) == right
