"""BM25 over a `tsvector` column, in SQL: PostgreSQL's own ranks know nothing of how rare a word is.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). PostgreSQL has no index that
brings the best rows first, so only as many rows are scored as the rarer words of a query match. How often a word
occurs is counted among those rows; for a commoner word it is taken from the database's own statistics.
"""

from collections.abc import Mapping
from itertools import accumulate, combinations
from typing import Any

MOST_LEXEMES = 64  # of a query
LIKELY_ROWS = 1000  # that the words looked up may match, by the statistics
SMALL_STORE_LIMIT = 10_000  # rows of a small store that a lookup brings, should the statistics be wrong
# In a large store: so many words are looked up one by one, so many of them in pairs, and each lookup brings so many
# rows at most. A word that is rarer than that brings all of its rows; of commoner ones the rows with two matter most.
SINGLE_LOOKUPS, PAIRED_LEXEMES, LARGE_STORE_LIMIT = 8, 4, 150
K1, B = 1.2, 0.75

FREQUENCIES_SQL = """
    SELECT coalesce(
        json_agg(json_build_array(lexeme, statistic.attname, statistic.frequency) ORDER BY positions[1]), '[]'
    )
    FROM unnest(
        to_tsvector(%s::regconfig, %s || CASE WHEN {older} THEN %s ELSE '' END)
    ) AS word (lexeme, positions, weights)
    LEFT JOIN (
        SELECT attname, unnest(most_common_elems::text::text[]) AS element, unnest(most_common_elem_freqs) AS frequency
        FROM pg_stats WHERE schemaname = current_schema() AND tablename = %s AND attname = ANY(%s)
    ) AS statistic ON statistic.element = lexeme
"""
"""The lexemes of a query in its order, as `[lexeme, column, share of the rows that have it]`; column and share are null
where the statistics do not know the lexeme. `older` says whether there are rows in an older form of words.
Parameters: configuration, query, query in the older form, table, columns."""


class QueryTerms:
    """The lexemes of a query, for one column, and how to look them up.

    `frequencies` by lexeme are shares of the rows, 0 if unknown. `store_rows` is how many rows are searched, and
    `lookup_rows` how many a lookup goes through: more, where the index of words is shared with other stores.
    """

    def __init__(self, frequencies: Mapping[str, float], store_rows: float, lookup_rows: float) -> None:
        # the rarest first, those of unknown frequency as they stand in the query
        self.lexemes = sorted(frequencies, key=frequencies.__getitem__)[:MOST_LEXEMES]
        self._frequencies, self._store_rows = frequencies, store_rows
        matches = list(accumulate(frequencies[lexeme] * lookup_rows for lexeme in self.lexemes))
        self._rare = [lexeme for lexeme, total in zip(self.lexemes, matches, strict=True) if total <= LIKELY_ROWS]

    def lookups(self, *, large: bool) -> list[tuple[str, int]]:
        """`tsquery` texts and the limit of rows for each: rows with any of the rarer lexemes, or, if all are common,
        with the two that are least so."""
        rare = [_tsquery(lexeme) for lexeme in self._rare]
        if not rare:
            return [(" & ".join(map(_tsquery, self.lexemes[:2])), LARGE_STORE_LIMIT if large else SMALL_STORE_LIMIT)]
        if not large:
            return [(" | ".join(rare), SMALL_STORE_LIMIT)]
        pairs = [" & ".join(pair) for pair in combinations(rare[:PAIRED_LEXEMES], 2)]
        return [(query, LARGE_STORE_LIMIT) for query in (*pairs, *rare[:SINGLE_LOOKUPS])]

    @property
    def parameters(self) -> list[Any]:
        """Of `ranking_ctes`."""
        looked_up = self._rare or self.lexemes[:2]
        return [
            self.lexemes,
            [_tsquery(lexeme) for lexeme in self.lexemes],
            [self._frequencies[lexeme] * self._store_rows for lexeme in self.lexemes],
            [lexeme in looked_up for lexeme in self.lexemes],
            self._store_rows,
        ]


def ranking_ctes(n: int, *, column: str, table: str, limit: int) -> list[str]:
    """Common table expressions that choose the best rows of `match_n (id)`: the last one is `best_n (id)`.

    The choice is by the summed weight of the lexemes that were looked up, which is cheap; `score` then scores them.
    `column` and `table` are quoted names. Parameters: those of `QueryTerms`.
    """
    return [
        f"candidate_{n} AS MATERIALIZED (SELECT row.id, row.{column} AS words FROM match_{n} JOIN {table} AS row"
        " USING (id))",
        f"""term_{n} AS MATERIALIZED (
            SELECT * FROM unnest(%s::text[], %s::text[]::tsquery[], %s::float8[], %s::boolean[])
                AS term (lexeme, query, likely_rows, looked_up)
        )""",
        f"""occurrence_{n} AS MATERIALIZED (
            SELECT candidate.id, length(candidate.words) AS length, term.lexeme
            FROM candidate_{n} AS candidate
            JOIN term_{n} AS term ON term.looked_up AND candidate.words @@ term.query
        )""",
        f"""weight_{n} AS MATERIALIZED (
            SELECT lexeme, ln(1 + (greatest(%s, rows) - rows + 0.5) / (rows + 0.5)) AS weight
            FROM (
                SELECT lexeme, greatest(max(likely_rows), count(occurrence.id)) AS rows
                FROM term_{n} LEFT JOIN occurrence_{n} AS occurrence USING (lexeme) GROUP BY lexeme
            ) AS counted
        )""",
        f"length_{n} AS MATERIALIZED (SELECT coalesce(avg(length(words)), 1) AS average FROM candidate_{n})",
        f"""best_{n} AS MATERIALIZED (
            SELECT id FROM occurrence_{n} JOIN weight_{n} USING (lexeme)
            GROUP BY id ORDER BY sum(weight) DESC, min(length), id DESC LIMIT {limit}
        )""",
    ]


def score(n: int, *, column: str) -> str:
    """The BM25 score of `row` by one of its columns, as an SQL expression beside the tables of `ranking_ctes`."""
    length_part = f"{K1} * (1 - {B} + {B} * length(row.{column}) / average)"
    return f"""coalesce((
        SELECT sum(weight * times * ({K1} + 1) / (times + {length_part}))
        FROM length_{n}, unnest(row.{column}) AS word
        JOIN weight_{n} USING (lexeme)
        CROSS JOIN LATERAL (SELECT coalesce(cardinality(word.positions), 1) AS times) AS counted
    ), 0)::float8"""


def _tsquery(lexeme: str) -> str:
    """One lexeme as a `tsquery`, quoted."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
