"""Small edits of a text of lines. None glues two lines together, or takes white space that is not its own."""

import re

from agents.text.matching import same

_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_BULLET = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")
_SPACE = re.compile(r"[^\S\n]")


def with_lines(text: str, added: str) -> str | None:
    """`text` with more at its end, on lines of its own; None if those lines stand there already. A bullet keeps its
    indentation."""
    added = _BLANK_LINES.sub("", added).rstrip()
    if not _BULLET.match(added):
        added = added.lstrip()
    lines, more = text.splitlines(), added.splitlines()
    if any(same("\n".join(lines[at : at + len(more)]), added) for at in range(len(lines) - len(more) + 1)):
        return None
    return f"{text}\n{added}" if text and not text.endswith("\n") else text + added


def replaced(text: str, stretch: tuple[int, int], new: str) -> str:
    """With something else in place of a stretch. White space at the ends of `new` does not count, as in `stretches`."""
    start, end = stretch
    return text[:start] + new.strip() + text[end:]


def deleted(text: str, stretch: tuple[int, int], given: str) -> str:
    """Without a stretch, and without the spaces at the ends of `given`, by which it was named; a line that is empty now
    goes as a whole."""
    start, end = stretch
    start -= _spaces(text[:start][::-1], given[: len(given) - len(given.lstrip())][::-1])
    end += _spaces(text[end:], given[len(given.rstrip()) :])
    left, right = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    right = len(text) if right < 0 else right
    if (text[left:start] + text[end:right]).strip():
        return text[:start] + text[end:]
    return text[:left] + text[right + 1 :] if right < len(text) else text[: max(0, left - 1)]


def _spaces(text: str, given: str) -> int:
    """How many spaces, other than line ends, both begin with."""
    count = 0
    while count < min(len(text), len(given)) and _SPACE.match(text, count) and _SPACE.match(given, count):
        count += 1
    return count
