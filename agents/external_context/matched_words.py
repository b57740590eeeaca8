"""Which words of a query stand in rows that a search found: asked of the index itself, for the few rows that are shown.

Words are compared as the search compares them, by their lexemes, and told in the query's form (`text/word_form`):
"keepers" of a query stands in "The keeper slept.", and "wifi" in "Wi-Fi".
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from django.db import connection

from agents.external_context import words
from agents.external_context.hybrid import SearchColumns


class Beside(NamedTuple):
    """What the words of a row hold beside its text: the day it was said, and who said it."""

    day: str = ""
    name: str = ""


class Match(NamedTuple):
    """A word of the query that stands in a column of a row. `beside` says so if it is one of the day's or of
    the name's."""

    word: str
    beside: Literal["", "day", "name"] = ""


Matches = dict[tuple[int, str], tuple[Match, ...]]


def matched_words(columns: SearchColumns, query: str, rows: Mapping[int, Beside]) -> Matches:
    """By row and column, in the query's order. `rows` by their keys. One statement."""
    if not rows:
        return {}
    asked = list(dict.fromkeys([*words.asked(query).split(), *words.asked_before(query).split()]))
    days, names = ([words.indexed(text) for text in texts] for texts in zip(*rows.values(), strict=True))
    found: dict[tuple[int, str], list[Match]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_sql(columns), [asked, *[words.CONFIG] * 3, list(rows), days, names])
        for row, column, word, beside in cursor.fetchall():
            found.setdefault((row, column), []).append(Match(word, beside))
    return {place: tuple(matches) for place, matches in found.items()}


def _sql(columns: SearchColumns) -> str:
    """A lexeme that several words of the query have is told once, by the first of them."""
    searched = ", ".join(f"('{column}', row.\"{column}\")" for column in columns.words)
    return f"""
        WITH asked AS (
            SELECT DISTINCT ON (lexeme) lexeme, word, place
            FROM unnest(%s::text[]) WITH ORDINALITY AS given (word, place),
                unnest(to_tsvector(%s::regconfig, word)) AS of_word (lexeme, positions, weights)
            ORDER BY lexeme, place
        ), shown AS (
            SELECT id, to_tsvector(%s::regconfig, day) AS day, to_tsvector(%s::regconfig, name) AS name
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (id, day, name)
        )
        SELECT row.id, searched.name, asked.word, CASE
            WHEN asked.lexeme = ANY(tsvector_to_array(shown.day)) THEN 'day'
            WHEN asked.lexeme = ANY(tsvector_to_array(shown.name)) THEN 'name' ELSE '' END
        FROM shown JOIN "{columns.kind.model._meta.db_table}" AS row USING (id)
            CROSS JOIN LATERAL (VALUES {searched}) AS searched (name, words)
            JOIN asked ON asked.lexeme = ANY(tsvector_to_array(searched.words))
        ORDER BY asked.place
    """
