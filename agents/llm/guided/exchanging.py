"""Which stretches of a line give way to what, where a statement only exchanges a value or a word of it."""

import re
from difflib import SequenceMatcher

from agents.llm.guided.restating import as_note
from agents.llm.guided.signs import topics
from agents.llm.guided.units import affirmed_values, is_denied
from agents.llm.guided.values import Value, same_value, values_of
from agents.llm.guided.words import CJK, mentions, stems

_ARTICLE, _LINK = r"(?:(?:the|a|an|my|in|at|on|as) )*", r"(?:是|叫|在|姓|住|为|：)"
_OTHER_WORDS = (  # “the oboe, not the harp”; “not the harp but the oboe”
    re.compile(
        rf"(?P<new>(?<![^,;.])[^,;.]{{1,80}}?)(?: now| actually)?,? (?:and )?(?:not|instead of|rather than) {_ARTICLE}"
        r"(?P<old>[a-z][\w'’-]*(?: [a-z][\w'’-]*)?)(?=\W*$|[.,;!]| any)"
    ),
    re.compile(
        rf"\b[Nn]ot {_ARTICLE}(?P<old>[a-z][\w'’-]*)(?:,? (?:but|it['’]s|it is|she['’]s|he['’]s)|,(?= (?:the|a|"
        rf"an|my)\b)) {_ARTICLE}(?P<new>[a-z][\w'’-]*)"
    ),
    re.compile(
        r"\b(?:don|doesn|didn)['’]t (?P<verb>[a-z]+) (?P<old>[a-z][\w'’-]*)[,.;:]? (?:but )?(?:I|he|she|we|they) "
        r"(?P=verb)s? (?P<new>[a-z][\w'’-]*)",
        re.IGNORECASE,
    ),
    re.compile(rf"{_LINK}(?P<new>[^，。是叫在住]{{1,8}})[，,]\s*[而并]?不{_LINK}+(?P<old>[^，。！]{{1,8}})"),
    re.compile(
        rf"不{_LINK}+(?P<old>[^，。是叫在]{{1,8}})[，,]?\s*(?:[而他她它]|我[^，。是]{{0,8}})?{_LINK}+(?P<new>[^，。！]{{1,8}})"
    ),
)
_FUNCTION_WORD = re.compile(r"\b(?:is|are|was|am|the|a|an|my|at|in|on|to|as|for|of|with|called)\s+|['’](?:m|s|re)\s+")
_HOUR_OF_DAY = re.compile(
    r"(?:at )?\d{1,2}(?::\d\d)?(?: ?(?:am|pm|o['’]clock))? in the (?:morning|afternoon|evening)"
    r"|(?:早上|上午|中午|下午|晚上)[\d一二三四五六七八九十两]{1,3}点(?:半|一刻)?(?:起床)?"
)
_AT = re.compile(r"^(?:in|at|to|from|near|of)$")
_SPELLS = re.compile(r"\bspel|\bwith an? \w\b|\btypo\b", re.IGNORECASE)
ALIKE = 0.75  # of two spellings of a name
_NO_UNITS = {"and", "now", "already", "in", "on", "of", "but", "not", "years", "year"}
MAX_EXCHANGED = 3  # words, or Chinese characters
_ENDS = re.compile(r"[^\w\s]| (?:in|on|at|and|with|for|from|to|of|by|near|since|who|which|every)\b")
QUOTE = re.compile(r"^(The user said|用户说)(: |：)“")


def exchanges_of(line: str, statement: str, corrects: bool) -> tuple[list[tuple[int, str, str]], bool]:
    """Which stretches of the line, by place, give way to what; and whether the statement itself denies one."""
    told, here = values_of(statement), values_of(line)
    affirmed = affirmed_values(statement)
    denied = [value for value in told if is_denied(value, statement)]
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
        if not named and not _may_exchange(line, statement, old[0], new[0], corrects):
            continue
        start, stretch = _stretch(line, old[0], told)
        found.append((start, stretch, fitted(old[0], new[0])))
        explicit = explicit or bool(named)
    if found:
        return found, explicit
    if corrects and _SPELLS.search(statement) and (respelled := _respelled(line, affirmed)):
        return respelled, True
    words, explicit = _other_words(line, statement)
    return (words, explicit) if words or not corrects else (_aligned(line, statement), False)


def _stretch(line: str, old: Value, told: list[Value]) -> tuple[int, str]:
    """What of a line an old value takes with it: a time of day its hour, unless another hour is told."""
    whole = _HOUR_OF_DAY.search(line) if old.kind == "time of day" and all(one.kind != "hour" for one in told) else None
    if whole and whole.start() <= old.start < whole.end():
        return whole.start(), whole.group()
    return old.start, old.text


