"""HTML, and what becomes HTML on the way: Word documents and books. All end as Markdown, cut under its headings."""

import posixpath
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from zipfile import ZipFile

import mammoth
import webencodings
from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.dammit import EncodingDetector
from defusedxml.ElementTree import fromstring
from django.utils.translation import gettext as _
from markdownify import MarkdownConverter

from agents.exceptions import InvalidInput
from agents.ingest import limits, word
from agents.ingest.cutting import Cut, cut_markdown
from agents.ingest.decoding import decoded
from agents.ingest.spans import fill_spans
from agents.ingest.visibility import remove_unseen

TITLE_IS_A_HEADING = "p[style-name='Title'] => h1:fresh"


def html(path: str) -> Iterator[Cut]:
    """The visible text of an HTML file; its title names what stands before the first heading."""
    title, text = _markdown(_decoded_html(Path(path).read_bytes()))
    yield from cut_markdown(text, place=title)


def docx(path: str) -> Iterator[Cut]:
    """The text of a Word document, without its pictures."""
    converted = mammoth.convert_to_html(word.completed(path), convert_image=lambda _: [], style_map=TITLE_IS_A_HEADING)
    yield from cut_markdown(markdown_of(converted.value))


def epub(path: str) -> Iterator[Cut]:
    """Chapter by chapter. A file without a heading or an entry in the contents goes on with the chapter before."""
    with ZipFile(path) as book:
        names = set(book.namelist())
        locked = _locked(book)
        package = _package(book)
        contents = _contents(book, package, names)
        place = ""
        chapters = list(dict.fromkeys(chapter for chapter in _spine(package) if chapter in names))  # each once
        limits.check_chapters(len(chapters))
        for chapter in chapters:
            if chapter in locked:
                raise InvalidInput(_("It is protected against copying (DRM). Only a copy without that can be read."))
            page = _decoded_html(book.read(chapter))
            title, text = _markdown(page, _sheets(book, names, chapter, page))
            place = contents.get(chapter) or (place if contents else title)
            for cut in cut_markdown(text, place=place):
                place = cut.place
                yield cut


def markdown_of(markup: str) -> str:
    """The visible text of HTML."""
    return _markdown(markup)[1]


def _markdown(markup: str, sheets: Iterable[str] = ()) -> tuple[str, str]:
    """The title and the visible text. `sheets` are style sheets that it links to."""
    soup = _soup(markup)
    title = soup.title.get_text() if soup.title else ""
    remove_unseen(soup, sheets)
    for table in soup("table"):
        fill_spans(table)
    for image in soup("img"):
        image.replace_with(str(image.get("alt") or ""))
    for link in soup("a"):
        if not str(link.get("href", "")).startswith(("http", "mailto:")):
            link.unwrap()  # leads nowhere outside the document
    converter = MarkdownConverter(
        heading_style="atx",
        bullets="-",
        table_infer_header=True,
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
    )
    return title, converter.convert_soup(soup).replace("\u00ad", "")  # soft hyphens: books have them in every word


def _soup(markup: str) -> BeautifulSoup:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # books are XHTML
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        return BeautifulSoup(markup, "lxml")


def _decoded_html(raw: bytes) -> str:
    """As it declares itself, if that is true; under the labels that browsers know."""
    declared = EncodingDetector.find_declared_encoding(raw, is_html=True, search_entire_document=False)
    encoding = webencodings.lookup(declared) if declared else None
    return decoded(raw, encoding.codec_info.name if encoding else declared or "")


# Books


class _Package:
    """An epub's list of files, by their paths in the archive."""

    def __init__(self, path: str, root: Element) -> None:
        self.path, self.root = path, root
        self.items = {item.get("id"): item for item in root.iterfind("{*}manifest/{*}item")}

    def resolved(self, item: Element) -> str:
        return _resolved(self.path, item.get("href", ""))


def _resolved(base: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(href.partition("#")[0])))


def _package(book: ZipFile) -> _Package:
    root = fromstring(book.read("META-INF/container.xml")).find(".//{*}rootfile")
    if root is None:
        raise ValueError("no list of its files")
    path = root.get("full-path", "")
    return _Package(path, fromstring(book.read(path)))


def _spine(package: _Package) -> Iterator[str]:
    for entry in package.root.iterfind("{*}spine/{*}itemref"):
        item = package.items.get(entry.get("idref"))
        if item is not None and "html" in item.get("media-type", ""):
            yield package.resolved(item)


def _contents(book: ZipFile, package: _Package, names: set[str]) -> dict[str, str]:
    """The titles of chapters by file, as the table of contents has them."""
    titles: dict[str, str] = {}
    items = {package.resolved(item): item for item in package.items.values() if _is_contents(item)}  # each file once
    for path, item in items.items():
        if path not in names:
            continue
        for href, title in _links(book, path, item):
            titles.setdefault(_resolved(path, href), title.strip())
    return titles


def _links(book: ZipFile, path: str, item: Element) -> Iterator[tuple[str, str]]:
    """Of a table of contents: as books have had it since epub 3, and before."""
    if _is_nav(item):
        for link in _soup(_decoded_html(book.read(path))).select("nav a[href]"):
            yield str(link["href"]), link.get_text()
    else:
        for point in fromstring(book.read(path)).iterfind(".//{*}navPoint"):
            target = point.find("{*}content")
            if target is not None:
                yield target.get("src", ""), point.findtext("{*}navLabel/{*}text", "")


def _is_nav(item: Element) -> bool:
    return "nav" in item.get("properties", "").split()


def _is_contents(item: Element) -> bool:
    return _is_nav(item) or item.get("media-type") == "application/x-dtbncx+xml"


def _sheets(book: ZipFile, names: set[str], chapter: str, page: str) -> list[str]:
    """The style sheets in the book that a chapter links to."""
    links = _soup(page)("link", rel="stylesheet", href=True)
    paths = dict.fromkeys(_resolved(chapter, str(link["href"])) for link in links)
    return [decoded(book.read(path)) for path in paths if path in names]


def _locked(book: ZipFile) -> set[str]:
    if "META-INF/encryption.xml" not in book.namelist():
        return set()  # fonts are often listed there; chapters only by DRM
    listed = fromstring(book.read("META-INF/encryption.xml")).iterfind(".//{*}CipherReference")
    return {unquote(reference.get("URI", "")) for reference in listed}
