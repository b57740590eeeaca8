"""Bytes to text, whatever encoding they came in."""

import re
from codecs import BOM_UTF8
from functools import partial
from pathlib import Path

from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.text.clean import storable

MARKS = {  # the longer first: one of UTF-32 begins as one of UTF-16 does
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
SAMPLE = 200_000  # bytes a guess is made from
FEW, FEWER = 8, 3  # runs beyond ASCII: of so few the common encoding is taken if it is nearly as likely, or anyway
COMMON, NEARLY = "Windows-1252", 0.6
SIGNS = b"\x80\x84\x85\x91\x92\x93\x94\x95\x96\x97\xa3\xa7\xab\xb0\xbb"  # €, quotation marks, dashes, £, §, °
UNSURE = 0.05  # confidence in a guess
CJK_TEXT = re.compile("[\\t\\r\\n -~\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]+")
CJK_SIGN = re.compile("[\\r\\n \u3000-\u30ff\uff00-\uffef]")
HIGH = re.compile(rb"[\x80-\xff]+")
SWITCHES = re.compile(rb"\x1b|~\{")  # ASCII that is not: encodings of Japanese, Korean and Chinese for old mail
TELLING = re.compile(HIGH.pattern + b"|" + SWITCHES.pattern)
NO_TEXT = re.compile(rb"[\x00-\x08]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
NOISE, BAD = 50, 20  # one control character, or one byte that fits nothing, in so many is too much


def text_of(path: str) -> str:
    """The text of a file. Raises InvalidInput when its encoding is not recognised, or OSError."""
    return decoded(Path(path).read_bytes())


def decoded(raw: bytes, declared: str = "") -> str:
    """The bytes as text that the database can store. `declared` is the encoding they name, which may not be true.
    Raises InvalidInput when none is recognised."""
    text = _unmistaken(raw)
    if text is None and declared:
        text = _in(raw, declared)
    if text is None and not raw.startswith(tuple(MARKS)):
        text = _in(raw, _guess(raw))
    if text is None:
        raise InvalidInput(_("Its text encoding is not known. Save it as UTF-8."))
    return storable(text.replace("\x00", " "))


def is_text(head: bytes) -> bool:
    """Whether bytes from the beginning of a file are text in some encoding."""
    try:
        decoded(head)
    except InvalidInput:
        return False
    return True


def _unmistaken(raw: bytes) -> str | None:
    """As its mark says, or as UTF-8, with U+FFFD for a few bytes that are not."""
    for mark, encoding in MARKS.items():
        if raw.startswith(mark):
            return _in(raw, encoding)
    raw = raw.removeprefix(BOM_UTF8)
    if raw.isascii() and SWITCHES.search(raw):
        return None
    text = raw.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return None if (bad and _beyond_ascii(text) < 2 * bad) or _is_noise(text) else text


def _in(raw: bytes, encoding: str) -> str | None:
    """In this encoding, if hardly a byte speaks against it."""
    try:
        text = raw.decode(encoding, "strict" if encoding.startswith("utf") else "replace")
    except (LookupError, UnicodeError):
        return None
    return None if text.count("\ufffd") * BAD > _beyond_ascii(text) or _is_noise(text) else text


def _guess(raw: bytes) -> str:
    """The likely encoding, or nothing."""
    import chardet

    sample = _sample(raw)
    guesses = {guess["encoding"]: guess["confidence"] for guess in chardet.detect_all(sample, ignore_threshold=True)}
    best = next(iter(guesses))
    likely = guesses.get(COMMON, 0) > NEARLY * guesses[best]
    if _is_sparse(sample, only=FEW if likely else FEWER):
        return COMMON
    if guesses[best] < UNSURE or not best:
        best = next(filter(partial(_is_cjk, sample), ("utf-16-le", "utf-16-be")), best)
    return best or ("ascii" if raw.isascii() else "")


def _is_sparse(sample: bytes, only: int) -> bool:
    """Whether what is beyond ASCII is usual signs, or single letters and few of them."""
    runs = HIGH.findall(sample)
    if not 0 < len(runs) < FEW or max(map(len, runs)) > 2 or NO_TEXT.search(sample):
        return False
    return len(runs) < only or not b"".join(runs).strip(SIGNS)


def _is_cjk(sample: bytes, encoding: str) -> bool:
    """Whether it makes sense as Chinese, Japanese or Korean of two bytes a character."""
    try:
        text = sample.decode(encoding)
    except UnicodeError:
        return False
    return CJK_TEXT.fullmatch(text) is not None and CJK_SIGN.search(text) is not None


def _sample(raw: bytes) -> bytes:
    """Of a large file, lines that are not plain ASCII."""
    found = None if b"\x00" in raw[:SAMPLE] else TELLING.search(raw)
    if len(raw) <= SAMPLE or not found:
        return raw[:SAMPLE]
    lines: list[bytes] = []
    size = 0
    for line in raw[found.start() :].split(b"\n"):
        if size < SAMPLE and TELLING.search(line):
            lines.append(line)
            size += len(line)
    return b"\n".join(lines)[:SAMPLE]


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _is_noise(text: str) -> bool:
    head = text[:SAMPLE]
    return len(CONTROL.findall(head)) * NOISE > len(head)
