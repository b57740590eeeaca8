"""Search results with what matched marked in them."""

import re

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from snowballstemmer import stemmer

from agents.text.cjk import CJK_RUN
from agents.text.word_form import folded

EXCERPT = 420  # characters
LEAD = 80  # characters before the first match
WORD = re.compile(r"[\w'’]+")
QUERY_WORD = re.compile(r"[^\s,;:!?\"()\[\]{}<>。，、！？；：「」]+")
MOST_WORDS = 64
# English words that search passes over; marking them would only distract.
UNMARKED = frozenset(
    WORD.findall(
        "a about an and are as at be but by can did do does for from had has have he her him his how i if in is it its"
        " me my of on or our she so that the their them they this to was we were what when where which who why will"
        " with you your"
    )
)

_english = stemmer("english")


def excerpt(text: str, query: str) -> SafeString:
    """The part of `text` with the first match, escaped, with every match in `<mark>`.

    Words match as the database's English dictionary takes them: "keepers" marks "keeper".
    """
    spans = _spans(text, query) if query else []
    start = max(0, spans[0][0] - LEAD) if spans and spans[0][0] > EXCERPT - LEAD else 0
    end = min(len(text), start + EXCERPT)
    parts, at = ["…" if start else ""], start
    for left, right in spans:
        if left >= end:
            break
        parts += [conditional_escape(text[at:left]), f"<mark>{conditional_escape(text[left : min(right, end)])}</mark>"]
        at = min(right, end)
    parts += [conditional_escape(text[at:end]), "…" if end < len(text) else ""]
    return mark_safe("".join(parts))


def _spans(text: str, query: str) -> list[tuple[int, int]]:
    """Where the matches are, in order, none within another."""
    stems: set[str] = set()
    runs: set[str] = set()
    for word in QUERY_WORD.findall(query)[:MOST_WORDS]:
        runs.update(CJK_RUN.findall(word))
        pieces = (piece for piece in WORD.findall(CJK_RUN.sub(" ", word)) if piece.lower() not in UNMARKED)
        stems.update(_stem(piece) for piece in pieces)
    latin = CJK_RUN.sub(lambda run: " " * len(run.group()), text)  # as the index has it: no word spans both
    spans = [match.span() for match in WORD.finditer(latin) if _stem(match.group()) in stems]
    pairs = {run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))}
    if pairs:
        pattern = "|".join(re.escape(piece) for piece in sorted(pairs | runs, key=len, reverse=True))
        spans += [match.span() for match in re.finditer(pattern, text)]
    return _apart(sorted(spans))


def _stem(word: str) -> str:
    stem: str = _english.stemWord(folded(word))
    return stem


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for left, right in spans:
        if merged and left <= merged[-1][1] and (left < merged[-1][1] or right - left <= 2):
            merged[-1] = (merged[-1][0], max(right, merged[-1][1]))
        else:
            merged.append((left, right))
    return merged
