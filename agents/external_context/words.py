"""The words side of search: text to `tsvector`.

PostgreSQL's parser makes one word of a whole clause of Chinese, Japanese or Korean, so such runs are written as
space-separated character pairs, on both sides; and it knows no accents, widths or names with signs (`word_form`).

When the form changes, `FORM` goes up and a migration gives the new number to the indexes of rows in an older form
(`of_older_form`); `reindexing` brings those up in the background, and until it is done queries ask in both forms.
"""

from django.contrib.postgres.search import SearchVector
from django.db.models import Q, Value

from agents.text.cjk import CJK_RUN, spaced
from agents.text.compatibility import plain_forms
from agents.text.word_form import word_form

CONFIG = "english"
FORM = 1  # of the words in the index; rows from before there were numbers have 0
MOST_INDEXED = 200_000  # characters: a tsvector holds at most 1 MB


def of_older_form() -> Q:
    """Rows whose words are to be indexed anew: the condition of partial indexes, so that it costs nothing to ask."""
    return Q(words__isnull=False, words_form__lt=FORM)


def vector(text: str) -> SearchVector:
    """An expression for a `words` column. CJK characters stand in it by themselves as well: many are words."""
    return SearchVector(Value(indexed(text)), config=CONFIG)


def indexed(text: str) -> str:
    """The text of which the index of words is made."""
    text = text[:MOST_INDEXED]
    characters = " ".join(character for run in CJK_RUN.findall(plain_forms(text)) for character in run)
    return f"{word_form(text)} {characters}"


def asked(query: str) -> str:
    """The text of which a query is made."""
    return word_form(query)


def asked_before(query: str) -> str:
    """The same for rows in the form before."""
    return spaced(query)
