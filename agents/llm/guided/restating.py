"""What the user told of themselves, as a note about them: “I teach violin.” becomes “Teaches violin.”.

No model call: it keeps every word that says something, and has none of its own. English and Chinese; in other languages
the user's words are quoted.
"""

import re

from agents.llm.guided.remarks import language_of
from agents.llm.guided.signs import is_of_a_third
from agents.llm.guided.words import CJK, clip

MAX_NOTE = 400  # weight
_LEAD = re.compile(
    r"^\W*((and|but|so|well|oh|ah|also|plus|anyway|hi|hello|hey|hiya|(let me|to) introduce myself|actually|"
    r"by the way|btw|honestly|you know|((a )?bit of |some )?(great|good|bad|big|some)? ?news( from me|"
    r" from my side| on my side)?|kia ora|as(?= i['’]?m\b)|since(?= i\b)|because(?= i\b)|guess what|to be honest|"
    r"for the record|fyi|just so you know|lol|haha|hmm|(ok(ay)?|yes|yeah|no|now)(?=[,.!]))\b[^\w“\"'‘]*)+(?=\S)",
    re.IGNORECASE,
)
_LEAD_ZH = re.compile(
    r"^\W*((哈喽|你好|对了|哦|哎|唉|嗯|那个|另外|还有(?![个一两几位只条])|而且|其实|顺便(说一下|说一句)?|告诉你|跟你说(个事|件事|一下)?|说个事|话说|哈哈|好消息|"
    r"坏消息)[，,：:！!\s]*)+"
)
ADVERBS = (
    r"no longer|also|really|usually|always|often|never|just|only|still|now|currently|recently|finally|sometimes|mostly|"
    r"rarely|truly|even|hardly|seldom|mainly|normally|generally|regularly|absolutely"
)
_BE, _HAVE = r"(?:['’]?m|\s+am)", r"(?:['’]ve|\s+have)"
_STARTS = (  # in this order; the first that fits
    (re.compile(rf"^i{_BE}\s+(?=\d{{1,2}}\s*[.!]*$)", re.I), "Age: "),
    (re.compile(rf"^i{_BE}\s+(?=(?:{ADVERBS})?\s*(?:going|about|not|in|on|at|from|off|[a-z]+ing)\b)", re.I), "Is "),
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
_VERB = re.compile(rf"^(?:i|we)\s+(?P<adverbs>(?:(?:{ADVERBS})\s+)*)(?P<verb>[a-z][a-z'’]*)\b", re.I)
_UNCHANGED_LIST = """
can can't cannot could couldn't will won't would wouldn't may might must should used was were are had did didn't got
went came became began bought broke brought built caught chose cut drank drove ate fell felt found flew forgot
gave grew hit heard held hurt kept knew left lent let lost made met misspoke paid put quit ran read said sang sat saw
sent set shut slept split sold spent spoke spread stood swam taught thought threw told took understood upset wore won
wrote woke grown
"""
_UNCHANGED = frozenset(_UNCHANGED_LIST.split())
_IRREGULAR = {"have": "has", "do": "does", "go": "goes", "don't": "doesn't", "haven't": "hasn't", "am": "is"}
_INSIDE = {
    "i": "the user",
    "i'm": "the user is",
    "i've": "the user has",
    "i'll": "the user will",
    "i'd": "the user would",
    "im": "the user is",
    "ive": "the user has",
    "me": "the user",
    "my": "the user's",
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
_WORD = re.compile(rf"(?<![\w'’])(?<!\ban )(?!mine\b)(?:{_WORDS_INSIDE})(?![\w'’])", re.I)
_I_DO = re.compile(rf"(?<![\w'’])I (?P<adverbs>(?:(?:{ADVERBS}) )*)(?P<verb>[a-z]+(?:['’]t)?)\b", re.I)
_TOPIC_FIRST = re.compile(r"^([\u4e00-\u9fff]{1,6}?)(?:我们|咱们|我)(?=现在|已经|以后|早就?|不|都|也|再)")
_SUBORDINATE = re.compile(r"\b(?:to|when|that|if|because|who|which|where|while)\b")
_AND_I = re.compile(r"^\w+ and $|(?:^|[, ])(?:[A-Z][\w'’-]+|(?:my|our|the user['’]s) \w+) and $")
_AND_DO = re.compile(
    r"(?<=\w) and (?P<verb>live|work|drive|study|teach|play|run|like|love|want|speak|swim|read|cook|paint|meditate|"
    r"volunteer|collect|sing|write|ride|grow|keep|go|have|train|dance|paint)\b"
)
_OTHER_LANGUAGE = re.compile(
    r"\b(ich|mein\w*|mir|mich|wir|unser\w*|je|mon|moi|nous|notre|yo|mis?|nosotros|eu|meu|minha|io|mio|miei|ik|"
    r"mijn|jag|ja)\b",
    re.IGNORECASE,
)


_NAMED = re.compile(
    r"(?<=\bcalled )(?!(?:off|in|up|for|back|by|me|him|her|them|us|it|the|a|an|my)\b)[a-z]+"
    r"|(?<=\bnamed )(?!after\b)[a-z]+"
)
_ASIDE = re.compile(r",? (?:btw|by the way|lol|haha)(?=[,.!;]|$)", re.IGNORECASE)


def without_lead(told: str) -> str:
    """Without the words before what is told: “So, by the way,”."""
    return (_LEAD_ZH if CJK.search(told) else _LEAD).sub("", told) or told


def can_restate(text: str) -> bool:
    """Whether a text is English or Chinese."""
    language = language_of(text)
    return language == "zh" or ((language == "en" or is_of_a_third(text)) and not _OTHER_LANGUAGE.search(text))


def as_note(told: str) -> str:
    """One thing that was told, restated; a note of at most `MAX_NOTE` in weight."""
    text = clip(told.strip(), MAX_NOTE)
    if not can_restate(text):
        return f"The user said: “{text}”"
    note = _NOW.sub("", _chinese(text) if CJK.search(text) else _english(text))
    if not note:
        return text
    note = note[:1].upper() + note[1:]
    return note if note[-1] in ".!?…。！？" else note + ("。" if CJK.search(note) else ".")


def _english(text: str) -> str:
    bare = re.sub(
        r"^(?:im|ive)\b",
        lambda match: "I'm" if match.group().lower() == "im" else "I've",
        _ASIDE.sub("", without_lead(text)),
        flags=re.I,
    )
    for start, instead in _STARTS:
        if start.match(bare):
            head, rest = instead, start.sub("", bare)
            break
    else:
        head, rest = _conjugated(bare)
    if re.match(r"(i|we)\b", bare, re.IGNORECASE):  # it is plain whose
        rest = re.sub(r"\bmy\b", "their", rest)
    verb = _VERB.match(bare)
    if verb and verb["verb"].lower() not in _UNCHANGED and not _SUBORDINATE.search(rest.partition(" and ")[0]):
        rest = _AND_DO.sub(lambda match: f" and {_third_person(match['verb'])}", rest)
    rest = _NAMED.sub(lambda match: match.group().title(), rest)
    rest = re.sub(r"(?<=\b(?:of|is|as)) mine\b(?! \w)", " the user's", rest)
    return head + _WORD.sub(_of_them, _I_DO.sub(_the_user_does, rest))


def _the_user_does(match: re.Match[str]) -> str:
    several = _AND_I.search(match.string[: match.start()])  # “Joanne and I have”
    verb = match["verb"].replace("am", "are") if several else _third_person(match["verb"])
    return f"the user {match['adverbs']}{verb}"


def _conjugated(text: str) -> tuple[str, str]:
    match = _VERB.match(text)
    if match is None:
        return "", text
    verb = match["verb"].replace("’", "'")
    return match["adverbs"] + _third_person(verb), text[match.end() :]


def _third_person(verb: str) -> str:
    low = verb.lower()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if (
        low in _UNCHANGED
        or low.endswith("n't")
        or (low.endswith("ed") and low not in ("need", "feed", "breed", "speed"))
    ):
        return verb
    if re.search(r"(s|sh|ch|x|z|o)$", low):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", low) else verb + "s"


def _of_them(match: re.Match[str]) -> str:
    return _INSIDE[match.group().lower().replace("’", "'")]


def _chinese(text: str) -> str:
    whole = without_lead(text)
    bare = re.sub(r"^(?:我们家|我们|我家|咱们|我|咱)的?", "", whole) or whole
    bare = _TOPIC_FIRST.sub(r"\1", bare)
    return re.sub("我们|咱们|我", "用户", bare)