def _may_exchange(line: str, statement: str, old: Value, new: Value, corrects: bool) -> bool:
    """Whether two values of a kind are of the same thing, as far as the words beside them tell."""
    (before, after), (before_old, after_old) = _beside(statement, new), _beside(line, old)
    if new.kind in ("amount", "colour"):
        return not _counts_another(after, after_old)
    if new.kind != "name":
        return True
    if before in ("a", "an"):  # “a Halloween baby”
        return False
    if bool(_AT.search(before)) != bool(_AT.search(before_old)):  # “at Eastfield” is not the daughter's name
        return False
    return corrects or bool(topics(statement) & topics(line))


def _counts_another(one: str, other: str) -> bool:
    """Whether two amounts or colours are of different things: “两个地方”, “一年”; “black coffee”, “green tea”."""
    return bool(stems(one) and stems(other) and not stems(one) & stems(other)) and not {one, other} & _NO_UNITS


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
        alike = re.search(rf"[\w'’-]+ {re.escape(old.split()[-1])}\b", new) if " " in old else None
        if alike:  # “the right knee” for “the left knee”
            new = alike.group()
        elif not CJK.search(new):
            *verb, new = _FUNCTION_WORD.split(new)
            if not verb:  # where the new words begin cannot be told
                continue
        place = line.lower().find(old.lower())
        behind = line[place + len(old) :]
        for length in range(len(new) - 1, 0, -1):  # “小学老师” for the “幼儿园” of “幼儿园老师”
            if CJK.search(new) and behind.startswith(new[-length:]):
                new = new[:-length]
                break
        new = re.sub(r"(?<=..)(上班|工作|上学|读书|生活|那边)$", "", new)
        if place >= 0 and mentions(line, old.lower()) and not mentions(line, new.lower()):
            return [(place, line[place : place + len(old)], new)], True
    return [], False


def _respelled(line: str, affirmed: list[Value]) -> list[tuple[int, str, str]]:
    """A name of the line that the statement spells another way: “Katharina” for “Catharina”."""
    new = [value for value in affirmed if value.kind == "name" and not mentions(line, value.key)]
    for word in re.finditer(r"\b[A-Z][\w'’-]+", line):
        for name in (part for value in new for part in value.text.split() if part.istitle()):
            if SequenceMatcher(None, word.group().lower(), name.lower()).ratio() >= ALIKE and word.group() != name:
                return [(word.start(), word.group(), name)]
    return []


def _aligned(line: str, statement: str) -> list[tuple[int, str, str]]:
    """The one stretch of a line in place of which the statement has another, between or behind the same words."""
    pattern = r"[\u4e00-\u9fff]|[^\W_]+(?:[-'’][^\W_]+)*"
    here = list(re.finditer(pattern, line))
    there = [match.group() for match in re.finditer(pattern, as_note(statement))]
    matcher = SequenceMatcher(None, [_plain(match.group()) for match in here], [_plain(word) for word in there], False)
    blocks = matcher.get_matching_blocks()
    shared = [there[place] for _, start, size in blocks for place in range(start, start + size)]
    found, chinese = [], CJK.search(line) is not None
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "replace" and c > 0 and d - c <= MAX_EXCHANGED and (chinese or stems(" ".join(there[c:d]))):
            if d == len(there):  # nothing says where it ends in the line
                b = next((place for place in range(a + 1, b) if _ENDS.match(line, here[place - 1].end())), b)
            if b - a <= MAX_EXCHANGED:
                found.append((a, b, c, d))
    told = stems(" ".join(there))
    if len(found) != 1 or (len(shared) < 3 if chinese else len(stems(" ".join(shared))) < 0.5 * len(told)):
        return []
    a, b, c, d = found[0]
    old, new = line[here[a].start() : here[b - 1].end()], ("" if chinese else " ").join(there[c:d])
    return [] if stems(old) & stems(new) and not chinese else [(here[a].start(), old, new)]


def _plain(word: str) -> str:
    return re.sub(r"['’]s$", "", word.lower())


def fitted(old: Value, new: Value) -> str:
    """The new value; where it is only a day, in the month of the old one."""
    if old.kind == "date" and re.fullmatch(r"the \d+(st|nd|rd|th)", new.text) and not old.text.startswith("the"):
        return re.sub(r"\b\d{1,2}(st|nd|rd|th)?\b", new.key, old.text, count=1)
    if old.kind == "date" and "月" in old.text and "月" not in new.text:
        return old.text[: old.text.index("月") + 1] + new.text
    if old.kind == "weekday" and not CJK.search(new.text):
        bare = new.text.rstrip("s")
        return bare + "s" if old.text.endswith("s") else bare
    if old.kind == "shift" and not CJK.search(new.text):
        return new.key + "s" if old.text.endswith("s") else new.key
    return new.text.lower() if old.text.islower() else new.text


def exchange(line: str, exchanges: list[tuple[int, str, str]]) -> str:
    """The line with each stretch, given by place and text, in place of which another stands."""
    for place, old, new in sorted(exchanges, reverse=True):
        line = line[:place] + new + line[place + len(old) :]
    heads = {"The user said": "The user said, since corrected", "用户说": "用户说（后来更正）"}
    return QUOTE.sub(lambda head: f"{heads[head[1]]}{head[2]}“", line)
