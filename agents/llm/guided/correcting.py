"""A correction or a change that only exchanges a value of a line: the value is exchanged, the rest of the line stays.

No model call. What cannot be told by the kinds of values is left to the model and its guards.
"""

import re
from dataclasses import dataclass

from agents.llm.guided.naming import is_name_line
from agents.llm.guided.notes import BEFORE
from agents.llm.guided.signs import (
    THINGS,
    is_change,
    is_ending,
    is_of_somebody_else,
    is_of_the_speaker,
    is_plan,
    relations,
    topics,
)
from agents.llm.guided.units import affirmed_values, is_covered, subject
from agents.llm.guided.values import Value, same_value, values_of
from agents.llm.guided.words import CJK, mentions, stems

_ARTICLE, _LINK = r"(?:(?:the|a|an|my|in|at|on|as) )*", r"(?:是|叫|在|姓|住|为|：)"
_OTHER_WORDS = (  # “the oboe, not the harp”; “not the harp but the oboe”
    re.compile(
        rf"(?P<new>[^,;.]+?)(?: now| actually)?,? (?:and )?(?:not|instead of|rather than) {_ARTICLE}"
        r"(?P<old>[a-z][\w'’-]*)(?=\W*$|[.,;!]| any)"
    ),
    re.compile(
        rf"\bnot {_ARTICLE}(?P<old>[a-z][\w'’-]*),? (?:but|it['’]s|it is|she['’]s|he['’]s) "
        rf"{_ARTICLE}(?P<new>[a-z][\w'’-]*)"
    ),
    re.compile(rf"{_LINK}(?P<new>[^，。是叫在住]{{1,8}})[，,]\s*[而并]?不{_LINK}+(?P<old>[^，。！]{{1,8}})"),
    re.compile(rf"不{_LINK}+(?P<old>[^，。是叫在]{{1,8}})[，,]?\s*[而他她它]?{_LINK}+(?P<new>[^，。！]{{1,8}})"),
)
_SUBJECT_OF_BEFORE = re.compile(r"^\W*(it|that|this|she|he|they|her|his|their|its)\b|^(它|她|他|那|这)", re.IGNORECASE)
_FUNCTION_WORD = re.compile(r"\b(?:is|are|was|am|the|a|an|my|at|in|on|to|as|for|of|with|called)\s+|['’](?:m|s|re)\s+")
_CLAUSE = re.compile(r"\s*[,;，；、]\s*(?:and\s+)?|\s+and\s+")
_LEFT_SOMETHING = re.compile(r"\b(left|quit) (?!(me|us|for|the (team|band|group|club))\b)\w", re.IGNORECASE)
_QUOTE = re.compile(r"^(The user said|用户说)(: |：)“")


@dataclass(frozen=True)
class Correction:
    """A line of core memory and what it becomes."""

    old: str
    new: str


def correction(lines: list[str], statement: str, *, corrects: bool) -> Correction | None:
    """The line whose value the statement exchanges; of several, the one that has most in common with it.

    `corrects`: it was said to take something back. Else it has to say that something is different now.
    """
    if not (corrects or is_change(statement)):
        return None
    best, most = None, 0.0
    for index, line in enumerate(lines):
        exchanges, denied = _exchanges(line, statement, corrects)
        worth = _common(line, statement) + 3 * denied
        last = corrects and _SUBJECT_OF_BEFORE.match(statement) and index >= len(lines) - 2
        worth = worth or 0.5 * bool(last)
        if company(line, statement):  # what the line says beside that is the speaker's own
            continue
        if exchanges and worth >= most and worth and (denied or _may_change(line, statement)):
            best, most = Correction(line, _exchange(line, exchanges)), worth
    return best


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


