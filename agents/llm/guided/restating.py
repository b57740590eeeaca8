"""What the user told of themselves, as a note about them: “I teach violin.” becomes “Teaches violin.”.

No model call: it keeps every word that says something, and has none of its own. English and Chinese; in other languages
the user's words are quoted.
"""

import re

from agents.llm.guided.remarks import language_of
from agents.llm.guided.words import CJK, clip

MAX_NOTE = 400  # weight
_LEAD = re.compile(
    r"^\W*((and|but|so|well|oh|ah|also|plus|anyway|hi|hello|hey|hiya|(let me|to) introduce myself|actually|"
    r"by the way|btw|honestly|you know|(great|good|bad|big) news|guess what|to be honest|for the record|fyi|"
    r"just so you know|lol|haha|hmm|(ok(ay)?|yes|yeah|no|now)(?=[,.!]))\b[^\w“\"'‘]*)+(?=\S)",
    re.IGNORECASE,
)
_LEAD_ZH = re.compile(
    r"^\W*((哈喽|你好|对了|哦|哎|唉|嗯|那个|另外|还有|而且|其实|顺便(说一下|说一句)?|告诉你|跟你说|话说|哈哈|好消息|坏消息)[，,：:！!\s]*)+"
)
_ADVERBS = r"(?:also|really|usually|always|often|never|just|only|still|now|currently|recently|finally|sometimes|mostly)"
_BE, _HAVE = r"(?:['’]?m|\s+am)", r"(?:['’]ve|\s+have)"
_STARTS = (  # in this order; the first that fits
    (re.compile(rf"^i{_BE}\s+(?={_ADVERBS}?\s*(?:going|about|not|in|on|at|from|off|[a-z]+ing)\b)", re.I), "Is "),
    (re.compile(rf"^i{_BE}\s+", re.I), ""),
    (re.compile(r"^we(?:['’]re|\s+are)\s+", re.I), ""),
    (re.compile(r"^i(?:['’]ve| have) got\b", re.I), "Has"),
    (re.compile(rf"^(?:i|we){_HAVE} ", re.I), "Has "),
    (re.compile(r"^(?:i|we)['’]d ", re.I), "Would "),
    (re.compile(r"^(?:i|we)['’]ll ", re.I), "Will "),
    (re.compile(r"^(?:my|our) ", re.I), ""),
)
# A note lasts, and “now” does not.
_NOW = re.compile(
    r",? (?:right now|by now|now|these days|nowadays|at the moment)(?=[.!]*$)|^(?:而且)?(?:现在|目前)", re.I
)
_VERB = re.compile(rf"^(?:i|we)\s+(?P<adverbs>(?:{_ADVERBS}\s+)*)(?P<verb>[a-z][a-z'’]*)\b", re.I)
_UNCHANGED_LIST = """
can can't cannot could couldn't will won't would wouldn't may might must should used was were had did didn't got
went came became began bought broke brought built caught chose cut drank drove ate fell felt found flew forgot
gave grew hit heard held hurt kept knew left lent let lost made met misspoke paid put quit ran read said sang sat saw
sent set shut slept sold spent spoke spread stood swam taught thought threw told took understood upset wore won
wrote woke grown
"""
_UNCHANGED = frozenset(_UNCHANGED_LIST.split())
_IRREGULAR = {"have": "has", "do": "does", "go": "goes", "don't": "doesn't", "haven't": "hasn't", "am": "is"}
_INSIDE = {
    "i": "they",
    "i'm": "they are",
    "i've": "they have",
    "i'll": "they will",
    "i'd": "they would",
    "im": "they are",
    "ive": "they have",
    "me": "them",
    "my": "their",
    "mine": "theirs",
    "myself": "themselves",
    "we": "they",
    "we're": "they are",
    "we've": "they have",
    "we'll": "they will",
    "us": "them",
    "our": "their",
    "ours": "theirs",
}
_WORDS_INSIDE = "|".join(sorted(_INSIDE, key=len, reverse=True)).replace("'", "['’]")
_WORD = re.compile(rf"(?<![\w'’])(?:{_WORDS_INSIDE})(?![\w'’])", re.I)
_OTHER_LANGUAGE = re.compile(
    r"\b(ich|mein\w*|mir|mich|wir|unser\w*|je|mon|moi|nous|notre|yo|mis?|nosotros|eu|meu|minha|io|mio|miei|ik|mijn|jag|ja)\b",
    re.IGNORECASE,
)


def without_lead(told: str) -> str:
    """Without the words before what is told: “So, by the way,”."""
    return (_LEAD_ZH if CJK.search(told) else _LEAD).sub("", told) or told


def as_note(told: str) -> str:
    """One thing that was told, restated; a note of at most `MAX_NOTE` in weight."""
    text = clip(told.strip(), MAX_NOTE)
    language = language_of(text)
    if language == "other" or (language == "en" and _OTHER_LANGUAGE.search(text)):
        return f"The user said: “{text}”"
    note = _NOW.sub("", _chinese(text) if language == "zh" else _english(text))
    if not note:
        return text
    note = note[:1].upper() + note[1:]
    return note if note[-1] in ".!?…。！？" else note + ("。" if CJK.search(note) else ".")


def _english(text: str) -> str:
    text = re.sub(
        r"(?<=\w )i (was|am)\b",
        lambda match: {"was": "they were", "am": "they are"}[match[1].lower()],
        text,
        flags=re.I,
    )
    bare = re.sub(
        r"^(?:im|ive)\b",
        lambda match: "I'm" if match.group().lower() == "im" else "I've",
        without_lead(text),
        flags=re.I,
    )
    for start, instead in _STARTS:
        if start.match(bare):
            head, rest = instead, start.sub("", bare)
            break
    else:
        head, rest = _conjugated(bare)
    return head + _WORD.sub(_of_them, rest)


def _conjugated(text: str) -> tuple[str, str]:
    match = _VERB.match(text)
    if match is None:
        return "", text
    verb = match["verb"].replace("’", "'")
    return match["adverbs"] + _third_person(verb), text[match.end() :]


def _third_person(verb: str) -> str:
    low = verb.lower()
    if low in _UNCHANGED or (low.endswith("ed") and low not in ("need", "feed", "breed", "speed")):
        return verb
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if re.search(r"(s|sh|ch|x|z|o)$", low):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", low) else verb + "s"


def _of_them(match: re.Match[str]) -> str:
    return _INSIDE[match.group().lower().replace("’", "'")]


def _chinese(text: str) -> str:
    whole = without_lead(text)
    bare = re.sub(r"^(?:我们家|我们|我家|咱们|我|咱)的?", "", whole) or whole
    return re.sub("我们|咱们|我", "用户", bare)
