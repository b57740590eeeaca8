"""Text to pieces of about 200 tokens, cut where sentences, sections or rows end; each knows its page or place."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeVar

from markdown_it import MarkdownIt
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from agents.text import tokens
from agents.text.clean import storable

PASSAGE_TOKENS = 200
PLACE_LENGTH = 200
CAPACITY = (PASSAGE_TOKENS // 2, PASSAGE_TOKENS)
LONGEST_LINE = 10_000  # characters
OVERLONG = re.compile(rf"[^\n]{{{LONGEST_LINE + 1},}}")
BLOCKS = MarkdownIt("commonmark").disable("inline")  # where headings are is all that is asked of it
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # its last line would make a heading of the line before
UNDERLINE = r"([=\-~^\"'`#*+.:_])\{}{{2,}}"
RST_TITLE = re.compile(
    rf"^(?:(?P<over>{UNDERLINE.format(2)}) *\n)?(?P<title> ?\S.*)\n(?P<under>{UNDERLINE.format(5)}) *$", re.MULTILINE
)

Row = TypeVar("Row")


class Cut(NamedTuple):
    """A piece of a document. `page` counts from 1; `place` names the heading, sheet, rows or keys, or is empty;
    `said_at` is in seconds since 1970, where it was said at a time."""

    page: int | None
    place: str
    text: str
    said_at: float | None = None


class Heading(NamedTuple):
    """A Markdown heading at the characters `start` to `end`; `path` holds the headings above it, and it."""

    start: int
    end: int
    path: tuple[str, ...]


def cut_text(text: str, *, page: int | None = None, place: str = "") -> Iterator[Cut]:
    """Pieces of plain text, all with the same page and place."""
    for _start, piece in _pieces(TextSplitter.from_callback(tokens.count, CAPACITY), storable(text)):
        yield Cut(page, place_of([place]), piece)


def cut_source(text: str) -> Iterator[Cut]:
    """Pieces of code or of a log, cut between lines and rather where one is empty; each names its lines."""
    text = storable(text.replace("\r\n", "\n").replace("\r", "\n"))
    splitter = TextSplitter.from_callback(tokens.count, CAPACITY, trim=False)
    line, seen = 1, 0
    for start, piece in _pieces(splitter, text):
        line, seen = line + text.count("\n", seen, start), start
        shown = piece.lstrip("\n")
        first = line + len(piece) - len(shown)
        shown = shown.rstrip()
        if shown:
            yield Cut(None, lines_place(first, first + shown.count("\n")), shown)


def lines_place(first: int, last: int) -> str:
    """In English, as the agent is told; the page translates it."""
    return f"Line {first}" if first == last else f"Lines {first}–{last}"


def cut_markdown(text: str, *, place: str = "") -> Iterator[Cut]:
    """Pieces named by the headings above them; by `place` where there are none."""
    text = storable(text.replace("\r\n", "\n").replace("\r", "\n"))
    headings = _headings(text)
    starts = [heading.start for heading in headings]
    for start, piece in _pieces(MarkdownSplitter.from_callback(tokens.count, CAPACITY), text):
        number = bisect_right(starts, start)  # of headings that begin at it or before
        end = headings[number - 1].end if number else start
        while number < len(headings) and not text[max(start, end) : headings[number].start].strip():
            end = headings[number].end  # it begins with several, and what follows is under the last
            number += 1
        yield Cut(None, place_of(headings[number - 1].path if number else [place]), piece)


def cut_rows(rows: Iterable[tuple[Row, str]], place: Callable[[Row, Row], str], *, head: str = "") -> Iterator[Cut]:
    """As many rows a piece as fit, under `head`, so that each can be understood alone. `place` names first to last."""
    head = storable(head)
    if tokens.count(head) > PASSAGE_TOKENS // 2:  # repeated, it would leave no room
        yield from cut_text(head)
        head = ""
    room = PASSAGE_TOKENS - tokens.count(head)
    splitter = TextSplitter.from_callback(tokens.count, room)
    held: list[tuple[Row, str]] = []
    used = 0
    for row, text in ((row, storable(text)) for row, text in rows):
        size = tokens.count(text + "\n")
        if held and used + size > room:
            yield _joined(held, place, head)
            held, used = [], 0
        if size > room:
            for _start, part in _pieces(splitter, text):
                yield _joined([(row, part)], place, head)
        else:
            held.append((row, text))
            used += size
    if held:
        yield _joined(held, place, head)


def parts(text: str, room: int) -> Iterator[str]:
    """A text in pieces of at most `room` tokens."""
    for _start, piece in _pieces(TextSplitter.from_callback(tokens.count, room), storable(text)):
        yield piece


def _pieces(splitter: TextSplitter | MarkdownSplitter, text: str) -> Iterator[tuple[int, str]]:
    """What the splitter makes of it, each with where it starts; in a time that grows as the text does."""
    for start, stretch in _stretches(text):
        for offset, piece in splitter.chunk_indices(stretch):
            yield start + offset, piece


def _stretches(text: str) -> Iterator[tuple[int, str]]:
    """All of `text`, with where each stretch starts. A line so long that the splitter would count it over and over is
    cut beforehand, after a sentence or a word where there is one."""
    begun = 0
    for line in OVERLONG.finditer(text):
        yield begun, text[begun : line.start()]
        at = line.start()
        while at < line.end():
            end = min(at + LONGEST_LINE, line.end())
            if end < line.end():
                found = (text.rfind(sign, at + LONGEST_LINE // 2, end) + len(sign) for sign in (". ", "。", " "))
                end = next((after for after in found if after > at + LONGEST_LINE // 2), end)
            yield at, text[at:end]
            at = end
        begun = line.end()
    yield begun, text[begun:]


def _joined(held: list[tuple[Row, str]], place: Callable[[Row, Row], str], head: str) -> Cut:
    lines = [head, *(text for _, text in held)] if head else [text for _, text in held]
    return Cut(None, place_of([place(held[0][0], held[-1][0])]), "\n".join(lines))


def place_of(path: Iterable[str]) -> str:
    """The nearest of `path` that fit, as "Installation > Linux"."""
    parts = [storable(" ".join(part.split())) for part in path]
    while len(parts) > 1 and len(" > ".join(parts)) > PLACE_LENGTH:
        del parts[0]
    place = " > ".join(parts)
    return place if len(place) <= PLACE_LENGTH else place[: PLACE_LENGTH - 1] + "…"


def markdown_from_rst(text: str) -> str:
    """reStructuredText with Markdown's headings: titles are underlined there, in an order that each text chooses."""
    levels: dict[tuple[bool, str], int] = {}

    def heading(found: re.Match[str]) -> str:
        over, title, under = found["over"], found["title"], found["under"]
        if len(under) < len(title.rstrip()) or (over and over != under):
            return found.group()
        level = levels.setdefault((bool(over), under[0]), len(levels) + 1)
        return f"{'#' * min(level, 6)} {title.strip()}\n"

    return RST_TITLE.sub(heading, text.replace("\r\n", "\n"))


def _headings(text: str) -> list[Heading]:
    offsets = [0]
    for line in text.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    matter = FRONT_MATTER.match(text)
    parsed = BLOCKS.parse(text)
    headings: list[Heading] = []
    path: list[tuple[int, str]] = []
    for token, inline in pairwise(parsed):
        if token.type != "heading_open" or token.level or not token.map:
            continue
        start, end = (offsets[line] for line in token.map)
        title = re.sub(r"[*`\\]", "", inline.content).strip()
        if not title or (matter and start < matter.end()):
            continue
        level = int(token.tag[1:])
        path = [(upper, name) for upper, name in path if upper < level] + [(level, title)]
        headings.append(Heading(start, end, tuple(name for _, name in path)))
    return headings
