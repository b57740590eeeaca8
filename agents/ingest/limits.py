"""How much of a file is read. Beyond it the file is refused, with which limit it was and what would do.

What a file of so many bytes may hold is bounded by counting, what that may cost by the limits of the process that reads
(`reader`): a file of a few bytes that would take an hour ends within two minutes.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.exceptions import InvalidInput
from agents.ingest.cutting import Cut

PASSAGES = 50_000
CHARACTERS = 100_000_000
PAGES = 10_000  # or slides
CHAPTERS = 10_000
SHEETS = 1_000
CONVERSATIONS = 50_000  # of an export
ROWS = 1_048_576  # of a sheet, as many as Excel has
CELLS = 20_000_000  # of a sheet, with the empty ones that are left out in it
MEMORY = 1024**3  # bytes a reader may take beyond what it starts with
SECONDS, SECONDS_A_MEGABYTE, MOST_SECONDS = 60, 30, 600  # of computing
OUT_OF_MEMORY = 77  # exit code of a reader that took more
WAITING = 3  # times as long by the clock: others compute as well

Item = TypeVar("Item")


def seconds(size: int) -> int:
    """Of computing that a file of `size` bytes may take."""
    return min(SECONDS + SECONDS_A_MEGABYTE * size // 1_000_000, MOST_SECONDS)


def counted(cuts: Iterable[Cut]) -> Iterator[Cut]:
    """`cuts`, as long as they are not too many. Raises InvalidInput."""
    characters = 0
    for number, cut in enumerate(cuts, start=1):
        characters += len(cut.text)
        if number > PASSAGES or characters > CHARACTERS:
            raise InvalidInput(_("It has more text than memweb keeps of one file. Split it and upload the parts."))
        yield cut


def check_pages(count: int) -> None:
    """Raises InvalidInput, as all of these, where there are too many."""
    if count > PAGES:
        reason = ngettext(
            "It has more than %(most)s page, the most that is read of one file. Split it and upload the parts.",
            "It has more than %(most)s pages, the most that are read of one file. Split it and upload the parts.",
            PAGES,
        )
        raise InvalidInput(reason % {"most": f"{PAGES:,}"})


def check_chapters(count: int) -> None:
    """Files of a book that are listed to be read one after the other."""
    if count > CHAPTERS:
        reason = ngettext(
            "It has more than %(most)s chapter, the most that is read of one file. Split it and upload the parts.",
            "It has more than %(most)s chapters, the most that are read of one file. Split it and upload the parts.",
            CHAPTERS,
        )
        raise InvalidInput(reason % {"most": f"{CHAPTERS:,}"})


def check_sheets(count: int) -> None:
    """Of a workbook."""
    if count > SHEETS:
        reason = ngettext(
            "It has more than %(most)s sheet, the most that is read of one file. Split it and upload the parts.",
            "It has more than %(most)s sheets, the most that are read of one file. Split it and upload the parts.",
            SHEETS,
        )
        raise InvalidInput(reason % {"most": f"{SHEETS:,}"})


def check_rows(count: int) -> None:
    """Of a sheet, or the number of one."""
    if count > ROWS:
        reason = ngettext(
            "A sheet has more than %(most)s row, the most that is read. Save only the rows you need and upload that.",
            "A sheet has more than %(most)s rows, the most that are read. Save only the rows you need and upload that.",
            ROWS,
        )
        raise InvalidInput(reason % {"most": f"{ROWS:,}"})


def check_cells(count: int) -> None:
    """Of a sheet."""
    if count > CELLS:
        reason = ngettext(
            "A sheet has more than %(most)s cell, the most that is read. Save only what you need and upload that.",
            "A sheet has more than %(most)s cells, the most that are read. Save only what you need and upload that.",
            CELLS,
        )
        raise InvalidInput(reason % {"most": f"{CELLS:,}"})


def check_conversations(count: int) -> None:
    """Of an export."""
    if count > CONVERSATIONS:
        reason = ngettext(
            "It has more than %(most)s conversation, the most that is taken of one export.",
            "It has more than %(most)s conversations, the most that are taken of one export.",
            CONVERSATIONS,
        )
        raise InvalidInput(reason % {"most": f"{CONVERSATIONS:,}"})


def too_nested() -> InvalidInput:
    """For what is within what, without an end."""
    return InvalidInput(_("Its parts are nested too deeply in one another. Save it in a simpler form and upload that."))


def too_large() -> InvalidInput:
    """For what needs more memory than a reader has."""
    reason = _(
        "Reading it takes more than %(most)s MB of memory. Save it in another format or in parts, and upload that."
    )
    return InvalidInput(reason % {"most": f"{MEMORY // 1024**2:,}"})


def too_slow() -> InvalidInput:
    """For what takes longer than a file of its size may."""
    return InvalidInput(
        _(
            "Reading it takes longer than a file of its size may take. Save it in another format or in parts, and "
            "upload that."
        )
    )
