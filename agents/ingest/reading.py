"""Files to pieces of text: which reader is for which kind, and what is said of a damaged file."""

import csv
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from django.utils.translation import gettext as _
from pptx.exc import PythonPptxError
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from striprtf.striprtf import rtf_to_text

from agents.exceptions import InvalidInput
from agents.ingest import conversations, json_files, limits, mail, markup, open_document, slides, tables
from agents.ingest.cutting import Cut, cut_markdown, cut_source, cut_text, markdown_from_rst
from agents.ingest.decoding import text_of
from agents.ingest.kinds import MEDIA_TYPES, SOURCE
from agents.text.compatibility import plain_forms
from agents.text.media_types import CONVERSATION

# What the readers meet broken files with. SyntaxError is the base of errors in XML.
BROKEN = (
    *(PyPdfError, PythonPptxError, BadZipFile, zlib.error, struct.error, EOFError, ExpatError, SyntaxError, csv.Error),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError, OSError),
)
HIDDEN = re.compile(r"\\v(?=[ \\\r\n])[^{}]*?(?=\\v0|\\plain|\})")  # in RTF

Tell = Callable[[int, int], None]  # the page that comes next, of how many


def read(path: str, media_type: str, tell: Tell) -> Iterator[Cut]:
    """The text of a file in pieces. Raises InvalidInput with why it cannot be read, or OSError."""
    reader = READERS[media_type]
    try:
        yield from reader(path, tell)
    except RecursionError as error:
        raise limits.too_nested() from error
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
    limits.check_pages(total)
    for number, page in enumerate(reader.pages, start=1):
        tell(number, total)
        yield from cut_text(plain_forms(page.extract_text().replace("\x00", " ")), page=number)


def _rtf(path: str) -> Iterator[Cut]:
    raw = Path(path).read_bytes().decode("latin-1")  # what is beyond ASCII is escaped in it
    yield from cut_text(rtf_to_text(HIDDEN.sub("", raw), errors="replace"))


READERS: dict[str, Callable[[str, Tell], Iterator[Cut]]] = {
    MEDIA_TYPES[".txt"]: lambda path, _: cut_text(text_of(path)),
    MEDIA_TYPES[".md"]: lambda path, _: cut_markdown(text_of(path)),
    MEDIA_TYPES[".rst"]: lambda path, _: cut_markdown(markdown_from_rst(text_of(path))),
    MEDIA_TYPES[".html"]: lambda path, _: markup.html(path),
    MEDIA_TYPES[".pdf"]: _pdf,
    MEDIA_TYPES[".docx"]: lambda path, _: markup.docx(path),
    MEDIA_TYPES[".pptx"]: slides.pptx,
    MEDIA_TYPES[".xlsx"]: lambda path, _: tables.xlsx(path),
    MEDIA_TYPES[".odt"]: lambda path, _: open_document.odt(path),
    MEDIA_TYPES[".odp"]: open_document.odp,
    MEDIA_TYPES[".ods"]: lambda path, _: open_document.ods(path),
    MEDIA_TYPES[".rtf"]: lambda path, _: _rtf(path),
    MEDIA_TYPES[".csv"]: lambda path, _: tables.csv(path),
    MEDIA_TYPES[".json"]: lambda path, _: json_files.json(path),
    MEDIA_TYPES[".jsonl"]: lambda path, _: json_files.json_lines(path),
    MEDIA_TYPES[".epub"]: lambda path, _: markup.epub(path),
    MEDIA_TYPES[".eml"]: lambda path, _: mail.eml(path),
    CONVERSATION: lambda path, _: conversations.read(path),
    SOURCE: lambda path, _: cut_source(text_of(path)),
}
