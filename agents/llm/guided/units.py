"""What the user told, in units that can be written down one by one, and whether a text covers one of them."""

import re

from agents.llm.guided.naming import given_name
from agents.llm.guided.values import Value, same_value, values_of, without_values
from agents.llm.guided.words import mentions, sentences, stems, without_greeting

_PLEASE_REMEMBER = re.compile(
    r"^(please |can you |could you )*(also )?(remember|keep in mind|note)( that)?[:,]? "
    r"|[,.]? ?(please )?(remember|note) (that|this|it)[.!]?$"
    r"|^(请|帮我)*(记住|记下|记一下)[，,：:]?|[，,]?(请|帮我)*(记住|记下|记一下)[。！]?$",
    re.IGNORECASE,
)
_WRONG = (
    r"(i|i['’]ve) (just )?(got|had|said|told you|wrote|mixed|made|have to|need to|must|was)\b[^:.!?;,]{0,30}"
    r"\b(wrong|up|mistaken?|error|incorrectly|myself)\b( \w+){0,2}|i (misspoke|lied)|"
    r"(i )?typ(ed|o)( too fast| that wrong)?|tell a lie|scratch that|my bad|silly me|"
    r"that was wrong|that['’]s (not right|wrong)"
)
_WRONG_ZH = r"(刚才|刚刚|前面|之前)?我?(刚才|刚刚|前面|之前)?(说|记|搞|弄|写|打|讲)错(字|了|的)*"
_SORRY = re.compile(
    r"^\W*((sorry|w?h?oops|ah|oh|no|wait|hmm|actually|correction|pardon|my (mistake|bad|apologies)|by the way|in fact|"
    rf"(but )?({_WRONG})(?=[:.!?;,]))[,.:;!–—-]*\s+)+(?=\S)"
    rf"|^((对不起|抱歉|不好意思|不对|等等|哦|哎|唉|啊|其实|更正(一下)?|纠正(一下)?|口误|{_WRONG_ZH})[，,：:。！、\s]*)+"
    r"(?=[^，,：:。！\s])",
    re.IGNORECASE,
)
_SORRY_AFTER = re.compile(
    rf"[,;–—-]?\s*({_WRONG}|sorry|my mistake)(?=\s*[.!]*$)|[，,。]是?{_WRONG_ZH}(?=[。！]*$)", re.IGNORECASE
)
_UNIT = re.compile(
    r"(?:,|;)?\s+(?:and|but)\s+(?=(?:also\s+)?(?:I|I['’]m|we|my|our|he|she|they|his|her|their)\b)"
    r"|[,;]\s+(?=(?:I|I['’]m|we|my|our)\b)|[，；](?=我|另外|还有|而且|同时)"
)
_CLAUSE = re.compile(r"[,;，；、]\s*")
_ENDING = re.compile(
    r"\b(gave up|quit|stopped|no longer|sold|left)\b|\bany ?more\b|不.{1,8}了|戒|辞|离开", re.IGNORECASE
)
_PASSING = re.compile(r"\b(last|this|yesterday) $|[上这]个?$", re.IGNORECASE)


def stripped(told: str) -> str:
    """What was told without a greeting, a word of excuse or the wish that it be remembered."""
    text = _SORRY_AFTER.sub("", _SORRY.sub("", without_greeting(told)))
    text = _PLEASE_REMEMBER.sub("", text).strip()
    return text[:1].upper() + text[1:] if text else told


def units_to_write(text: str) -> list[str]:
    """Sentences, cut where the next thing about someone begins."""
    return [part.strip() for sentence in sentences(text) for part in _UNIT.split(sentence) if part.strip()]


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
    return [value for value in values_of(text) if not DENIAL.search(text[: value.start])]


def subject(text: str) -> set[str]:
    """The stems that say what a text is about: neither values nor words of change."""
    return stems(without_values(text)) - GENERIC
