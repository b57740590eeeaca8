"""A correction or a change that only exchanges a value of a line: the value is exchanged, the rest of the line stays.

No model call. What cannot be told by the kinds of values is left to the model and its guards.
"""

import re
from dataclasses import dataclass

from agents.llm.guided.exchanging import exchange, exchanges_of, fitted
from agents.llm.guided.nearness import adds, in_common, is_of_another, may_change
from agents.llm.guided.signs import AGEING, is_change, is_of_somebody_else, topics
from agents.llm.guided.units import subject
from agents.llm.guided.values import same_value, values_of

_SUBJECT_OF_BEFORE = re.compile(r"^\W*(it|that|this|she|he|they|her|his|their|its)\b|^(它|她|他|那|这)", re.IGNORECASE)
MAX_STATEMENT = 600  # characters; what is longer corrects nothing by its end
_PIECE = re.compile(r"[,.!?;:，。！？；]\s*| (?:and|but|because) ")
_TAKEN_BACK = re.compile(
    r"\b(was|were|not|nonsense|too|previous\w*|said|wrote|typed|counting|thinking|old|last)\b|n['’]t\b|不是|说|写|看|以前|去年|之前",
    re.IGNORECASE,
)
_ONLY_WRONG = re.compile(
    r"^\W*(it|that|this) (was|wasn['’]t|isn['’]t)\b|\b(i|we) (just )?(said|wrote|told you|typed)\b|"
    r"\b(that['’]s|is|was) (wrong|a mistake|incorrect|nonsense|rubbish)\W*$|[说写看记][成错串]",
    re.IGNORECASE,
)
_NO_LONGER = re.compile(
    r"\bno longer\b|\b(?:not|n['’]t)\b.*\b(?:any ?more|any longer)\b|不再|不[^，。]{1,8}了", re.IGNORECASE
)
_HOMES = re.compile(r"\b(house|apartment|flat|studio|cottage|bungalow|farm|condo)\b|公寓|别墅|平房|宿舍", re.IGNORECASE)


@dataclass(frozen=True)
class Correction:
    """A line of core memory and what it becomes."""

    old: str
    new: str


def correction(lines: list[str], statement: str, *, corrects: bool) -> Correction | None:
    """The line whose value the statement exchanges; of several, the one that has most in common with it.

    `corrects`: it was said to take something back. Else it has to say that something is different now.
    """
    statement = statement[:MAX_STATEMENT]
    if not (corrects or is_change(statement)) and not topics(statement) & AGEING:
        return None
    if adds(statement) and not corrects:
        return None
    best, most = None, 0.0
    for index, line in enumerate(lines):
        if company(line, statement) or is_of_somebody_else(line, statement) or is_of_another(line, statement):
            continue  # what the line says beside that is the speaker's own, or another's
        if not corrects and _homes(line) and _homes(statement) and not _homes(line) & _homes(statement):
            continue  # a flat in another town: the house gives way as a whole
        exchanges, denied = exchanges_of(line, statement, corrects)
        worth = in_common(line, statement) + 3 * denied
        last = corrects and _SUBJECT_OF_BEFORE.match(statement) and index >= len(lines) - 2
        worth = worth or 0.5 * bool(last or (corrects and not subject(statement)))  # “No, sorry: Thursday”
        if exchanges and worth >= most and worth and (denied or may_change(line, statement)):
            best, most = Correction(line, exchange(line, exchanges)), worth
    return best


def taken_back(lines: list[str], told: str, *, corrects: bool) -> Correction | None:
    """The line with a value that another clause of the message takes back: “It takes 50 minutes, 40 was wrong.”.

    Where it only says that something is different, the clause has to say that the old value is so no longer.
    """
    pieces = [piece for piece in _PIECE.split(told[:MAX_STATEMENT]) if piece]
    pattern = _TAKEN_BACK if corrects else _NO_LONGER
    for old_piece in (piece for piece in pieces if pattern.search(piece)):
        rest = " ".join(piece for piece in pieces if piece != old_piece)
        for old in (one for one in values_of(f"x {old_piece}") if corrects or one.kind != "name"):
            holding = [line for line in lines if any(same_value(old, one) for one in values_of(line))]
            fresh = [
                one
                for one in values_of(rest)
                if one.kind == old.kind
                and not any(same_value(one, other) for line in lines for other in values_of(line))
            ]
            if len(holding) == 1 and len({one.key for one in fresh}) == 1:
                here = next(one for one in values_of(holding[0]) if same_value(old, one))
                return Correction(holding[0], exchange(holding[0], [(here.start, here.text, fitted(here, fresh[0]))]))
    return None


def is_taken_back(unit: str) -> bool:
    """Whether a unit only says what was wrong: “It was his ex who lived in Oslo.”, “I said Tuesday, that's wrong.”."""
    return _ONLY_WRONG.search(unit) is not None


def company(line: str, statement: str) -> str:
    """The “with their sister Joan” of a line about the speaker, where the statement is about Joan; else empty."""
    if re.search(r"\band (I|me)\b", statement) or re.match(r"(Went|Was|Had|Did|Saw|Met)\b|\w+ed\b", line):
        return ""
    for value in values_of(line):
        stretch = (
            rf" (?:together )?with (?:(?:their|his|her|my|our) )?(?:[a-z]+ ){{0,2}}{re.escape(value.text)}(?=\W|$)"
        )
        match = re.search(stretch, line) if value.kind == "name" else None
        about = match and re.match(rf"\W*(?:[Mm]y |[Oo]ur )?(?:[a-z]+ )?{re.escape(value.text)}\b", statement)
        if match and about and not re.match(r"\s*(,|and\b)", line[match.end() :]):
            return match.group()
    return ""


def _homes(text: str) -> set[str]:
    """What kinds of homes a text speaks of."""
    return {match.lower() for match in _HOMES.findall(text)}
