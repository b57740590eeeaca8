"""The words side of search: text to `tsvector` and query to `tsquery`.

PostgreSQL's parser makes one word of a whole clause of Chinese, Japanese or Korean, so such runs are written as
space-separated character pairs, on both sides.
"""

import re
from functools import reduce
from operator import or_

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Value

CONFIG = "english"
MOST_QUERY_WORDS = 64
MOST_INDEXED = 200_000  # characters: a tsvector holds at most 1 MB

CJK_RUN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
QUERY_WORD = re.compile(r"[^\s,;:!?\"()\[\]{}<>。，、！？；：「」]+")


def spaced(text: str) -> str:
    """`text` with every CJK run as overlapping character pairs."""
    return CJK_RUN.sub(lambda run: f" {_pairs(run.group())} ", text.replace("\x00", " "))


def vector(text: str) -> SearchVector:
    """An expression for a `words` column."""
    return SearchVector(Value(spaced(text[:MOST_INDEXED])), config=CONFIG)


def query(text: str) -> SearchQuery | None:
    """Any of the words (ANDing them finds next to nothing in talk). None if there is no word in it."""
    found = list(dict.fromkeys(QUERY_WORD.findall(spaced(text))))[:MOST_QUERY_WORDS]
    return reduce(or_, (SearchQuery(word, config=CONFIG) for word in found)) if found else None


def _pairs(run: str) -> str:
    return run if len(run) == 1 else " ".join(run[index : index + 2] for index in range(len(run) - 1))