def _common(line: str, statement: str) -> float:
    """How much speaks for it that the statement is about the line; 0 if it is about somebody else."""
    whom, shared = relations(statement), relations(statement) & relations(line)
    names = {value.key for value in values_of(line) if value.kind == "name"}
    known = {name for name in names if mentions(statement, name)}
    if whom - shared and not known:
        return 0
    words = subject(statement) & subject(line)
    if is_of_somebody_else(line, statement) and not known:
        return 0
    worth = len(words) + len(shared) + len(known)
    same = topics(statement) & topics(line)
    if not worth and not is_of_the_speaker(statement):  # somebody else's age is on the topic of the user's
        same = set() if relations(f"{statement} {line}") else same & THINGS
    return worth + 1.5 * len(same)


def _may_change(line: str, statement: str) -> bool:
    """What is planned leaves what is so now."""
    return is_plan(line) or not is_plan(statement)


def _exchanges(line: str, statement: str, corrects: bool) -> tuple[list[tuple[int, str, str]], bool]:
    """Which stretches of the line, by place, give way to what; and whether the statement itself denies one."""
    told, here = values_of(statement), values_of(line)
    affirmed = affirmed_values(statement)
    denied = [value for value in told if value not in affirmed]
    found, explicit = [], False
    for kind in dict.fromkeys(value.kind for value in affirmed):
        new = [value for value in affirmed if value.kind == kind and not any(same_value(value, one) for one in here)]
        old = [value for value in here if value.kind == kind and not any(same_value(value, one) for one in affirmed)]
        named = [value for value in old if any(same_value(value, one) for one in denied)]
        old = named or old
        if len(old) > 1 and new:
            old = _in_a_clause_about(line, old, statement) or old
        if len(old) > 1 and new:
            before, after = _beside(statement, new[0])
            alike = [one for one in old if after and _beside(line, one)[1] == after]
            old = alike or [one for one in old if before and _beside(line, one)[0] == before]
        if len({value.key for value in new}) != 1 or len(old) != 1:
            continue
        if kind == "name" and not (named or corrects or topics(statement) & topics(line)):
            continue
        if kind == "name" and not named and _beside(statement, new[0])[0] in ("a", "an"):  # “a Halloween baby”
            continue
        found.append((old[0].start, old[0].text, _fitted(old[0], new[0])))
        explicit = explicit or bool(named)
    if found:
        return found, explicit
    return _other_words(line, statement)


def _in_a_clause_about(line: str, values: list[Value], statement: str) -> list[Value]:
    """Those that stand after a word of the statement in their clause: Ellie's age in “Megan is 15, and Ellie 12”."""
    told = stems(statement)

    def clause(value: Value) -> str:
        return re.split(r"[,;，；、。]|[.!?] |\band\b", line[: value.start].rstrip(" ,，(:"))[-1]

    return [value for value in values if stems(clause(value)) & told]


def _beside(text: str, value: Value) -> tuple[str, str]:
    """The words before and after a value: “at” of “at Siemens”, “岁” of “三岁”."""
    before, after = text[: value.start].lower(), text[value.start + len(value.text) :].lower()
    if CJK.search(value.text):
        return before[-1:], after[:1]
    words = re.findall(r"^[ -]*([^\W\d_]+)", after)
    return (before.split() or [""])[-1], words[0] if words else ""


def _other_words(line: str, statement: str) -> tuple[list[tuple[int, str, str]], bool]:
    for pattern in _OTHER_WORDS:
        match = pattern.search(statement)
        if match is None:
            continue
        old, new = match["old"].strip(), match["new"].strip()
        if not CJK.search(new):
            *verb, new = _FUNCTION_WORD.split(new)
            if not verb:  # where the new words begin cannot be told
                continue
        place = line.lower().find(old.lower())
        behind = line[place + len(old) :]
        for length in range(len(new) - 1, 0, -1):  # “小学老师” for the “幼儿园” of “幼儿园老师”
            if CJK.search(new) and behind.startswith(new[-length:]):
                new = new[:-length]
                break
        if place >= 0 and mentions(line, old.lower()) and not mentions(line, new.lower()):
            return [(place, line[place : place + len(old)], new)], True
    return [], False


