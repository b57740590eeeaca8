"""Values in a text, by kind: days, hours, amounts, names. Where one is corrected, only it has to change in a line."""

import re
from dataclasses import dataclass

from agents.llm.guided.words import CJK, STOP_WORDS

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
_COUNT = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
)
_HOUR = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_TENS = r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_COUNTED = {word: str(number) for number, word in enumerate(re.findall(r"[a-z]+", _COUNT[2:])[:19], start=2)}
_TEN = {word: ten for ten, word in zip(range(20, 100, 10), re.findall(r"[a-z]+", _TENS[3:]), strict=True)}
_COUNTED |= {character: str(number) for number, character in enumerate("一二三四五六七八九十", start=1)} | {"两": "2"}
_DIGITS = r"(?:[0-9]{1,12}|[〇零一二两三四五六七八九十百]{1,8})"
_COUNTS = r"(?:[0-9]+|[二两三四五六七八九十百]+)(?=个(?!月)|位|匹|头|条|辆|间|口|家|名)"
_UNIT = (
    r"(?:岁|个月|年|公里|千米|米|公斤|斤|厘米|块|元|小时|分钟|分|秒|次|层|楼|只|本|人|天|周(?!末)|页|"
    r"节|堂|杯|门|台|顿|遍|趟|瓶|盒|套|盆|棵)"
)
_TITLE = r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\. )?"
_KINDS = {  # in this order: what one has taken, the next does not see
    "date": re.compile(
        rf"\b(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?i:{_MONTH})\b(?:,? \d{{4}}\b)?"
        rf"|\b(?i:{_MONTH})\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"
        r"|\bthe \d{1,2}(?:st|nd|rd|th)\b|\b\d{4}-\d\d-\d\d\b"
        rf"|{_DIGITS}月(?:{_DIGITS}[日号]|份|底|初)?|{_DIGITS}[日号](?![楼线])"
    ),
    "month": re.compile(rf"\b(?<!\d ){_MONTH}\b(?! \d)(?<!May)|\b(?<=in )May\b"),
    "weekday": re.compile(rf"\b{_WEEKDAY}\b|(?:周|星期|礼拜)[一二三四五六日天]", re.IGNORECASE),
    "hour": re.compile(
        r"\b\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|o['’]clock)(?!\w)|\b\d{1,2}:\d\d\b"
        rf"|\b(?:half past|quarter (?:past|to)) {_HOUR}\b|(?<=\bat ){_HOUR}\b"
        rf"|{_DIGITS}点(?:半|一刻|{_DIGITS}分?)?",
        re.IGNORECASE,
    ),
    "coming": re.compile(r"\bnext (?:week|month|year)\b|明年|后年|下个?月|下周(?![一二三四五六日天])", re.IGNORECASE),
    "time of day": re.compile(
        r"\b(?:(?:in the )?(?:morning|afternoon|evening)s?|at night)\b|早上|上午|中午|下午|晚上", re.IGNORECASE
    ),
    "shift": re.compile(
        r"\b(?:night|day|early|late)s?(?= shifts?\b)|(?:(?<=\bon )|(?<=\bwork )|(?<=\bworks )|(?<=\bworking ))"
        r"(?:nights|days)\b|[夜白日早晚中]班",
        re.IGNORECASE,
    ),
    "frequency": re.compile(r"\b(?:once|twice|(?:two|three|four|five|six|\d) times)\b", re.IGNORECASE),
    "amount": re.compile(
        rf"(?<![A-Za-z0-9_-])\d{{1,12}}(?:[.,]\d{{1,6}})*(?![A-Za-z0-9_-])|\b{_TENS}-{_ONES}\b|\b{_COUNT}\b|"
        rf"{_DIGITS}(?={_UNIT})|{_COUNTS}",
        re.IGNORECASE,
    ),
    "colour": re.compile(
        r"\b(?:red|blue|green|yellow|black|white|gr[ea]y|brown|orange|purple|pink|silver|beige|turquoise)\b"
        r"|[红蓝绿黄黑白灰棕橙紫粉银]色",
        re.IGNORECASE,
    ),
    "code": re.compile(r"\b[A-Z]{1,3}-?\d+[A-Z]?\b"),
    "name": re.compile(
        rf"\b{_TITLE}[A-Z][\w'’-]*(?: (?:(?:van|von|de|der|den|del|di|da|bin|al) )*{_TITLE}[A-Z][\w'’-]*)*"
    ),
}
_COUNTED_THINGS = re.compile(r"[0-9二两三四五六七八九十百]([层只本节堂杯门台瓶盒套盆棵间位辆匹头条])")
_NOT_A_NAME = STOP_WORDS | {"oh", "ah", "well", "yes", "wait", "sorry", "actually", "hang", "oops", "ok", "okay"}


