"""Small files of the kinds memweb reads, made by hand where that is short."""

import io
import zipfile
from xml.sax.saxutils import escape

import openpyxl
import pptx

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
CONTAINER = (
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
NAV = '<nav epub:type="toc"><ol><li><a href="text%20{0}.xhtml#top">{1}</a></li></ol></nav>'
NCX = (
    '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>{1}</text></navLabel>'
    '<content src="text%20{0}.xhtml"/></navPoint></navMap></ncx>'
)


def zipped(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed(content: bytes, members: dict[str, str | bytes]) -> bytes:
    """A ZIP file with some of its members other than they were, or added."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped({**{name: archive.read(name) for name in archive.namelist()}, **members})


def word(*blocks: tuple[str, str], extra: str = "") -> bytes:
    """Paragraphs, each with the name of its style, and `extra` markup after them."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/></w:style>'
        for name in ("Normal", "Title", "heading 1", "heading 2")
    )
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style.replace(" ", "")}"/></w:pPr><w:r><w:t>{escape(text)}</w:t></w:r></w:p>'
        for style, text in blocks
    )
    return zipped(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{WORD}.document.main+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{RELS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
            'Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELS}"><Relationship Id="r1" '
            f'Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{MAIN}"><w:body>{body}{extra}</w:body></w:document>',
            "word/styles.xml": f'<w:styles xmlns:w="{MAIN}">{styles}</w:styles>',
        }
    )


def slides(*texts: tuple[str, str], notes: str = "", first: int | None = None) -> bytes:
    """Titles and texts. Slide number `first` is moved to the front, as by hand, and `notes` are its notes."""
    deck, file = pptx.Presentation(), io.BytesIO()
    for title, text in texts:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    if first is not None:
        order = deck.slides._sldIdLst
        order.insert(0, order[first - 1])
        deck.slides[0].notes_slide.notes_text_frame.text = notes
    deck.save(file)
    return file.getvalue()


def workbook(**sheets: list[list[object]]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file.getvalue()


def book(*chapters: str, listed: tuple[int, str] | None = None, ncx: bool = False) -> bytes:
    """XHTML bodies. The table of contents has one entry: the number of a chapter and its title."""
    items = [
        f'<item id="c{n}" href="text%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    ]
    spine = [f'<itemref idref="c{n}"/>' for n in range(len(chapters))]
    members: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    if listed and ncx:
        items.append('<item id="toc" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
        members["OEBPS/toc.ncx"] = NCX.format(*listed)
    elif listed:
        items.append('<item id="toc" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>')
        members["OEBPS/nav.xhtml"] = f"<html><body>{NAV.format(*listed)}</body></html>"
    for number, body in enumerate(chapters):
        page = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>A book</title></head>{body}</html>'
        members[f"OEBPS/text {number}.xhtml"] = f'<?xml version="1.0"?>{page}'
    members["OEBPS/book.opf"] = (
        f'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>{"".join(items)}</manifest>'
        f"<spine>{''.join(spine)}</spine></package>"
    )
    return zipped(members)


def open_document(kind: str, body: str, automatic: str = "", **members: str) -> bytes:
    """An OpenDocument file: text, presentation or spreadsheet."""
    spaces = {name: name for name in ("office", "text", "table", "style")}
    spaces |= {"draw": "drawing", "fo": "xsl-fo-compatible", "dc": "dc"}
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"' for name, long in spaces.items()
    )
    body = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": f"<office:c{names}>{automatic}{body}</office:c>",
            **{f"{name}.xml": f"<office:s{names}>{content}</office:s>" for name, content in members.items()},
        }
    )


def bomb(open_root: str, body: str) -> str:
    """A billion laughs before `open_root`, and one `&lol9;` to have them in `body`."""
    levels = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY lol0 "lol">{levels}]>{open_root}{body}'
