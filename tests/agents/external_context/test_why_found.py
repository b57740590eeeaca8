"""Why a row was found: the parts of its score add up to it, and its matched words are those that the index has."""

from datetime import timedelta

import pytest
from django.db import connection

from agents import services
from agents.external_context import archival_storage, recall_ranking, recall_storage, words
from agents.external_context.hybrid import BELOW, Hit
from agents.external_context.matched_words import Beside, Match, matched_words
from agents.models import Agent, Message, Passage
from tests.agents.external_context.test_recall_ranking import NOON, embedded, said

CONVERSATION = {
    Message.Kind.USER_MESSAGE: (
        *("The harbour lights burn whale oil.", "Where do you keep the key?", "I painted the boathouse on Sunday."),
        *("我的钥匙在船屋里。", "我上个星期搬到里斯本了", "José uses Wi-Fi at the café near the harbour."),
    ),
    Message.Kind.ASSISTANT: (
        "The key hangs behind the barometer.",
        "你把钥匙放在哪里？",
        "Shall we go to the harbour?",
    ),
}
QUERIES = (
    *("harbour lights", "where do I keep my key", "what did you say about the key on 5 March 2026"),
    *("where does Ann keep it", "里斯本", "我的钥匙在哪里", "wifi at the cafe", "the of and", "keepers painting"),
)


@pytest.fixture
def talked(agent: Agent) -> Agent:
    block = agent.blocks.get(label="human")
    services.block_edit(block=block, value="Name: Ann.", from_revision=1, editor=agent.owner)
    for day, (kind, texts) in enumerate(CONVERSATION.items()):
        said(agent, *texts, kind=kind, at=NOON + timedelta(days=day))
    return embedded(agent)


@pytest.fixture
def filed(talked: Agent) -> Agent:
    for text in [text for texts in CONVERSATION.values() for text in texts]:
        archival_storage.insert(talked.archive, text)
    return talked


def figures(hit: Hit[Message]) -> dict[str, float | None]:
    return {part.name: part.figure for part in hit.parts}


def contributions(hit: Hit[Message]) -> dict[str, float]:
    return {part.name: part.contribution for part in hit.parts}


@pytest.mark.parametrize("query", QUERIES)
def test_the_parts_of_a_score_add_up_to_it(filed: Agent, query: str) -> None:
    recalled = recall_storage.find(filed, query, size=50).hits
    archived = archival_storage.find(filed, query, size=50).hits
    assert len(recalled) == len(archived) == 9
    for hits, names in ((recalled, 8), (archived, 2)):
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.score == pytest.approx(sum(part.contribution for part in hit.parts), abs=1e-9)
            assert len({part.name for part in hit.parts}) == len(hit.parts) == names


def test_each_part_has_what_it_is_named_for(talked: Agent) -> None:
    hits = recall_storage.find(talked, "what did Ann say of the harbour", size=50).hits
    by_text = {hit.row.content: hit for hit in hits}
    lights, ours = by_text["The harbour lights burn whale oil."], by_text["Shall we go to the harbour?"]
    assert figures(lights)["speaker"] == 1 and contributions(lights)["speaker"] == recall_ranking.SPEAKER
    assert figures(ours)["speaker"] == 0 and contributions(ours)["speaker"] == 0
    assert contributions(ours)["question"] == -recall_ranking.QUESTION and contributions(lights)["question"] == 0
    assert figures(lights)["length"] == 6
    assert (figures(lights)["words"] or 0) > 0 and (figures(lights)["context_words"] or 0) > 0
    assert figures(by_text["The key hangs behind the barometer."])["words"] == 0
    assert all(contributions(hit)["talk"] for hit in hits)
    talks = {hit.row.session: contributions(hit)["talk"] for hit in hits}
    assert len(talks) > 1 and all(contributions(hit)["talk"] == talks[hit.row.session] for hit in hits)


def test_a_row_without_a_vector_has_no_figure_of_meaning(talked: Agent) -> None:
    said(talked, "The hygrometer rose.", at=NOON + timedelta(days=9))
    found = recall_storage.find(talked, "hygrometer", size=50).hits
    (hit,) = (hit for hit in found if hit.row.content == "The hygrometer rose.")
    assert [figures(hit)[name] for name in ("embedding", "context_embedding", "context_words")] == [None, None, 0]
    assert contributions(hit)["embedding"] == contributions(hit)["context_embedding"] == 0


def test_a_page_tells_what_was_just_below_it(filed: Agent) -> None:
    whole = [hit.row.pk for hit in recall_storage.find(filed, "harbour", size=50).hits]
    first, second, last = (recall_storage.find(filed, "harbour", page=number, size=4) for number in (1, 2, 3))
    assert [hit.row.pk for hit in first.below] == whole[4 : 4 + BELOW]
    assert [hit.row.pk for hit in second.below] == whole[8:]
    assert [hit.row.pk for hit in last.hits] == whole[8:] and not last.below
    assert first.hits[-1].score >= first.below[0].score


def of_index(query: str, table: str, column: str, row: int) -> int:
    """How many of a query's lexemes stand in a row, as the search asks: of the query as a whole."""
    sql = f"""
        SELECT count(*) FROM {table}, unnest(to_tsvector(%s::regconfig, %s)) AS asked (lexeme, positions, weights)
        WHERE {table}.id = %s AND {column} @@ ('''' || replace(lexeme, '''', '''''') || '''')::tsquery
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [words.CONFIG, words.asked(query), row])
        count: int = cursor.fetchone()[0]
    return count


@pytest.mark.parametrize(
    "query", [*QUERIES, "node.js C++ O'Brien's 1,234.50 2026-03-05", "José's café", "the key, the keys"]
)
def test_matched_words_are_those_that_the_index_has(filed: Agent, query: str) -> None:
    for columns, rows in (
        (recall_ranking.COLUMNS, recall_storage.spoken(filed)),
        (archival_storage.COLUMNS, Passage.objects.all()),
    ):
        keys = list(rows.values_list("pk", flat=True))
        matches = matched_words(columns, query, dict.fromkeys(keys, Beside()))
        for key in keys:
            for column in columns.words:
                counted = of_index(query, columns.kind.model._meta.db_table, column, key)
                assert len(matches.get((key, column), ())) == counted


def test_matched_words_are_the_querys_own(talked: Agent) -> None:
    rows = {row.content: row for row in recall_storage.spoken(talked)}
    beside = recall_storage.beside(talked, rows.values())

    def matches(query: str, text: str, column: str = "words") -> tuple[Match, ...]:
        return matched_words(recall_ranking.COLUMNS, query, beside).get((rows[text].pk, column), ())

    painted = "I painted the boathouse on Sunday."
    assert matches("painting boathouses", painted) == (Match("painting"), Match("boathouses"))
    assert matches("painted on 5 March", painted) == (Match("painted"), Match("march", "day"))
    assert matches("on 05 March", painted)[0] == Match("05", "day")
    assert matches("里斯本", "我上个星期搬到里斯本了") == (Match("里斯"), Match("斯本"))
    assert {"wifi", "cafe"} <= {
        match.word for match in matches("Wi-Fi café", CONVERSATION[Message.Kind.USER_MESSAGE][5])
    }
    assert matches("what did Ann paint", painted) == (Match("ann", "name"), Match("paint"))
    assert not matches("barometer", painted)
    assert matches("key", painted, "context_words") == (Match("key"),)  # of the message before
