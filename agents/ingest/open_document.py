"""OpenDocument: texts and presentations become HTML on the way, spreadsheets are tables."""

from collections.abc import Iterator
from html import escape
from typing import Any
from zipfile import ZipFile

from defusedxml.ElementTree import fromstring
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.ingest import limits
from agents.ingest.cutting import Cut, cut_markdown, cut_text
from agents.ingest.markup import markdown_of
from agents.ingest.tables import sheet_place, table

Element = Any  # of an XML tree that was read without entities
WIDEST = 200  # columns of a sheet; formats often go on to its edge
TALLEST = 1000  # times that a row is said again
# HTML's name for an element; what has none is only walked through. What is left out: revisions that were deleted.
TAGS = {"p": "p", "list": "ul", "list-item": "li", "table": "table", "table-row": "tr", "table-cell": "td", "span": ""}
LEFT_OUT = {"tracked-changes", "sequence-decls", "forms", "object-ole", "title", "desc", "page-number", "page-count"}


def odt(path: str) -> Iterator[Cut]:
    """The text of a document, between its headers and its footers."""
    content, styles = _trees(path)
    hidden = _hidden_styles(content) | _hidden_styles(styles)
    text = "".join(_html(body, hidden) for body in content.iterfind(".//{*}body/{*}text"))
    around = {
        side: dict.fromkeys(_text(part) for part in styles.iterfind(f".//{{*}}{side}")) for side in ("header", "footer")
    }
    above, below = ("".join(f"<p>{escape(line)}</p>" for line in around[side] if line) for side in ("header", "footer"))
    yield from cut_markdown(markdown_of(above + text + below))


def odp(path: str, tell: Any) -> Iterator[Cut]:
    """The text of a presentation, slide by slide, with its notes."""
    content, _styles = _trees(path)
    pages = content.findall(".//{*}presentation/{*}page")
    limits.check_pages(len(pages))
    for number, page in enumerate(pages, start=1):
        tell(number, len(pages))
        lines = [_text(line) for line in page.iter() if _name(line) in ("p", "h")]
        text = "\n".join(line for line in lines if line)
        yield from cut_text(text, page=number, place=next((line for line in lines if line), ""))


def ods(path: str) -> Iterator[Cut]:
    """The rows of all sheets."""
    content, _styles = _trees(path)
    sheets = content.findall(".//{*}spreadsheet/{*}table")
    limits.check_sheets(len(sheets))
    for sheet in sheets:
        yield from table(_rows(sheet), sheet_place(_attribute(sheet, "name")))


def _trees(path: str) -> tuple[Element, Element]:
    with ZipFile(path) as archive:
        if b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise InvalidInput(_("It is protected by a password. Save a copy without one and upload that."))
        content = fromstring(archive.read("content.xml"))
        styles = fromstring(archive.read("styles.xml")) if "styles.xml" in archive.namelist() else content
    return content, styles


def _rows(sheet: Element) -> Iterator[tuple[int, list[str]]]:
    number = 1
    for row in sheet.iter():
        if _name(row) != "table-row":
            continue
        cells: list[str] = []
        for cell in row:
            text = " ".join(_text(part) for part in cell.iterfind("{*}p"))
            times = int(_attribute(cell, "number-columns-repeated") or 1)
            cells += [text] * min(times, WIDEST - len(cells))
        times = int(_attribute(row, "number-rows-repeated") or 1)
        if any(cells):
            yield from ((number + again, cells) for again in range(min(times, TALLEST)))
        number += times


def _html(element: Element, hidden: set[str]) -> str:
    name = _name(element)
    if name in LEFT_OUT or _attribute(element, "style-name") in hidden:
        return ""
    if name in ("s", "tab", "line-break"):
        return "<br>" if name == "line-break" else " "
    if name == "annotation":
        who = element.findtext("{*}creator") or "somebody"
        return escape(f"[Comment by {who}: {' '.join(_text(part) for part in element.iterfind('{*}p'))}]")
    inner = escape(element.text or "") + "".join(_html(child, hidden) + escape(child.tail or "") for child in element)
    if name == "note":
        return f" ({_text(element.find('{*}note-body'))})"
    if name == "h":
        level = min(int(_attribute(element, "outline-level") or 1), 6)
        return f"<h{level}>{inner}</h{level}>"
    tag = TAGS.get(name, "")
    return f"<{tag}{_spans(element)}>{inner}</{tag}>" if tag else inner


def _spans(element: Element) -> str:
    kinds = {"colspan": "number-columns-spanned", "rowspan": "number-rows-spanned"}
    return "".join(f' {kind}="{said}"' for kind, name in kinds.items() if (said := _attribute(element, name)))


def _hidden_styles(tree: Element) -> set[str]:
    return {
        _attribute(style, "name")
        for style in tree.iterfind(".//{*}style")
        if any(_attribute(part, "display") == "none" for part in style.iterfind("{*}text-properties"))
    }


def _text(element: Element | None) -> str:
    if element is None:
        return ""
    parts = ("".join(part.itertext()) if _name(part) not in LEFT_OUT else "" for part in [element])
    return " ".join("".join(parts).split())


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")
