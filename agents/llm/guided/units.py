"""What the user told, in units that can be written down one by one, and whether a text covers one of them."""

import re

from agents.llm.guided.naming import given_name
from agents.llm.guided.persons import AFFIRMS, DENIES, with_person
from agents.llm.guided.signs import is_change, topics
from agents.llm.guided.values import Value, same_value, values_of, without_values
from agents.llm.guided.words import mentions, sentences, stems

_UNIT = re.compile(
    r"(?:,|;)?\s+(?:and|but)\s+(?=(?:also\s+)?(?:I|I['’]m|we|my|our|he|she|they|his|her|their)\b)"
    r"|[,;]\s+(?=(?:I|I['’]m|we|my|our)\b)|[，；](?=我|另外|还有|而且|同时)"
)
_BARE_SUBJECT = re.compile(
    r"^(?:[\w ]{0,20}[,:] |(?:In|On|Next|This|At|Since|After|From|Until|"
    r"Before|Last) [\w ]{1,16} )?(?:(?:[Mm]y|[Oo]ur|the|"
    r"both) )?(?:[a-zé]+ )?[A-Z][\w'’-]+$|^(?:(?:[Mm]y|[Oo]ur) )[a-zé]+$"
)
_CLAUSE = re.compile(r"[,;，；、]\s*")
_ENDING = re.compile(
    r"\b(gave up|quit|stopped|no longer|sold|left)\b|\bany ?more\b|不.{1,8}了|戒|辞|离开", re.IGNORECASE
)
_AGE = re.compile(  # “I'm Bo, 34, a nurse in Leeds.”
    r"^(?P<head>\W*(?:(?:hi|hello|hey)\b\W*)*(?:i['’]?m|i am|my name(?: is|['’]s))(?P<name> (?-i:[A-Z])[\w'’-]+"
    r"(?: (?-i:[A-Z])[\w'’-]+)?,)?) (?P<age>\d{1,2})(?:, (?:and )?| and )(?P<rest>[^\W\d].+)$",
    re.IGNORECASE,
)
_I_DO = re.compile(
    r"^(?:i|we|my|our|i['’]m|i['’]ve)\b|^(?P<does>live|work|study|teach|have|love|like|play|drive|run|come|speak|go)\b"
    r"|^(?P<am>an?|from|married|single|divorced|widow\w*|retired|engaged|born|based|(?!going\b)\w+ing)\b",
    re.IGNORECASE,
)
_IT_NOW = re.compile(r"^(?:it['’]s|it is)\b.*\bnow\b|^now it['’]s\b", re.IGNORECASE)
_FRAGMENT = re.compile(
    r"^(?:(?:now|from now on|so|on) )?(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|"
    r"at \w+)(?: now)?\W*$",
    re.I,
)
_BORN = re.compile("^(生了)+[！!。]*$")
_ANNOUNCES = re.compile(
    r"^(i|we)(['’]ve| have)( just| finally)* moved( house| again)?[!.…]*$|^(i|we)(['’]ve| have)?( just)?( got|"
    r" have| started)? (a|some|my|our) (new (job|position|role)|"
    r"((big|good|great|bad) )*news)[!.…]*$",
    re.IGNORECASE,
)
_MORE_OF_ONESELF = re.compile(r"(I|We|My|Our)\b|.*\bhome\b")
_PASSING = re.compile(r"\b(last|this|yesterday) $|[上这]个?$", re.IGNORECASE)


def units_to_write(text: str) -> list[str]:
    """Sentences, cut where the next thing about someone begins; who is “he” or “she” there is named.

    What only announces the next thing that they tell of themselves (“I have a new job!”) is left out.
    """
    units: list[str] = []
    told = (one for sentence in sentences(text) for one in _with_age_apart(sentence))
    for part in (part for sentence in told for part in _parts(sentence)):
        before = units[-1] if units else ""
        named = with_person(part, before)
        if before and (both := _joined(before, part, named)):
            units[-1] = both
        else:
            units.append(named)
    return [unit for unit, after in _with_next(units) if not (_ANNOUNCES.match(unit) and _MORE_OF_ONESELF.match(after))]


def _joined(before: str, part: str, named: str) -> str:
    """The unit before with a part that says nothing by itself; empty if it does."""
    head = before.rstrip(".!")
    if named == part and re.match("(he|she) ", part):
        return f"{head} and {part}"
    if _BORN.match(before):
        return f"生了，{part}"
    if not is_change(before):
        return ""
    if _FRAGMENT.match(part):
        return f"{head}: {part}"
    if _IT_NOW.match(part) and not {"hour", "date"} & _kinds(part):
        return f"{head}: {part[:1].lower()}{part[1:]}"
    return ""


def _with_age_apart(sentence: str) -> list[str]:
    """“I'm Bo, 34, a nurse.” as “I'm Bo.”, “I'm 34.”, “I'm a nurse.”: each of them may change by itself."""
    match = _AGE.match(sentence)
    goes_on = _I_DO.match(match["rest"]) if match else None
    if not match or not (goes_on or "work" in topics(match["rest"])):
        return [sentence]
    begins = "I " if goes_on and goes_on["does"] else "" if goes_on and not goes_on["am"] else "I'm "
    return [f"{match['head'].rstrip(',')}."] * bool(match["name"]) + [f"I'm {match['age']}.", begins + match["rest"]]


