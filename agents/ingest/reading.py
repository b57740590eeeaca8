"""Files to pieces of text: which reader is for which kind, and what is said of a damaged file."""

import struct
import zlib
from collections.abc import Callable, Iterator
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from django.utils.translation import gettext as _
from pptx.exc import PythonPptxError
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from agents.exceptions import InvalidInput
from agents.ingest import markup, slides, tables
from agents.ingest.cutting import Cut, cut_markdown, cut_text
from agents.ingest.decoding import text_of
from agents.ingest.uploads import MEDIA_TYPES

# What the readers meet broken files with. SyntaxError is the base of errors in XML.
BROKEN = (
    *(PyPdfError, PythonPptxError, BadZipFile, zlib.error, struct.error, EOFError, ExpatError, SyntaxError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError, OSError),
)

Tell = Callable[[int, int], None]  # the page that comes next, of how many


def read(path: str, media_type: str, tell: Tell) -> Iterator[Cut]:
    """The text of a file in pieces. Raises InvalidInput with why it cannot be read, or OSError."""
    reader = READERS[media_type]
    try:
        yield from reader(path, tell)
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno:  # the file itself; without a number it is of its content
            raise
        damaged = _("The file cannot be read: it may be damaged (%(reason)s).")
        if reader is _pdf:
            damaged = _("The PDF cannot be read: it may be damaged (%(reason)s).")
        raise InvalidInput(damaged % {"reason": str(error) or type(error).__name__}) from error


def _pdf(path: str, tell: Tell) -> Iterator[Cut]:
    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise InvalidInput(_("It is protected by a password. Save a copy without one and upload that."))
    total = len(reader.pages)
    for number, page in enumerate(reader.pages, start=1):
        tell(number, total)
        yield from cut_text(page.extract_text().replace("\x00", " "), page=number)


READERS: dict[str, Callable[[str, Tell], Iterator[Cut]]] = {
    MEDIA_TYPES[".txt"]: lambda path, _: cut_text(text_of(path)),
    MEDIA_TYPES[".md"]: lambda path, _: cut_markdown(text_of(path)),
    MEDIA_TYPES[".html"]: lambda path, _: markup.html(path),
    MEDIA_TYPES[".pdf"]: _pdf,
    MEDIA_TYPES[".docx"]: lambda path, _: markup.docx(path),
    MEDIA_TYPES[".pptx"]: slides.pptx,
    MEDIA_TYPES[".xlsx"]: lambda path, _: tables.xlsx(path),
    MEDIA_TYPES[".csv"]: lambda path, _: tables.csv(path),
    MEDIA_TYPES[".json"]: lambda path, _: tables.json(path),
    MEDIA_TYPES[".epub"]: lambda path, _: markup.epub(path),
}
