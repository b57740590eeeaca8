"""Whether a reply to a question about the user says what the notes say; where it does not, the notes themselves answer.

No model call. A small model has the right line before it and says something else one time in six.
"""

import re
from dataclasses import dataclass

from agents.llm.guided.asking import parts_of
from agents.llm.guided.naming import is_name_line
from agents.llm.guided.notes import BEFORE, asks_of_the_past, known_lines, units_of
from agents.llm.guided.recounting import to_the_user
from agents.llm.guided.signs import (
    begins_with_relative,
    is_ending,
    is_on_topic,
    is_personal,
    is_plan,
    kinds_of,
    relations,
)
from agents.llm.guided.units import units_to_write
from agents.llm.guided.values import same_value, values_of
from agents.llm.guided.words import CJK, mentions, overlap, stems
from agents.llm.types import Prompt

MAX_LINES = 3
TOLD = 0.7  # of a line's words in a message that led to it
_ENDED = re.compile(r"n['’]t\b|\b(any ?more|no longer|gave up|given up|stopped|quit)\b|不.{1,8}了|戒", re.IGNORECASE)
_DATED = ("date", "month", "weekday", "hour", "time of day", "colour")  # kinds of values that no reply may invent
_COUNTED = (*_DATED, "amount")  # that can only be right or wrong
_ASKS_WHO = re.compile(r"\bwho\b.*\b(live|lives|living|house|flat|home)\b|[和跟]谁.*住|谁.*一起住", re.IGNORECASE)
_COMPANY = re.compile(
    r"\b(only the user|and the user|the user and|lives? with|together with|flatmates?|roommates?|shares?)\b|[和跟].*住",
    re.IGNORECASE,
)
_WANTED = (
    (re.compile(r"\bwhat time\b|几点", re.I), {"hour", "time of day"}),
    (re.compile(r"\b(which|what) (week)?day\b|(星期|周|礼拜)几", re.I), {"weekday", "date"}),
    (
        re.compile(r"\bwhen\b|\b(which|what) (date|month)\b|什么时候|几[月号]|哪天|哪一天", re.I),
        {"date", "month", "weekday", "hour", "time of day"},
    ),
    (
        re.compile(r"\bhow (old|many|much|long|far|tall)\b|几[岁个只次口本]|多大|多少|多久|多长", re.I),
        {"amount", "date"},
    ),
    (re.compile(r"\b(which|what) colou?r\b|什么颜色", re.I), {"colour"}),
)
_HOW_MANY = re.compile(r"\bhow (many|much|long|far)\b|几个|多少|多[久长]", re.IGNORECASE)
_YES_NO = re.compile(r"\W*(?:(?:and|so|but) )?(?:am|are|is|do|does|did|have|has|was|were|will|who)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:what|which|when|where|who|how)|什么|哪|谁|几|多", re.IGNORECASE)
_NOW = re.compile(r"\b(now|currently|at the moment|at present|these days|right now)\b|现在|目前|如今", re.IGNORECASE)
_UNKNOWING = re.compile(
    r"\b(don['’]t|do not|didn['’]t|did not|couldn['’]t|could not|can['’]t|cannot) (know|have|find|see|remember)\b"
    r"|\bno (information|notes?|mention)\b|\bnot (mentioned|sure|known)\b|不知道|不清楚|没有(找到|提到|信息|记录)|无法",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"(?:\b(?:gave up|given up|giving up|stopped|quit|sold|swapped|traded in|switched from|no more|no longer|not|"
    r"instead of|rather than)\b|n['’]t\b|不再|不是)(?P<what>.*?)(?= and | for | to |$)",
    re.IGNORECASE,
)
_OF_TIME = stems(
    "start starts begin begins end ends happen take place day days date time hour month year old many much long "
    "far colour color weekday"
)
_ANY = stems("favourite favorite name kind sort thing moment currently today")  # say little of what is asked for
_CLAUSE = re.compile(r"[,;，；、]\s*|[.!?]\s+|[。！？]|\bso\b|\bbut\b")


@dataclass(frozen=True)
class Evidence:
    """A question, the lines of the notes that answer it, and all that the notes say."""

    asked: str
    lines: tuple[str, ...]
    known: str


