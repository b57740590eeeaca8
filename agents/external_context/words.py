"""The words side of search: text to `tsvector`.

PostgreSQL's parser makes one word of a whole clause of Chinese, Japanese or Korean, so such runs are written as
space-separated character pairs, on both sides.
"""

from django.contrib.postgres.search import SearchVector
from django.db.models import Value

from agents.text.cjk import CJK_RUN, spaced

CONFIG = "english"
MOST_INDEXED = 200_000  # characters: a tsvector holds at most 1 MB


def vector(text: str) -> SearchVector:
    """An expression for a `words` column. CJK characters stand in it by themselves as well: many are words."""
    return SearchVector(Value(indexed(text)), config=CONFIG)


def indexed(text: str) -> str:
    """The text of which the index of words is made."""
    written = spaced(text[:MOST_INDEXED])
    characters = " ".join(character for run in CJK_RUN.findall(text[:MOST_INDEXED]) for character in run)
    return f"{written} {characters}"
