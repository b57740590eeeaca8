"""BM25 over a `tsvector` column, in SQL: PostgreSQL's own ranks know nothing of how rare a word is.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). PostgreSQL has no index that
brings the best rows first, so only as many rows are looked at as the rarer words of a query bring. How often a word
occurs is counted among those rows; of a commoner one the database's own statistics tell it.
"""

from collections.abc import Mapping
from itertools import accumulate, combinations
from typing import Any

MOST_LEXEMES = 64
LIKELY_ROWS = 1000  # that the words looked up may bring by the statistics
MOST_ROWS = 10_000  # of a small store that are looked at, if the statistics are wrong
# Of a large store: so many words are looked up, so many of them in pairs, and each brings so many rows at most. A word
# that is rarer than that brings all of its own; of commoner ones the rows with two of them matter most.
ALONE, PAIRED, EACH = 8, 4, 150
K1, B = 1.2, 0.75

# Of the words of a text, as they stand in it: how many rows have each, in parts of 1, per column; null where the
# statistics do not know it.
FREQUENCIES = """
    SELECT coalesce(json_agg(json_build_array(lexeme, known.attname, known.frequency) ORDER BY positions[1]), '[]')
    FROM unnest(to_tsvector(%s::regconfig, %s)) AS word (lexeme, positions, weights)
    LEFT JOIN (
        SELECT attname, unnest(most_common_elems::text::text[]) AS element, unnest(most_common_elem_freqs) AS frequency
        FROM pg_stats WHERE schemaname = current_schema() AND tablename = %s AND attname = ANY(%s)
    ) AS known ON known.element = lexeme
"""

# Common table expressions for one column; `found_n (id)` are the rows that are looked at. First the best by the weight
# of the words they were looked up by, which is cheap: `best_n`.
SAID = """
    said_{n} AS MATERIALIZED (SELECT row.id, row.{column} AS words FROM found_{n} JOIN {table} AS row USING (id))
"""
BEST = """
    asked_{n} AS MATERIALIZED (
        SELECT * FROM unnest(%s::text[], %s::text[]::tsquery[], %s::float8[], %s::boolean[])
            AS asked (lexeme, query, likely, looked_up)
    ),
    met_{n} AS MATERIALIZED (
        SELECT said.id, length(said.words) AS length, asked.lexeme
        FROM said_{n} AS said JOIN asked_{n} AS asked ON asked.looked_up AND said.words @@ asked.query
    ),
    weight_{n} AS MATERIALIZED (
        SELECT lexeme, ln(1 + (greatest(%s, rows) - rows + 0.5) / (rows + 0.5)) AS weight
        FROM (
            SELECT lexeme, greatest(max(likely), count(met.id)) AS rows
            FROM asked_{n} LEFT JOIN met_{n} AS met USING (lexeme) GROUP BY lexeme
        ) AS counted
    ),
    length_{n} AS MATERIALIZED (SELECT coalesce(avg(length(words)), 1) AS usual FROM said_{n}),
    best_{n} AS MATERIALIZED (
        SELECT id FROM met_{n} JOIN weight_{n} USING (lexeme)
        GROUP BY id ORDER BY sum(weight) DESC, min(length), id DESC LIMIT {most}
    )
"""

# Of one row: its score by column `column` of `row`.
SCORE = f"""
    coalesce((
        SELECT sum(weight * times * ({K1} + 1) / (times + {K1} * (1 - {B} + {B} * length(row.{{column}}) / usual)))
        FROM length_{{n}}, unnest(row.{{column}}) AS found
        JOIN weight_{{n}} USING (lexeme)
        CROSS JOIN LATERAL (SELECT coalesce(cardinality(found.positions), 1) AS times) AS counted
    ), 0)::float8
"""


class Asked:
    """The words of a query, as one column has them, and how to look them up.

    `frequencies` of lexemes are in parts of 1, 0 if not known; `rows` are one's own, `searched` those that a lookup
    goes through.
    """

    def __init__(self, frequencies: Mapping[str, float], rows: float, searched: float) -> None:
        # the rarest first, those not known as they stand in the query
        self.lexemes = sorted(frequencies, key=frequencies.__getitem__)[:MOST_LEXEMES]
        self._frequencies, self._rows = frequencies, rows
        brought = list(accumulate(frequencies[lexeme] * searched for lexeme in self.lexemes))
        self._rare = [lexeme for lexeme, sofar in zip(self.lexemes, brought, strict=True) if sofar <= LIKELY_ROWS]

    def lookups(self, *, large: bool) -> list[tuple[str, int]]:
        """The rows to look at: `tsquery`s, and how many rows each may bring. With any of the rarer words; or, if all
        are common, with the two that are least so."""
        rare = [_quoted(lexeme) for lexeme in self._rare]
        if not rare:
            return [(" & ".join(map(_quoted, self.lexemes[:2])), EACH if large else MOST_ROWS)]
        if not large:
            return [(" | ".join(rare), MOST_ROWS)]
        pairs = [" & ".join(pair) for pair in combinations(rare[:PAIRED], 2)]
        return [(query, EACH) for query in (*pairs, *rare[:ALONE])]

    @property
    def parameters(self) -> list[Any]:
        """Of BEST."""
        looked_up = self._rare or self.lexemes[:2]
        return [
            self.lexemes,
            [_quoted(lexeme) for lexeme in self.lexemes],
            [self._frequencies[lexeme] * self._rows for lexeme in self.lexemes],
            [lexeme in looked_up for lexeme in self.lexemes],
            self._rows,
        ]


def _quoted(lexeme: str) -> str:
    """As a `tsquery` of its own."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
