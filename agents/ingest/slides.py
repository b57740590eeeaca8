"""Presentations, slide by slide, each with its notes and comments."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import fromstring
from pptx import Presentation

from agents.ingest import limits
from agents.ingest.cutting import Cut, cut_text


def pptx(path: str, tell: Callable[[int, int], None]) -> Iterator[Cut]:
    """The text of a presentation, slide by slide. `tell` gets the number of the next slide, and how many there are."""
    with Path(path).open("rb") as file:
        deck = Presentation(file)
        total, authors = len(deck.slides), _authors(deck)
        limits.check_pages(total)
        for number, slide in enumerate(deck.slides, start=1):
            tell(number, total)
            texts = list(_texts(slide.shapes))
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame:
                texts.append(slide.notes_slide.notes_text_frame.text)
            texts += _comments(slide, authors)
            title = slide.shapes.title.text_frame.text if slide.shapes.title else ""
            text = "\n\n".join(text.replace("\v", "\n") for text in texts if text.strip())
            yield from cut_text(text, page=number, place=title)


def _authors(deck: Any) -> dict[str, str]:
    """Who comments, by the number the file gives them."""
    parts = _related(deck.part, "/commentAuthors", "/authors")
    return {author.get("id", ""): author.get("name", "") for part in parts for author in part}


def _comments(slide: Any, authors: dict[str, str]) -> Iterator[str]:
    """Of either format: with a text, or with paragraphs of runs."""
    for part in _related(slide.part, "/comments"):
        for comment in part.iter():
            if comment.get("authorId") is not None:
                text = " ".join("".join(piece.itertext()) for piece in comment if _name(piece) in ("text", "txBody"))
                yield f"[Comment by {authors.get(comment.get('authorId')) or 'somebody'}: {' '.join(text.split())}]"


def _related(part: Any, *kinds: str) -> Iterator[Any]:
    for relation in part.rels.values():
        if relation.reltype.endswith(kinds) and not relation.is_external:
            yield fromstring(relation.target_part.blob)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _texts(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):  # a group
            yield from _texts(shape.shapes)
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)
        elif shape.has_text_frame:
            yield shape.text_frame.text
