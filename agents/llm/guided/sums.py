"""A sum that is asked for, worked out: small models are bad at them. No model call."""

import re

from agents.llm.guided.values import counted_as

_NUMBER = r"(?:\d{1,9}(?:\.\d{1,4})?|[a-z]+(?:-[a-z]+)?)"
_SUM = re.compile(
    rf"(?<![\w.,+*/×÷-])(?P<one>{_NUMBER}) ?(?P<sign>times|multiplied by|plus|minus|divided by|percent of|[x×*+÷−]|"
    rf"(?<= )[/-](?= )|% of) ?(?P<other>{_NUMBER})\b(?![.,]\d)",
    re.IGNORECASE,
)
_SUM_ZH = re.compile(
    r"(?<![\d.一二三四五六七八九十百千万])(?P<one>\d{1,9}|[一二三四五六七八九十]) ?(?P<sign>加|减|乘以?|除以) ?"
    r"(?P<other>\d{1,9}|[一二三四五六七八九十])(?![\d.一二三四五六七八九十百千万])"
)
_MORE = re.compile(
    r"\b(times|plus|minus|divided by|multiplied by|half|twice|double)\b|[+*×÷−]|[加减乘除]|\d ?x ?\d| [/-] \d",
    re.IGNORECASE,
)
_IS_A_SUM = re.compile(
    r"^\W*(what['’]?s|what is|how much is|calculate|work out|is)\b[^?]*$|=|\bequals?\b", re.IGNORECASE
)
_SIGNS = {  # how a sign is written, and how it is said
    "×": ("times", "multiplied by", "x", "×", "*", "乘", "乘以"),
    "+": ("plus", "+", "加"),
    "−": ("minus", "-", "−", "减"),
    "÷": ("divided by", "/", "÷", "除以"),
    "% of": ("percent of", "% of"),
}


def worked_out(asked: str) -> str:
    """“7 × 8 = 56” for “What's seven times eight?”; empty if no sum of two numbers is asked for."""
    match = _SUM.search(asked) or _SUM_ZH.search(asked)
    if match is None or len(_MORE.findall(asked)) > 1:  # one of several would be wrong
        return ""
    if match["sign"].lower() in "x-/" and not _IS_A_SUM.search(asked[: match.end()]):  # “from 5 - 10 kg”
        return ""
    one, other = _number(match["one"]), _number(match["other"])
    sign = next(sign for sign, words in _SIGNS.items() if match["sign"].lower() in words)
    if one is None or other is None or (sign == "÷" and not other):
        return ""
    results = {"×": one * other, "+": one + other, "−": one - other, "% of": one * other / 100}
    result = results[sign] if sign in results else one / other
    return f"{one:g} {sign} {other:g} = {round(result, 4):.15g}"


def _number(text: str) -> float | None:
    try:
        return float(counted_as(text))
    except ValueError:
        return None