def _fitted(old: Value, new: Value) -> str:
    """The new value; where it is only a day, in the month of the old one."""
    if old.kind == "date" and re.fullmatch(r"the \d+(st|nd|rd|th)", new.text) and not old.text.startswith("the"):
        return re.sub(r"\b\d{1,2}(st|nd|rd|th)?\b", new.key, old.text, count=1)
    if old.kind == "date" and "月" in old.text and "月" not in new.text:
        return old.text[: old.text.index("月") + 1] + new.text
    if old.kind == "weekday" and not CJK.search(new.text):
        bare = new.text.rstrip("s")
        return bare + "s" if old.text.endswith("s") else bare
    return new.text.lower() if old.text.islower() else new.text


def _exchange(line: str, exchanges: list[tuple[int, str, str]]) -> str:
    for place, old, new in sorted(exchanges, reverse=True):
        line = line[:place] + new + line[place + len(old) :]
    heads = {"The user said": "The user said, since corrected", "用户说": "用户说（后来更正）"}
    return _QUOTE.sub(lambda head: f"{heads[head[1]]}{head[2]}“", line)


# A line that gives way to a note


def outdated(lines: list[str], statement: str, *, corrects: bool) -> str:
    """The line that a statement makes untrue, where it exchanges no value; empty for none.

    It says that something is different (or was wrong: `corrects`), and has a word, a name or a topic in common with it.
    """
    if not (corrects or is_change(statement)):
        return ""
    best, most = "", 0.0
    for line in lines:
        # A single word, as “Nurse.”, is of whoever stands before it.
        same_topic = topics(line) & topics(statement) if len(stems(line)) > 1 else set()
        alike = subject(line) & subject(statement) or same_topic
        named = [value for value in values_of(line) if value.kind == "name"]
        ended = (
            is_ending(statement)
            and not _LEFT_SOMETHING.search(statement)
            and all(mentions(statement, value.key) for value in named)
        )
        worth = _common(line, statement) if alike or ended else 0
        if worth and worth >= most and _may_change(line, statement) and not (is_name_line(line) or _QUOTE.search(line)):
            best, most = line, worth
    return best


def as_before(old: str, note: str) -> str:
    """The note, and below it the old line as what was so before."""
    if CJK.search(old):
        return f"{note}\n{BEFORE[1]}{old}"
    return f"{note}\n{BEFORE[0]}{old[:1].lower()}{old[1:]}"


def in_place_of(old: str, note: str, statement: str) -> str:
    """What stands where `old` stood: the note; with it the clauses about something else, and what it would lose.

    A value of the old line that nothing takes the place of is kept as what was before. Empty if several facts would go.
    """
    pieces = clauses(old)
    about = [piece for piece in pieces if _is_about(piece, f"{statement} {note}")]
    if len(about) == 1 and len(pieces) > 1:
        text = note.rstrip(".。")
        if about[0] != pieces[0] and not statement.startswith(text.split()[0]):
            text = text[:1].lower() + text[1:]
        return old.replace(about[0], text, 1)
    new, gone = (
        values_of(note),
        [value for value in values_of(old) if not is_covered(value.text, f"{note} {statement}")],
    )
    for kind in {value.kind for value in gone}:
        fresh = {value.key for value in new if value.kind == kind and value.key not in old.lower()}
        if len({value.key for value in gone if value.kind == kind}) > len(fresh):
            if len(pieces) > 1 or _QUOTE.search(old):
                return ""
            return as_before(old, note)
    return note


def clauses(line: str) -> list[str]:
    """The clauses of a line; none where they are no more than words of a list."""
    pieces = [piece.rstrip(".。") for piece in _CLAUSE.split(line) if piece.strip()]
    return pieces if all(len(stems(piece)) > 1 for piece in pieces) else []


def _is_about(clause: str, text: str) -> bool:
    shared = subject(clause) & subject(text) or topics(clause) & topics(text) or relations(clause) & relations(text)
    return bool(shared) or any(mentions(text, value.key) for value in values_of(clause) if value.kind == "name")
