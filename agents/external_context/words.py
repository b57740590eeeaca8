"""The words side of search: text to `tsvector`.

PostgreSQL's parser makes one word of a whole clause of Chinese, Japanese or Korean, so such runs are written as
space-separated character pairs, on both sides.
"""

import re

from django.contrib.postgres.search import SearchVector
from django.db.models import Value

CONFIG = "english"
MOST_INDEXED = 200_000  # characters: a tsvector holds at most 1 MB

CJK_RUN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def spaced(text: str) -> str:
    """`text` with every CJK run as overlapping character pairs; a single character stays as it is."""
    return CJK_RUN.sub(lambda run: f" {_pairs(run.group())} ", text.replace("\x00", " "))


def vector(text: str) -> SearchVector:
    """An expression for a `words` column. CJK characters stand in it by themselves as well: many are words."""
    written = spaced(text[:MOST_INDEXED])
    characters = " ".join(character for run in CJK_RUN.findall(text[:MOST_INDEXED]) for character in run)
    return SearchVector(Value(f"{written} {characters}"), config=CONFIG)


def _pairs(run: str) -> str:
    return run if len(run) == 1 else " ".join(run[index : index + 2] for index in range(len(run) - 1))
