"""Finding in a text what somebody copied out of it, when the copy differs in ways that cannot be seen, or hardly."""

import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from itertools import accumulate

import regex

# One piece of a text: a line's end with the white space before it, spaces with what has no width, or one character with
# its marks. `\X` takes a Hangul syllable that is written in letters as one character too.
_UNSEEN = r"\p{Default_Ignorable_Code_Point}\p{Cf}"
_PIECE = regex.compile(rf"(?:[^\S\r\n]|[{_UNSEEN}])*+(?:\r\n?|\n)|(?:[^\S\r\n]|[{_UNSEEN}])++|\X")
_UNSEEN_ONES: "regex.Pattern[str]" = regex.compile(f"[{_UNSEEN}]")
_BLANK = regex.compile(rf"[\s{_UNSEEN}]+")
# Kinds of compatibility characters that look like what they stand for; "m²" is not "m2".
_LOOKALIKE = ("<wide>", "<narrow>", "<compat>", "<noBreak>", "<vertical>", "<small>")
_SIMPLE = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʻʼʹ′‵`´＇＇‹›", "'"),
        **dict.fromkeys("“”„‟«»″‶〝〞〟＂「」『』《》〈〉", '"'),
        **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－", "-"),
        "·": "•",
        "⁄": "/",
        "∶": ":",
        "。": ".",
        "、": ",",
    }
)
_LETTER = regex.compile(r"[\w--\u2e80-\uffef]", regex.V1)  # of words with spaces between them
_LAST_LETTERS = regex.compile(r"[\w--\u2e80-\uffef]+\Z", regex.V1)
_MOST_COMPARED = 300  # characters of a line


def stretches(text: str, part: str) -> list[tuple[int, int]]:
    """Where `part` stands in `text`, to the letter; if nowhere, where it does but for typographic differences.

    White space at the ends of `part` is looked at only to tell one place from another: it is in no stretch.
    """
    core = part.strip()
    if not core:
        return []
    lead = len(part) - len(part.lstrip())
    exact = [start + lead for start in _starts(text, part)] or _starts(text, core)
    found = [(start, start + len(core)) for start in exact]
    whole = [(start, end) for start, end in found if end == len(text) or not unicodedata.combining(text[end])]
    return whole or _Plain(text).stretches(core)


def same(one: str, other: str) -> bool:
    """Whether they differ in nothing that can be seen, or hardly."""
    return _Plain(one).text.strip() == _Plain(other).text.strip()


def nearest(text: str, part: str) -> tuple[str, str]:
    """For a `part` that does not stand in `text`: how much of it does, from its start, and the line of `text` that is
    most like it. Either may be empty."""
    plain, wanted = _Plain(text), _Plain(part.strip())
    end = wanted.source_at(_longest_prefix(plain.text, wanted.text))
    begun = part.strip()[:end]
    if _LETTER.match(part.strip(), end):  # no half words
        begun = _LAST_LETTERS.sub("", begun)
    begun = begun.rstrip()
    if len(begun) > 1:
        where = plain.source_at(plain.text.find(_Plain(begun).text))
        left = text.rfind("\n", 0, where) + 1
        return begun, text[left:].split("\n", 1)[0].strip()
    lines = [line.strip()[:_MOST_COMPARED] for line in text.splitlines() if line.strip()]
    close = get_close_matches(part.strip()[:_MOST_COMPARED], lines, n=1, cutoff=0.5)
    return "", close[0] if close else ""


class _Plain:
    """A text as it is compared. Its pieces are compared whole: half a ligature is not found."""

    def __init__(self, text: str) -> None:
        pieces = _PIECE.findall(text)
        forms = [_plain(piece) for piece in pieces]
        self.text = "".join(forms)
        starts = accumulate(map(len, forms), initial=0)
        sources = accumulate(map(len, pieces), initial=0)
        self._sources: dict[int, tuple[int, int]] = {}  # place in the plain text: first and last place in the source
        for place, source in zip(starts, sources, strict=True):
            first, _last = self._sources.get(place, (source, source))
            self._sources[place] = (first, source)

    def source_at(self, place: int) -> int:
        """Where the piece at this place of the plain text begins in the source; of the last one before, within it."""
        while place not in self._sources:
            place -= 1
        return self._sources[place][1]

    def stretches(self, part: str) -> list[tuple[int, int]]:
        plain = _Plain(part).text.strip()
        found = [(start, start + len(plain)) for start in _starts(self.text, plain)] if plain else []
        whole = [(start, end) for start, end in found if start in self._sources and end in self._sources]
        # what has no width stays outside, at either end
        return [(self._sources[start][1], self._sources[end][0]) for start, end in whole]


@lru_cache(maxsize=4096)
def _plain(piece: str) -> str:
    if piece[-1] in "\r\n":
        return "\n"
    if _BLANK.fullmatch(piece):
        return " " if any(character.isspace() for character in piece) else ""
    written = "".join(
        unicodedata.normalize("NFKC", character)
        if unicodedata.decomposition(character).startswith(_LOOKALIKE)
        else character
        for character in unicodedata.normalize("NFC", piece)
    )
    return _UNSEEN_ONES.sub("", written).translate(_SIMPLE)


def _starts(text: str, part: str) -> list[int]:
    """Where it begins, also where one overlaps the next."""
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def _longest_prefix(text: str, part: str) -> int:
    """How many characters of `part`, from its start, stand somewhere in `text`."""
    least, most = 0, len(part)
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if part[:middle] in text else (least, middle - 1)
    return least