@dataclass(frozen=True)
class Value:
    """One value as it stands in a text. `key` is the same for other spellings of it: “14 March”, “March 14th”."""

    kind: str
    text: str
    key: str
    start: int


def values_of(text: str) -> list[Value]:
    """All values of a text, kind by kind."""
    found: list[Value] = []
    rest = text
    for kind, pattern in _KINDS.items():
        for match in pattern.finditer(rest):
            start, value = match.start(), match.group()
            if kind == "name" and not _is_name(value, text[:start]):
                first, _, value = value.partition(" ")
                start += len(first) + 1
            if value and not _is_common(value):
                found.append(Value(kind, value, _key(kind, value), start))
        rest = pattern.sub(lambda match: "_" * len(match.group()), rest)
    return found


def counted(text: str) -> set[str]:
    """The measure words of what a Chinese text counts, where they tell what it is: “节” of “六节课”."""
    return set(_COUNTED_THINGS.findall(text))


def without_values(text: str) -> str:
    """The text with its values left out: what remains says what they are values of."""
    for value in sorted(values_of(text), key=lambda one: -one.start):
        text = text[: value.start] + " " + text[value.start + len(value.text) :]
    return text


def same_value(one: Value, other: Value) -> bool:
    """Whether two values are one: “the 14th” is “14 March”, “six” is “6 pm”, the Skoda is the Skoda Octavia."""
    if one.kind != other.kind:
        return False
    if one.kind in ("date", "hour") or (one.kind == "name" and not CJK.search(one.key)):
        first, second = set(one.key.split()), set(other.key.split())
        return first <= second or second <= first
    return one.key == other.key


def _is_name(value: str, before: str) -> bool:
    """A capital letter within a sentence; one at its beginning may be there for that alone."""
    head = before.rstrip(" \"'“”‘’([*-")
    return bool(head) and head[-1] not in ".!?…\n“_" and not _is_common(value.split()[0])


def _is_common(word: str) -> bool:
    """Whether a word with a capital letter is a name in no sentence: “He's”."""
    return re.sub(r"['’](s|m|re|ve|ll|d)$", "", word.lower()) in _NOT_A_NAME


def counted_as(value: str) -> str:
    """An amount in figures: “thirty-four” is 34."""
    tens, _, ones = value.lower().partition("-")
    if ones and tens in _TEN:
        return str(_TEN[tens] + int(_COUNTED.get(ones, "1")))
    return _COUNTED.get(value.lower(), str(_TEN.get(tens, value)))


def _hour(value: str) -> str:
    """An hour of the clock, with its half of the day where that is told: “18:00” is “6:00 pm”, “six” is “6:00”."""
    match = re.search(r"(\d{1,2})(?:[:.](\d\d))?", value)
    if match:
        half = re.search(r"[ap](?=\.?m)", value)
        marked = f" {half.group()}m" if half else " pm" if int(match[1]) > 12 else ""
        return f"{int(match[1]) % 12}:{match[2] or '00'}{marked}"
    words = {word: number for word, number in _COUNTED.items() if word.isascii()} | {"one": "1", "twelve": "0"}
    hour = next((int(number) for word, number in words.items() if value.endswith(word)), None)
    if hour is None:
        return value
    minutes = 30 if "half" in value else 15 if "past" in value else 45 if "to " in value else 0
    return f"{(hour - (minutes == 45)) % 12}:{minutes:02}"


def _key(kind: str, value: str) -> str:
    if kind == "amount":
        return counted_as(value)
    if kind == "hour" and not CJK.search(value):
        return _hour(value.lower())
    if kind == "colour":
        return value.lower().replace("grey", "gray")
    if CJK.search(value):
        return re.sub("星期|礼拜", "周", value).replace("天", "日") if kind == "weekday" else value
    low = re.sub(r"['’]s$", "", value.lower())
    if kind == "date" and not re.match(r"\d{4}-", low):
        return " ".join(
            sorted(word[:3] for word in re.findall(r"\d+|[a-z]{3,}", re.sub(r"(?<=\d)(st|nd|rd|th)|\bthe\b", "", low)))
        )
    if kind == "shift":
        return low.rstrip("s")
    if kind == "time of day":
        low = low.removeprefix("in the ")
    return low.rstrip("s") if kind in ("weekday", "time of day") else low