def evidence(prompt: Prompt, asked: str, said: list[str]) -> Evidence | None:
    """The lines of the notes that answer a question, in their order; None where no line is near enough.

    `said`: what the user told before, whose words may be nearer to the question than those of the line it led to.
    """
    known, past, kinds = known_lines(prompt), asks_of_the_past(asked), kinds_of(asked)
    lines = [line for line in known if past or not line.startswith(BEFORE)]
    lines = [line for line in lines if not is_name_line(line) or "name" in asked.lower() or "叫" in asked]
    if _NOW.search(asked):
        lines = [line for line in lines if not is_plan(line)]
    wanted = _wanted(asked)
    if wanted:  # “When ...?” is answered by a line with a date, a day or an hour
        lines = [line for line in lines if any(value.kind in wanted for value in values_of(line))]
    words = stems(f"{asked} {kinds}") - _ANY
    if is_personal(asked) and not (relations(asked) or kinds):  # a line about a relative does not tell it
        lines = [line for line in lines if not begins_with_relative(line)]
    near = {line: len(words & stems(line)) + 2.0 * is_on_topic(line, asked) for line in lines}
    # Who was one of them: the Tiger of “Before: two cats, Milo and Tiger.”
    for before in (line for line in known if line.startswith(BEFORE) and stems(kinds) & stems(line)):
        named = [value.key for value in values_of(before) if value.kind == "name"]
        near |= {line: near[line] + 1 for line in lines if any(mentions(line, name) for name in named)}
    if not any(near.values()):
        units = [unit for text in said for unit in units_to_write(parts_of(text).told)]
        linked = set[str]().union(*(stems(unit) for unit in units if words & stems(unit)))
        near = {line: len(linked & stems(line)) + 1.0 for line in lines if linked & stems(line)}
    if _ASKS_WHO.search(asked):
        near |= {line: near.get(line, 0) + 2 for line in lines if _COMPANY.search(line)}
    most = max(near.values(), default=0)
    whole = bool(wanted) and words - _OF_TIME <= stems("\n".join(known))  # “Which day is football practice?”
    enough = 1 if CJK.search(asked) or (_YES_NO.match(asked) and is_personal(asked)) else min(2, len(words))
    if not most or not (kinds or whole or most >= enough):
        return None
    best = [line for line in lines if near.get(line, 0) >= max(1.0, most / 2)][:MAX_LINES]
    for text in (text for text in said if len(best) == 1 and _ENDED.search(best[0]) and overlap(best[0], text) >= TOLD):
        best += [line for line in lines if line not in best and overlap(line, text) >= TOLD]  # what is so instead
    return Evidence(asked, tuple(best[:MAX_LINES]), "\n".join([*known, *said]))


def notes_give(prompt: Prompt, asked: str) -> bool:
    """Whether a question is for a day, an hour or an age of what the notes speak of, and a line of them has one."""
    about = stems(asked) - _OF_TIME
    if not about or not about <= stems("\n".join(known_lines(prompt))) or _wanted(asked) in (set(), {"colour"}):
        return False
    of_all = _HOW_MANY.search(asked) or re.search(r"\bDay\b", asked)  # “When is Mother's Day?”
    return not of_all and evidence(prompt, asked, []) is not None


def _wanted(asked: str) -> set[str]:
    """The kinds of values that can answer a question; empty for any."""
    return next((kinds for pattern, kinds in _WANTED if pattern.search(asked)), set())


def stands_on(reply: str, found: Evidence) -> bool:
    """Whether a reply says something of what the lines say, and nothing against them."""
    text, asked = "\n".join(found.lines), found.asked
    told = stems(text) - stems(asked)
    if _UNKNOWING.search(reply):
        return not told
    here, given = values_of(text), values_of(reply)
    dated = any(value.kind in _DATED for value in given)
    known = values_of(f"{found.known}\n{asked}") if dated else []  # the lines are among it
    for value in given:
        alike = [one for one in here if one.kind == value.kind]
        if value.kind in _COUNTED and alike and not any(same_value(value, one) for one in [*alike, *values_of(asked)]):
            return False
        if value.kind in _DATED and not any(same_value(value, one) for one in known):
            return False
    if len(_ASKS.findall(asked)) > 1 and any(not _says(reply, line, asked) for line in found.lines):
        return False
    said = (stems(reply) & stems(text)) - (stems(asked) if told else set())
    denied = _denied(text)
    if said & denied and not (_OVER.search(reply) or is_ending(reply)):
        return False
    keys = {value.key for value in here} & {value.key for value in given}
    if not (said or keys):
        return not told
    return bool(said - denied) or bool(keys - {value.key for value in values_of(asked)})


def _says(reply: str, line: str, asked: str) -> bool:
    """Whether a reply has a word or a value of a line that the question has not."""
    keys = {value.key for value in values_of(f"x {line}")} & {value.key for value in values_of(f"x {reply}")}
    return bool((stems(reply) & stems(line)) - stems(asked) or keys)


def _denied(text: str) -> set[str]:
    """The stems that a text has only where it says that something is not, or is over."""
    over: set[str] = set()
    so: set[str] = set()
    for clause in _CLAUSE.split(text):
        match = _OVER.search(clause)
        if match:
            over |= stems(match["what"])
            so |= stems(clause[: match.start()] + clause[match.end() :])
        elif is_ending(clause):
            over |= stems(clause)
        else:
            so |= stems(clause)
    return over - so


def quoted(found: Evidence) -> str:
    """The lines themselves as the answer."""
    said = " ".join(to_the_user(unit) for line in found.lines for unit in units_of(line))
    return f"我记着：{said}" if CJK.search(found.asked) else f"My notes say: {said}"
