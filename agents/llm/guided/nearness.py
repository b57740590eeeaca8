"""How much a statement has in common with a line of core memory, and whether it may change it. No model call."""

import re

from agents.llm.guided.signs import (
    THINGS,
    called,
    is_of_oneself,
    is_of_somebody_else,
    is_of_the_speaker,
    is_plan,
    relations,
    topics,
)
from agents.llm.guided.units import subject
from agents.llm.guided.values import counted, values_of
from agents.llm.guided.words import CJK, stems

_ADDS = re.compile(
    r"\b(also|as well|too(?=\W*$|[,.;!])|another|additionally|on top of|"
    r"(a|got|have) (second|third))\b|另外|还(?!是)|也",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"\b(?:started|begun|began|taken up|took up|start) (?:to )?\w+ing\b", re.IGNORECASE)
_ENDS = re.compile(
    r"\b(?:instead|any ?more|no longer|given up|gave up|stopped|dropped|switched|quit|swapped|rather)\b", re.I
)
_MAIN = re.compile(r"[,;，；]|\b(?:since|because|as|so|but|and|who|which|when|if|while)\b")
_WHICH = re.compile(
    r"\b(?:older|elder|eldest|oldest|younger|youngest|big|little|first|second)\b|[大小二三](?=女儿|儿子|姐|妹|哥|弟|孙)",
    re.I,
)
_SAME_AGE = {
    "elder": "older",
    "eldest": "older",
    "oldest": "older",
    "big": "older",
    "youngest": "younger",
    "little": "younger",
}


def adds(statement: str) -> bool:
    """Whether a statement tells of one more: “I've also started padel.” leaves the tennis."""
    begins = _BEGINS.search(statement) is not None and _ENDS.search(statement) is None
    return begins or _ADDS.search(statement) is not None


def in_common(line: str, statement: str) -> float:
    """How much speaks for it that the statement is about the line; 0 if it is about somebody else."""
    whom, shared = relations(_MAIN.split(statement)[0]), relations(statement) & relations(line)
    if is_of_another(line, statement):
        return 0
    names = {value.key for value in values_of(line) if value.kind == "name"}
    known = {name for name in names if _stands(name, statement)}
    words = (subject(statement) | counted(statement)) & (subject(line) | counted(line))
    if whom and not (shared or known or (is_of_oneself(statement) and words and not relations(line))):
        return 0
    if is_of_somebody_else(line, statement) and not (known or (words and CJK.search(line))):
        return 0
    first = stems(" ".join(statement.split()[:5])) if not CJK.search(statement) else stems(statement[:6])
    shifts = all(any(value.kind == "shift" for value in values_of(f"x {text}")) for text in (line, statement))
    worth = len(words) + shifts + len(shared) + len(known) + 0.1 * bool(words & first)
    same = topics(statement) & topics(line)
    if not worth and not is_of_the_speaker(statement):  # somebody else's age is on the topic of the user's
        same &= set() if whom else {"wedding"} if relations(line) else THINGS  # “The wedding is on the 21st.”
    return worth + 1.5 * len(same)


def is_of_another(line: str, statement: str) -> bool:
    """Whether line and statement are of two of a kind: elder and younger daughter, brother Tom and brother Jon."""
    if _which(line) and _which(statement) and not _which(line) & _which(statement):
        return True
    whom, shared = relations(_MAIN.split(statement)[0]), relations(line) & relations(statement)
    if relations(line) and whom and not shared:
        return not any(_stands(value.key, statement) for value in values_of(f"x {line}") if value.kind == "name")
    pairs = [(called(line, one), called(statement, one)) for one in shared]
    return any(first and second and not first & second for first, second in pairs)


def _stands(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower()) is not None


def _which(text: str) -> set[str]:
    """Which of several of a kind a text speaks of: the elder daughter."""
    return {_SAME_AGE.get(word.lower(), word.lower()) for word in _WHICH.findall(text)}


def may_change(line: str, statement: str) -> bool:
    """What is planned leaves what is so now."""
    return is_plan(line) or not is_plan(statement)
