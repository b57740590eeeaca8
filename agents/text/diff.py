"""Word differences between two texts, for revisions."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_COMPARED = 20_000  # characters of both texts: comparing takes time that grows with their square
WORD = re.compile(r"\s+|[\w'’-]+|.", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stands in both, in the new one alone, or in the old one alone."""

    op: Literal["same", "added", "removed"]
    text: str


def words(old: str, new: str) -> list[Piece]:
    """From `old` to `new`, whole words at a time; texts too long to be compared are shown one after the other."""
    if len(old) + len(new) > MOST_COMPARED:
        return [Piece("removed", old), Piece("added", new)]
    before, after = WORD.findall(old), WORD.findall(new)
    pieces: list[Piece] = []
    for op, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if op == "equal":
            pieces.append(Piece("same", "".join(before[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(Piece("removed", "".join(before[i1:i2])))
        if j2 > j1:
            pieces.append(Piece("added", "".join(after[j1:j2])))
    return pieces


def without(current: str, edited: str, before: str) -> str | None:
    """`current` less the edit that made `edited` of `before`, whole words at a time.

    None if words that the edit wrote, or the place where it took words out, were changed since, or if the texts are too
    long to be compared.
    """
    if current == edited:
        return before
    if len(current) + len(edited) + len(before) > 2 * MOST_COMPARED:
        return None
    then, now, old = (WORD.findall(text) for text in (edited, current, before))
    unchanged = SequenceMatcher(None, then, now, autojunk=False).get_matching_blocks()
    result, at = "", 0
    for op, i1, i2, j1, j2 in SequenceMatcher(None, then, old, autojunk=False).get_opcodes():
        if op == "equal":
            continue
        # Of two stretches that meet at an insertion, the first: what was written since comes after it.
        home = next((k for k in unchanged if k.a <= i1 and i2 <= k.a + k.size and k.size), None)
        if home is None:
            return None
        start = home.b + i1 - home.a
        result += "".join(now[at:start]) + "".join(old[j1:j2])
        at = start + i2 - i1
    return result + "".join(now[at:])
