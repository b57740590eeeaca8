"""The words of a text as search compares them: one form for the index and for queries.

Without accents, case, width and other disguises. A name with signs in it, as in Wi-Fi, O'Brien, node.js or C++, is a
word without them, and each of its parts is one.
"""

import unicodedata
from itertools import pairwise

import regex

from agents.text.cjk import spaced
from agents.text.clean import sortable
from agents.text.compatibility import plain_forms

# Accents and vowel signs that may be left out. Those of Thai, Hindi or Japanese belong to the word.
_MARKS = regex.compile(
    r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]"
)
_INVISIBLE = regex.compile(r"(?!\u200b)[\p{Cf}\p{Variation_Selector}]")
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ĸ": "k"}
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_UMLAUT, _LATIN = regex.compile("[äöü]"), regex.compile(r"[\p{Latin}\p{N}]++")
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ‘＇`´′", "'"))

_WORD = r"[\p{L}\p{M}\p{N}]+"
_NAME = regex.compile(rf"{_WORD}(?:[-‐‑–'._&·]{_WORD})*+(?:\+\+|#(?!\w))?|(?<![\w.])\.[a-z]{_WORD}")
_SIGN = regex.compile(r"[-‐‑–'._&·]")
_SIGNS = {"++": "plusplus", "#": "sharp"}
# After an apostrophe these are not part of a name: it's, don't, we've.
MOST_ENDINGS = 20  # of one name
_ENDINGS = {"s", "t", "m", "d", "re", "ve", "ll"}
# Short words that are said so often that one with its neighbour makes no name, as "wi fi" and "A 38" do.
_COMMON = frozenset(
    regex.findall(
        r"\w+",
        "a i am an as at be by do go he hi if in is it me my no of oh ok on or so to up us we im id the "
        "and for are you was his her its our not but can all had has who how why let lot too one two any "
        "did get got new now old see yes",
    )
)


def word_form(text: str) -> str:
    """The words of `text`, separated by spaces; characters of Chinese, Japanese and Korean in pairs."""
    if text.isascii():
        plain, spelt_out = text.lower(), ""
    else:
        plain = folded(text)
        composed = unicodedata.normalize("NFC", sortable(text)).lower()
        with_umlauts = [word for word in _LATIN.findall(composed) if not word.isascii() and _UMLAUT.search(word)]
        spelt_out = folded(" ".join(with_umlauts).translate(_UMLAUTS))  # Mueller for Müller
    names = list(_NAME.finditer(spaced(plain)))
    words = [word for name in names for word in _words_of(name.group())]
    joined = [
        one.group() + other.group()
        for one, other in pairwise(names)
        if other.start() == one.end() + 1 and _make_a_name(one.group(), other.group())
    ]
    return " ".join((*words, *joined, spelt_out)).strip()


def folded(text: str) -> str:
    """`text` without accents, case, width and other disguises; its signs and spaces stay."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", plain_forms(sortable(text))).casefold()
    plain = _INVISIBLE.sub("", plain).replace("\u200b", " ").translate(_APOSTROPHES)
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", plain)).translate(_LETTERS))


def _words_of(name: str) -> list[str]:
    """The name without its signs, and its parts."""
    endings: list[str] = []
    while "'" in name and (ending := _SIGN.split(name)[-1]) in _ENDINGS and len(endings) < MOST_ENDINGS:
        name, endings = name[: -len(ending) - 1], [ending, *endings]
    return [*_parts_of(name), *endings]


def _parts_of(name: str) -> list[str]:
    for sign, spoken in _SIGNS.items():
        if name.endswith(sign):
            named = name.removesuffix(sign)
            return [*_plain_parts_of(named)[:-1], _SIGN.sub("", named) + spoken]
    return _plain_parts_of(name)


def _plain_parts_of(name: str) -> list[str]:
    if name.startswith("."):
        return [f"dot{name[1:]}", name[1:]]
    parts = _SIGN.split(name)
    if len(parts) == 1:
        return parts
    if all(part.isdigit() for part in parts) and "." in name:
        return [name] if len(parts) == 2 else [*parts, "".join(parts)]
    return ["".join(parts), *parts]


def _make_a_name(one: str, other: str) -> bool:
    """Whether two words side by side may be one that is written apart."""
    if not (one.isascii() and other.isascii() and one.isalnum() and other.isalnum()):
        return False
    if one.isdigit() != other.isdigit():
        number, word = (one, other) if one.isdigit() else (other, one)
        return len(number) <= 4 and (len(word) == 1 or (len(word) <= 3 and word not in _COMMON))
    if one.isdigit() or one in _COMMON or other in _COMMON:
        return False
    return min(len(one), len(other)) <= 2 and max(len(one), len(other)) <= 5
