"""What the user told, in units that can be written down one by one, and whether a text covers one of them."""

import re

from agents.llm.guided.naming import given_name
from agents.llm.guided.signs import is_caution, is_change, is_correction, is_lasting, relations, topics
from agents.llm.guided.values import Value, same_value, values_of, without_values
from agents.llm.guided.words import mentions, sentences, stems, without_greeting

_PLEASE_REMEMBER = re.compile(
    r"^(please |can you |could you )*(also )?(remember|keep in mind|note)( that)?[:,]? "
    r"|[,.]? ?(please )?((remember|note) (that|this|it)|keep (that|this|it) in mind|don['’]t forget( that| it)?)[.!]?$"
    r"|^(请|帮我)*(记住|记下|记一下)[，,：:]?|[，,]?(请|帮我)*(记住|记下|记一下)[。！]?$",
    re.IGNORECASE,
)
_WRONG = (
    r"(i|i['’]ve) (just )?(got|had|said|told you|wrote|made|was)\b[^:.!?;,]{0,30}"
    r"\b(wrong|mistaken?|error|incorrectly)\b( \w+){0,2}|i (have to|need to|must) correct myself|"
    r"(i|i['’]ve) (just )?(mixed|messed|muddled) [^:.!?;,]{0,20}\bup|(i|i['’]ve) (just )?mixed up( \w+){1,3}|"
    r"i (misspoke|lied|miscounted|misread)|"
    r"i (just )?(swapped|confused) (the |those |two |my )?(digits|numbers|letters|dates|days|months|names|words|them)|"
    r"that was (so )?(silly|stupid|careless|my (fault|mistake))( of me)?|"
    r"(i )?typ(ed|o)( too fast| that wrong)?|tell a lie|scratch that|my bad|silly me|"
    r"that was wrong|that['’]s (not right|wrong)"
)
_WRONG_ZH = (
    r"((刚才|刚刚|前面|之前)?我?(刚才|刚刚|前面|之前)?((说|记|搞|弄|写|打|讲)错(字|了|的)*|"
    r"(老是|总是|又|都)?(说|记|搞|弄|写|打|讲|看|算|数|听|填)[错混反岔](日期|日子|时间|数字|号码|字|了|的)*(?=[，,：:。！、\s])))"
)
_SORRY = re.compile(
    r"^\W*((sorry|w?h?oops|ah|oh|ugh|argh|wait|hmm|oh dear|actually|pardon|by the way|in fact|"
    r"(no|hang on|hold on)(?=[,.:;!–—-]| (wait|sorry|actually)\b)|"
    r"((a|one) )?((small|little|quick|tiny) )?(mistake|correction|slip)( on my (side|part|end))?|"
    r"my (mistake|bad|apologies)|make that|i should(['’]ve| have) (said|written|told you)|"
    r"i meant( to say)?(?= (the|a|an|my|on|at|in|it)\b|[,:])|"
    rf"(but )?({_WRONG})(?=[:.!?;,]))[,.:;!–—-]*\s+)+(?=\S)"
    rf"|^((对不起|抱歉|不好意思|不对|等等|等一下|哦|哎呀?|唉|啊|其实|更正(一下)?|纠正(一下)?|口误|{_WRONG_ZH})[，,：:。！、\s]*)+"
    r"(?=[^，,：:。！\s])",
    re.IGNORECASE,
)
_SORRY_AFTER = re.compile(
    rf"(?:^|(?<=[.!?])|[,;–—-])\s*({_WRONG}|sorry|my mistake)(?=\s*[.!]*$)|[，,。]是?{_WRONG_ZH}(?=[。！]*$)",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:,|;)?\s+(?:and|but)\s+(?=(?:also\s+)?(?:I|I['’]m|we|my|our|he|she|they|his|her|their)\b)"
    r"|[,;]\s+(?=(?:I|I['’]m|we|my|our)\b)|[，；](?=我|另外|还有|而且|同时)"
)
_CLAUSE = re.compile(r"[,;，；、]\s*")
_ENDING = re.compile(
    r"\b(gave up|quit|stopped|no longer|sold|left)\b|\bany ?more\b|不.{1,8}了|戒|辞|离开", re.IGNORECASE
)
_EXCUSE = re.compile(
    r"^\W*((and|but|because) )?((i|i['’]ve)( \w+){0,2}|(it|that)( was| just)( \w+){0,2}) "
    r"(wrong|mistake|mixed|swapped|confused|typo|forg[eo]t|silly|stupid|slip)\b( \w+){0,5}[.!]*$",
    re.IGNORECASE,
)
_WHAT = r"(?:(?P<ing>\w+ing)|a|an|the|in|at|on|from|called|\d+)\b"
_DENIES = re.compile(rf"^(?P<who>(?!I\b|We\b)[A-Z]\w+) (?:is|are|was)(?:n['’]t| not) {_WHAT}")
_AFFIRMS = re.compile(rf"^(?P<who>[A-Z]\w+)(?:['’]s| is| are| was) {_WHAT}")
_IS = re.compile(rf"(?<=\w)['’]s(?= {_WHAT})")
_HE = re.compile(r"^(?P<who>He|She)\b")
_IT_NOW = re.compile(r"^(?:it['’]s|it is)\b.*\bnow\b|^now it['’]s\b", re.IGNORECASE)
_ANNOUNCES = re.compile(
    r"^(i|we)(['’]ve| have)?( just)?( got| have| started)? (a|some|my|our) (new (job|position|role)|"
    r"((big|good|great|bad) )*news)[!.…]*$",
    re.IGNORECASE,
)
_MORE_OF_ONESELF = re.compile(r"(I|We|My|Our)\b")
_SUBJECT = re.compile(r"^(?P<whose>(?:My|Our) [a-z]+)(?= [a-z])|^(?:(?:My|Our) [a-z]+ )?(?P<name>[A-Z][a-z]+)\b")
_WOMEN = re.compile(r"\b(sister|mother|mom|mum|wife|girlfriend|daughter|aunt|grandm\w+|niece)\b", re.IGNORECASE)
_MEN = re.compile(r"\b(brother|father|dad|husband|boyfriend|son|uncle|grandf\w+|nephew)\b", re.IGNORECASE)
_PASSING = re.compile(r"\b(last|this|yesterday) $|[上这]个?$", re.IGNORECASE)


def stripped(told: str) -> str:
    """What was told without a greeting, a word of excuse or the wish that it be remembered."""
    text = _SORRY_AFTER.sub("", _SORRY.sub("", without_greeting(told)))
    text = _PLEASE_REMEMBER.sub("", text).strip()
    if is_correction(told):
        text = " ".join(part for part in sentences(text) if not _is_excuse(part)) or text
    return text[:1].upper() + text[1:] if re.search(r"\w", text) else told


def _is_excuse(sentence: str) -> bool:
    """Whether it says only how a mistake came about: “I swapped the digits.”."""
    if values_of(sentence) or is_lasting(sentence) or is_caution(sentence) or relations(sentence) or topics(sentence):
        return False
    return _EXCUSE.match(sentence) is not None


def units_to_write(text: str) -> list[str]:
    """Sentences, cut where the next thing about someone begins; who is “he” or “she” there is named.

    What only announces the next thing that they tell of themselves (“I have a new job!”) is left out.
    """
    units: list[str] = []
    for part in (part.strip() for sentence in sentences(text) for part in _UNIT.split(sentence) if part.strip()):
        before = units[-1] if units else ""
        if he := _HE.match(part):
            whom = _only_person(before, he["who"])
            part = _IS.sub(" is", f"{whom}{part[he.end() :]}", count=1) if whom else part
        elif before and _IT_NOW.match(part) and is_change(before) and not {"hour", "date"} & _kinds(part):
            units[-1] = f"{before.rstrip('.!')}: {part[:1].lower()}{part[1:]}"
            continue
        units.append(part)
    return [unit for unit, after in _with_next(units) if not (_ANNOUNCES.match(unit) and _MORE_OF_ONESELF.match(after))]


def _only_person(sentence: str, who: str) -> str:
    """Whom alone a sentence is about, if it may be he or she: a relative, or somebody of whom it denies something."""
    subject, others = _SUBJECT.match(sentence), len(relations(sentence))
    if (
        subject is None
        or sentence[subject.end() :].startswith(("'", "’"))
        or (who == "He" and _WOMEN.search(sentence))
        or (who == "She" and _MEN.search(sentence))
    ):
        return ""
    if "name" in _kinds(sentence[subject.end() :]) or others > 1 or not (others or _DENIES.match(sentence)):
        return ""
    return subject["whose"] or subject["name"]


def _with_next(units: list[str]) -> list[tuple[str, str]]:
    return list(zip(units, [*units[1:], ""], strict=False))


def _kinds(text: str) -> set[str]:
    return {value.kind for value in values_of(f"_{text}")}


def without_denials(units: list[str]) -> list[str]:
    """Without those that only deny what the next one puts right: “Rory isn't doing law.”, “Rory is doing art.”."""
    return [unit for unit, after in _with_next(units) if not _puts_right(unit, after)]


def _puts_right(denial: str, after: str) -> bool:
    first, second = _DENIES.match(denial), _AFFIRMS.match(after)
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
    return is_covered(unit, line, 0 if denies else 0.2 if affirmed else 0.5)


def covers_all(message: str, text: str, *, endings: bool) -> bool:
    """Whether no clause of the message is missing from the text; a clause of a single word may be.

    `endings`: whether what is over (“I gave up cycling”) has to be there as well.
    """
    clauses = [clause for unit in units_to_write(message) for clause in _CLAUSE.split(unit)]
    needed = [clause for clause in clauses if len(stems(clause)) > 1 and (endings or not _ENDING.search(clause))]
    return all(is_covered(clause, text, 0.4) for clause in needed)


DENIAL = re.compile(
    r"\b(not|instead of|rather than|no longer|never|isn['’]t|aren['’]t|wasn['’]t|quit|left|sold)\b[^,.;:]{0,18}$"
    r"|\bfrom (the )?$|(不是|不在|不叫|不姓|不再是|不再|记成|说成|写成|以为是?|当成|从|离开|辞掉?了?)[^，。；]{0,6}$",
    re.IGNORECASE,
)
GENERIC = stems(
    "move moved change changed switch switched actually wrong sorry mixed mistake meant correct correction instead "
    "next week month year day date time start started starts become became stopped quit left sold went going "
    "goes like love have want make today tomorrow yesterday only also just "
    "old years aged 岁 年 天 月 号 点 个 只 次 今年 "
    "现在 改到 改成 换成 换到 其实 更正 应该 不是 已经"
)
"""Words that say that something changes, not what."""


def affirmed_values(text: str) -> list[Value]:
    """The values of a text but those that it denies: “Friday, not Thursday”."""
    return [one for one in values_of(text) if not DENIAL.search(text, max(0, one.start - 60), one.start)]


def subject(text: str) -> set[str]:
    """The stems that say what a text is about: neither values nor words of change."""
    return stems(without_values(text)) - GENERIC
