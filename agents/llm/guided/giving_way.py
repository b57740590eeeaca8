"""A line of core memory that a statement makes untrue, and what stands in its place. No model call."""

import re

from agents.llm.guided.correcting import MAX_STATEMENT
from agents.llm.guided.exchanging import QUOTE
from agents.llm.guided.naming import is_name_line
from agents.llm.guided.nearness import adds, in_common, may_change
from agents.llm.guided.notes import BEFORE
from agents.llm.guided.signs import (
    THINGS,
    is_change,
    is_ending,
    is_of_a_third,
    is_of_oneself,
    relations,
    topics,
)
from agents.llm.guided.states import is_over, state_over
from agents.llm.guided.units import is_covered, subject
from agents.llm.guided.values import Value, values_of
from agents.llm.guided.words import CJK, mentions, overlap, stems

_CLAUSE = re.compile(r"\s*[,;，；、]\s*(?:and\s+)?|\s+and\s+")
_LEFT_SOMETHING = re.compile(r"\b(left|quit) (?!(me|us|for|the (team|band|group|club))\b)\w", re.IGNORECASE)
_GOES_ON = re.compile(r"(usually|mostly|sometimes|often|from|on|at|every|with|in|about|so|because)\b", re.IGNORECASE)
KEPT = 0.25  # of a Chinese line, whose values cannot be told, for it to give way without a trace
_IN_A_PLACE = re.compile(r"在(?P<where>[\u4e00-\u9fff]{2})(?!家|一|公司)")
_OF_IT = re.compile(r"[,，、]\s*(?:(?:and )?(?:he|she|who|his|her)\b|[她他它])")
_ARRIVES = re.compile(r"[我们家](?:也|已经|刚)?(?:到了|搬到|搬去|调到|转到)(?!公司|学校|家|医院|车站|机场|单位)")
_IS_THERE = re.compile(r"(?:眼下|现在|目前|如今|人|暂时)*在[\u4e00-\u9fff]{2,3}$")
MAX_NAME = 4  # characters before a name at the beginning of a line


def outdated(lines: list[str], statement: str, *, corrects: bool, changes: bool = False) -> str:
    """The line that a statement makes untrue, where it exchanges no value; empty for none.

    It says that something is different (or was wrong: `corrects`), and has a word, a name or a topic in common with it.
    `changes`: it is told beside a change, and so may be what has changed if it is on the topic of a line.
    """
    statement = statement[:MAX_STATEMENT]
    if changes and not (corrects or is_change(statement)):
        lines = [line for line in lines if topics(line) & topics(statement) & THINGS]
    if adds(statement) and not corrects:
        return ""
    over = next((line for line in lines if is_over(line, statement)), "")
    if over or not (corrects or changes or is_change(statement)):
        return over
    best, most = "", 0.0
    for line in lines:
        # A single word, as “Nurse.”, is of whoever stands before it.
        same_topic = topics(line) & topics(statement) if len(stems(line)) > 1 else set()
        alike = (subject(line) & subject(statement)) - stems(" ".join(relations(statement))) or same_topic
        named = [value for value in values_of(line) if value.kind == "name"]
        ended = (
            is_ending(statement)
            and not _LEFT_SOMETHING.search(statement)
            and all(mentions(statement, value.key) for value in named)
        )
        worth = in_common(line, statement) if (alike or ended) and not is_of_others(line, statement) else 0
        worth = worth or bool(_left_place(clauses(line), statement))
        if worth and worth >= most and may_change(line, statement) and not (is_name_line(line) or QUOTE.search(line)):
            best, most = line, worth
    return best


def is_of_others(line: str, statement: str) -> bool:
    """Whether one of the two is about the user, the other about somebody it does not name: “Bo plays with me now.”."""
    if is_of_a_third(line):
        return is_of_oneself(statement) and not any(mentions(statement, one.key) for one in _begins(line))
    named = _begins(statement) if is_of_a_third(statement) and not relations(line) else []
    return bool(named) and not any(mentions(line, one.key) for one in named)


def _begins(line: str) -> list[Value]:
    """The name that a line begins with."""
    return [value for value in values_of(f"x {line}") if value.kind == "name" and value.start < MAX_NAME]


def as_before(old: str, note: str) -> str:
    """The note, and below it the old line as what was so before."""
    if CJK.search(old):
        return f"{note}\n{BEFORE[1]}{old}"
    first = old[:1] if is_of_a_third(old) else old[:1].lower()
    return f"{note}\n{BEFORE[0]}{first}{old[1:]}"


def in_place_of(old: str, note: str, statement: str) -> str:
    """What stands where `old` stood: the note; with it the clauses about something else, and what it would lose.

    A value of the old line that nothing takes the place of is kept as what was before. Empty if several facts would go.
    """
    pieces = clauses(old)
    over = state_over(old, statement)
    if pieces and all(_GOES_ON.match(piece) for piece in pieces[1:]):  # “works nights, usually from 8 pm” is one
        pieces = []
    about = _left_place(pieces, statement) or [
        piece for piece in pieces if (over in piece if over else _is_about(piece, f"{statement} {note}"))
    ]
    if len(about) == 1 and len(pieces) > 1:
        text = note.rstrip(".。!！")
        if about[0] != pieces[0] and not statement.startswith(text.split()[0]):
            text = text[:1].lower() + text[1:]
        if _OF_IT.match(old.partition(about[0])[2]):  # “..., she is afraid of dogs” goes with whom it tells of
            return as_before(old, note)
        changed = old.replace(about[0], text, 1)
        place = _IN_A_PLACE.search(about[0])
        return f"{changed}\n{BEFORE[1]}{about[0]}" if place and place["where"] not in changed else changed
    new = values_of(note)
    gone = [value for value in values_of(old) if not is_covered(value.text, f"{note} {statement}")]
    for kind in {value.kind for value in gone}:
        fresh = {value.key for value in new if value.kind == kind and value.key not in old.lower()}
        if len({value.key for value in gone if value.kind == kind}) > len(fresh):
            if len(pieces) > 1 or QUOTE.search(old):
                return ""
            return as_before(old, note)
    if is_ending(statement) and not CJK.search(old):
        return as_before(old, note)
    several = len(pieces) > 1 or _IN_A_PLACE.search(old)
    return as_before(old, note) if several and CJK.search(old) and overlap(old, note) < KEPT else note


def clauses(line: str) -> list[str]:
    """The clauses of a line; none where they are no more than words of a list."""
    pieces = [piece.rstrip(".。") for piece in _CLAUSE.split(line) if piece.strip()]
    return pieces if all(len(stems(piece)) > 1 for piece in pieces) else []


def _left_place(pieces: list[str], statement: str) -> list[str]:
    """The clauses that say no more than where the user is (“眼下在洛阳”), for a statement that they came elsewhere."""
    return [piece for piece in pieces if _IS_THERE.match(piece)] if _ARRIVES.search(statement) else []


def _is_about(clause: str, text: str) -> bool:
    if relations(clause) and not relations(clause) & relations(text) and CJK.search(clause):
        return False
    shared = subject(clause) & subject(text) or topics(clause) & topics(text) or relations(clause) & relations(text)
    return bool(shared) or any(mentions(text, value.key) for value in values_of(clause) if value.kind == "name")
