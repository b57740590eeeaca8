"""BM25 over a `tsvector` column, in SQL: PostgreSQL's own ranks know nothing of how rare a word is.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). How often a word occurs is
counted among the rows that are searched, so one agent's talk is not measured by another's.
"""

from typing import Any

from django.contrib.postgres.search import SearchRank
from django.db import connection
from django.db.models import F, QuerySet

from agents.external_context import words

K1, B = 1.2, 0.75
MOST_CANDIDATES = 5000  # rows

SQL = """
WITH asked AS (SELECT unnest(tsvector_to_array(to_tsvector(%s::regconfig, %s))) AS lexeme),
candidates AS MATERIALIZED ({candidates}),
total AS (SELECT greatest(%s, count(*)) AS rows, avg(length({column})) AS length FROM candidates),
hits AS (
    SELECT id, length({column}) AS length, found.lexeme, coalesce(cardinality(found.positions), 1) AS times
    FROM candidates CROSS JOIN LATERAL unnest({column}) AS found JOIN asked ON asked.lexeme = found.lexeme
),
spread AS (SELECT lexeme, count(*) AS rows FROM hits GROUP BY lexeme)
SELECT id, sum(
    ln(1 + (total.rows - spread.rows + 0.5) / (spread.rows + 0.5))
    * times * ({k1} + 1) / (times + {k1} * (1 - {b} + {b} * hits.length / total.length))
)::float8 AS score
FROM hits JOIN spread USING (lexeme) CROSS JOIN total
GROUP BY id ORDER BY score DESC, id DESC LIMIT %s
"""


def scores(rows: "QuerySet[Any]", column: str, text: str, *, total: int, most: int) -> dict[Any, float]:
    """The best rows for any word of `text`, by id. `total` is about how many rows there are. One query."""
    wanted = words.query(text)
    if wanted is None:
        return {}
    # of a word that stands in very many rows, those where it weighs most: taking the rest apart would only cost
    heaviest = rows.filter(**{column: wanted}).order_by(SearchRank(F(column), wanted).desc(), "-pk")
    found = heaviest.values("id", column)[:MOST_CANDIDATES]
    candidates, parameters = found.query.sql_with_params()
    sql = SQL.format(candidates=candidates, column=f'"{column}"', k1=K1, b=B)
    with connection.cursor() as cursor:
        cursor.execute(sql, [words.CONFIG, words.spaced(text), *parameters, total, most])
        return dict(cursor.fetchall())
