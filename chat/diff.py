"""Word differences between two texts, for revisions."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

WORD = re.compile(r"\s+|[\w'’-]+|.", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    op: Literal["same", "added", "removed"]
    text: str


def words(old: str, new: str) -> list[Piece]:
    """From `old` to `new`, whole words at a time."""
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