def _parts(sentence: str) -> list[str]:
    """Where the next thing begins; “My husband Bo and I are ...” has one subject."""
    parts: list[str] = []
    ends = [match.group() for match in _UNIT.finditer(sentence)]
    for part, end in zip((part.strip() for part in _UNIT.split(sentence)), ["", *ends], strict=True):
        if parts and "and" in end and _BARE_SUBJECT.match(parts[-1]):
            parts[-1] = f"{parts[-1]} and {part}"
        elif parts and re.fullmatch("不是[^，]{1,10}", parts[-1]):
            parts[-1] = f"{parts[-1]}，{part}"
        elif part:
            parts.append(part)
    return parts


def _with_next(units: list[str]) -> list[tuple[str, str]]:
    return list(zip(units, [*units[1:], ""], strict=False))


def _kinds(text: str) -> set[str]:
    return {value.kind for value in values_of(f"_{text}")}


def without_denials(units: list[str]) -> list[str]:
    """Without those that only deny what the next one puts right: “Rory isn't doing law.”, “Rory is doing art.”."""
    return [unit for unit, after in _with_next(units) if not _puts_right(unit, after)]


def _puts_right(denial: str, after: str) -> bool:
    first, second = DENIES.match(denial), AFFIRMS.match(after)
    return bool(first and second and first["who"] == second["who"] and bool(first["ing"]) == bool(second["ing"]))


def is_covered(unit: str, text: str, enough: float = 0.5) -> bool:
    """Whether the text has all values that the unit affirms, and this share of its other words."""
    here = values_of(text)
    for value in affirmed_values(unit):
        if value.kind == "time of day" or _PASSING.search(unit[: value.start]):
            continue
        if value.kind == "name" and (mentions(text, value.key) or value.key == given_name(unit).lower()):
            continue
        if not any(same_value(value, one) for one in here):
            return False
    words = stems(without_values(unit)) - GENERIC
    return not words or len(words & stems(text)) / len(words) >= enough


def is_written(unit: str, line: str) -> bool:
    """Whether a line that was written says the unit; of one that denies a value, it needs no more than the new one."""
    affirmed = affirmed_values(unit)
    denies = len(affirmed) < len(values_of(unit))
    of_one_thing = bool(affirmed) and bool(topics(unit) & topics(line))  # “The wedding is on 12 June.”
    return is_covered(unit, line, 0 if denies or of_one_thing else 0.2 if affirmed else 0.5)


def covers_all(message: str, text: str, *, endings: bool) -> bool:
    """Whether no clause of the message is missing from the text; a clause of a single word may be.

    `endings`: whether what is over (“I gave up cycling”) has to be there as well.
    """
    clauses = [clause for unit in units_to_write(message) for clause in _CLAUSE.split(unit)]
    needed = [clause for clause in clauses if len(stems(clause)) > 1 and (endings or not _ENDING.search(clause))]
    return all(is_covered(clause, text, 0.4) for clause in needed)


DENIAL = re.compile(
    r"\b(not|instead of|rather than|no longer|never|isn['’]t|aren['’]t|wasn['’]t|quit|left|sold|traded in|swapped)\b"
    r"[^,.;:]{0,18}$"
    r"|\bfrom (the )?$|(不是|不在|不叫|不姓|不再是|不再|记成|说成|写成|以为是?|当成|从|离开|辞掉?了?)[^，。；]{0,6}$",
    re.IGNORECASE,
)
GENERIC = stems(
    "move moved change changed switch switched actually wrong sorry mixed mistake meant correct correction instead "
    "need meant put took take got get give gave keep next week month year day date time "
    "start started starts become became stopped quit left sold went going goes like love have want make "
    "today tomorrow yesterday only also just "
    "old years aged 岁 年 天 月 号 点 个 只 次 今年 "
    "每周 每天 每月 每个 现在 改到 改成 换成 换到 其实 更正 应该 不是 已经"
)
"""Words that say that something changes, not what."""


_CHANGED_TO = re.compile(
    r"(?:改[成到为在]|[换调][成到])(?:每|了)?$|\b(?:changed|moved|switched) (?:it |them )?to (?:the )?$", re.I
)
_MAKES = re.compile(
    r"\b(?:leaves?(?: (?:me|us))?(?: with)?|left with|down to|up to|makes?(?: it| that)?|stands? at|now at|in total) $"
    r"|(?:只剩|还剩|剩下|一共|总共)(?:有|了)?$",
    re.IGNORECASE,
)
_OF_TIME = ("weekday", "date", "hour", "time of day")


def is_denied(value: Value, text: str) -> bool:
    """Whether a text says that it is not this value: Thursday in “Friday, not Thursday”."""
    return DENIAL.search(text, max(0, value.start - 60), value.start) is not None


def _is_new(value: Value, before: str) -> bool:
    """Whether what stands before a value says that it takes the place of others."""
    to = _CHANGED_TO.search(before) if value.kind in _OF_TIME else None
    return bool(to or (value.kind == "amount" and _MAKES.search(before)))


def affirmed_values(text: str) -> list[Value]:
    """The values of a text but those that it denies: “Friday, not Thursday”; “改成周二，周一开门”."""
    affirmed = [one for one in values_of(text) if not is_denied(one, text)]
    new = {one.kind: one for one in affirmed if _is_new(one, text[: one.start])}
    return [one for one in affirmed if new.get(one.kind, one) == one]


def subject(text: str) -> set[str]:
    """The stems that say what a text is about: no values or words of change, but “Marathon” of “London Marathon”."""
    tails = " ".join(one.text.partition(" ")[2] for one in values_of(text) if one.kind == "name")
    return stems(f"{without_values(text)} {tails}") - GENERIC
