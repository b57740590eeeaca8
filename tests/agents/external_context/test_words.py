"""Search by words: index and query in one form, and rows that were indexed in the form before."""

import pytest
from django.db import connection

from agents import tasks
from agents.external_context import archival_storage, recall_storage, reindexing, words
from agents.external_context.hybrid import SearchColumns, candidates
from agents.external_context.vector_index import ARCHIVAL, RECALL
from agents.llm.scripted import say
from agents.models import Agent, Message, Passage
from agents.text.cjk import spaced
from memweb import beat
from tests.agents.text.test_word_form import OTHER, SAME
from tests.conftest import ServeModel, exchange


def file(agent: Agent, text: str) -> Passage:
    passage = archival_storage.build(agent.archive, text, None)
    passage.save()
    return passage


def found(agent: Agent, query: str) -> list[str]:
    rows = Passage.objects.filter(archive=agent.archive_id)
    columns = SearchColumns(ARCHIVAL, words=("words",), vectors=())
    return [candidate.row.text for candidate in candidates(rows, [agent.archive_id], columns, query)]


def make_old(agent: Agent) -> None:
    """As an installation from before has its rows."""
    with connection.cursor() as cursor:
        for passage in Passage.objects.all():
            cursor.execute(
                "UPDATE agents_passage SET words = to_tsvector('english', %s), words_form = 0 WHERE id = %s",
                [spaced(passage.text), passage.pk],
            )
        for message in recall_storage.spoken(agent):
            cursor.execute(
                "UPDATE agents_message SET words = to_tsvector('english', %s), words_form = 0,"
                " context_words = to_tsvector('english', %s) WHERE id = %s",
                [message.content, message.content, message.pk],
            )


@pytest.mark.parametrize(("one", "other"), SAME)
def test_either_spelling_finds_the_other(agent: Agent, one: str, other: str) -> None:
    file(agent, f"Here is {one}.")
    file(agent, f"Here is {other}.")
    file(agent, "Nothing of the kind.")
    assert len(found(agent, one)) == len(found(agent, other)) == 2


@pytest.mark.parametrize(("one", "other"), OTHER[:-1])
def test_another_word_is_not_found(agent: Agent, one: str, other: str) -> None:
    file(agent, f"Here is {one}.")
    assert not found(agent, other)


def test_rows_of_before_are_found_until_they_are_indexed_anew(agent: Agent) -> None:
    file(agent, "José uses Wi-Fi at the café.")
    make_old(agent)
    file(agent, "Jose was at the cafe.")
    assert len(found(agent, "café")) == 2
    assert len(found(agent, "Wi-Fi")) == 1
    assert len(found(agent, "cafe")) == 1  # the old row knows the word with its accent alone
    while reindexing.work():
        pass
    assert reindexing.left() == 0
    assert len(found(agent, "cafe")) == 2
    assert len(found(agent, "wifi")) == 1


def test_messages_are_indexed_anew_with_their_context(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("At the café."), say("Yes.")])
    exchange(agent, "Where is José?")
    list(recall_storage.embed_missing(agent))
    fresh = list(Message.objects.order_by("pk").values_list("words", "context_words"))
    make_old(agent)
    assert reindexing.left() == 2
    reindexing.work()
    assert list(Message.objects.order_by("pk").values_list("words", "context_words")) == fresh
    assert not Message.objects.filter(words_form=0, words__isnull=False).exists()
    columns = SearchColumns(RECALL, words=("context_words",), vectors=())
    rows = recall_storage.spoken(agent)
    assert len(candidates(rows, [agent.pk], columns, "jose")) == 2


def test_work_that_was_cut_short_goes_on_where_it_stopped(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        file(agent, f"café {number}")
    make_old(agent)
    monkeypatch.setattr(reindexing, "BATCH", 2)
    monkeypatch.setattr(reindexing, "SLICE_SECONDS", -1)
    left = [reindexing.left()]
    while reindexing.work():
        left.append(reindexing.left())
    assert left == [5, 3, 1]


def test_nothing_to_do_costs_two_look_ups_in_empty_indexes(agent: Agent) -> None:
    condition = f"words IS NOT NULL AND words_form < {words.FORM}"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for table in ("agents_message", "agents_passage"):
            cursor.execute(f"EXPLAIN SELECT count(*) FROM {table} WHERE {condition}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "words_older" in plan and "Seq Scan" not in plan


def test_the_clock_asks_for_it(agent: Agent) -> None:
    file(agent, "café")
    make_old(agent)
    assert beat.app.conf.beat_schedule["index words"]["task"] == tasks.index_words.name
    tasks.index_words()
    assert reindexing.left() == 0
