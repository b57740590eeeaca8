"""Presentations, slide by slide, each with its notes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pptx import Presentation

from agents.ingest.cutting import Cut, cut_text


def pptx(path: str, tell: Callable[[int, int], None]) -> Iterator[Cut]:
    """The text of a presentation, slide by slide. `tell` gets the number of the next slide, and how many there are."""
    with Path(path).open("rb") as file:
        deck = Presentation(file)
        total = len(deck.slides)
        for number, slide in enumerate(deck.slides, start=1):
            tell(number, total)
            texts = list(_texts(slide.shapes))
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame:
                texts.append(slide.notes_slide.notes_text_frame.text)
            title = slide.shapes.title.text_frame.text if slide.shapes.title else ""
            text = "\n\n".join(text.replace("\v", "\n") for text in texts if text.strip())
            yield from cut_text(text, page=number, place=title)


def _texts(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):  # a group
            yield from _texts(shape.shapes)
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)
        elif shape.has_text_frame:
            yield shape.text_frame.text
