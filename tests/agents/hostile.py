"""Files of a few bytes that want much: each of a kind that readers of its format are known to choke on."""

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable

from tests.agents.documents import bomb, book, changed, open_document, slides, word, workbook, zipped

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MANY = 50_000


def far_row() -> bytes:
    row = '<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'
    return _sheet(f'<row r="1"><c r="A1"><v>1</v></c></row>{row}')


def wide_rows() -> bytes:
    return _sheet("".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 20_000)))


def many_sheets() -> bytes:
    content = workbook(S=[["a", "b"], ["c", "d"]])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        listing = archive.read("xl/workbook.xml").decode()
    entry = listing[listing.index("<sheet ") : listing.index("</sheets>")]
    copies = "".join(entry.replace('name="S"', f'name="S{n}"') for n in range(MANY))
    return changed(content, {"xl/workbook.xml": listing.replace(entry, copies)})


def _sheet(rows: str) -> bytes:
    sheet = f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    return changed(workbook(S=[["a"]]), {"xl/worksheets/sheet1.xml": sheet})


def repeated_chapter() -> bytes:
    return _listed("</spine>", lambda _: '<itemref idref="c0"/>')


def repeated_contents() -> bytes:
    return _listed("</manifest>", ITEM.format)


ITEM = '<item id="n{}" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'


def _listed(before: str, entry: Callable[[int], str]) -> bytes:
    content = book("<h1>One</h1><p>The lamp burns.</p>" * 100, listed=(0, "One"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        package = archive.read("OEBPS/book.opf").decode()
    return changed(content, {"OEBPS/book.opf": package.replace(before, "".join(map(entry, range(MANY))) + before)})


def repeated_slides() -> bytes:
    content = slides(("The", "lamp burns."))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        deck = archive.read("ppt/presentation.xml").decode()
    entry = deck[deck.index("<p:sldId ") : deck.index("</p:sldIdLst>")]
    return changed(content, {"ppt/presentation.xml": deck.replace(entry, entry * MANY)})


def pdf_of(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its root."""
    file = io.BytesIO(b"%PDF-1.5\n")
    file.seek(0, io.SEEK_END)
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n" % number + content + b"\nendobj\n")
    start = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    file.writelines(b"%010d 00000 n \n" % place for place in places)
    file.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))
    return file.getvalue()


def _stream(content: bytes, filters: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n" % (len(content), filters) + content + b"\nendstream"


PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
ROOT = b"<< /Type /Catalog /Pages 2 0 R >>"


def repeated_pages() -> bytes:
    pages = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (MANY, b"3 0 R " * MANY)
    return pdf_of(ROOT, pages, PAGE, _stream(b"BT /F 9 Tf (The lamp burns.) Tj ET"), FONT)


def doubling_pages() -> bytes:
    """A tree of pages, each node of which is twice in the one above."""
    first = 6
    nodes = [b"<< /Type /Pages /Count 9 /Kids [%d 0 R %d 0 R] >>" % (first + n + 1, first + n + 1) for n in range(40)]
    root = b"<< /Type /Pages /Count 9 /Kids [%d 0 R] >>" % first
    return pdf_of(ROOT, root, PAGE, _stream(b"BT ET"), FONT, *nodes, PAGE)


def nested_filters() -> bytes:
    content = b"BT /F 9 Tf (The lamp) Tj ET " + b" " * 500_000_000
    for _ in range(3):
        content = zlib.compress(content, 9)
    filters = b"/Filter [/FlateDecode /FlateDecode /FlateDecode]"
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    return pdf_of(ROOT, pages, PAGE, _stream(content, filters), FONT)


def long_prolog() -> bytes:
    """A comment of megabytes before the first element, which expat reads again at each piece."""
    noise = random.Random(1).randbytes(4_000_000).hex()
    return changed(word(("Normal", "The lamp burns.")), {"word/document.xml": f"<!--{noise}--><x/>"})


def endless_operators() -> bytes:
    content = zlib.compress(b"BT /F 9 Tf (The lamp) Tj ET q Q " * 2_000_000, 9)
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    return pdf_of(ROOT, pages, PAGE, _stream(content, b"/Filter /FlateDecode"), FONT)


def form_in_form() -> bytes:
    """A drawing that draws two of the next, which draw two of the next."""
    first = 6
    forms = [
        _stream(
            b"/X Do /X Do",
            b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>"
            % (first + n + 1),
        )
        for n in range(30)
    ]
    page = PAGE.replace(b"/Resources <<", b"/Resources << /XObject << /X %d 0 R >>" % first)
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    last = _stream(b"BT /F 9 Tf (The lamp) Tj ET", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    return pdf_of(ROOT, pages, page, _stream(b"/X Do"), FONT, *forms, last)


def million_runs() -> bytes:
    runs = "<w:r><w:t>a</w:t></w:r>" * 1_000_000
    # noise, so that it does not pack like a bomb
    noise = "".join(f"<!--{hash((n, 'noise'))}-->" for n in range(12_000))
    return word(extra=f"<w:p>{runs}</w:p>{noise}")


def deep_word() -> bytes:
    return word(extra="<w:tbl><w:tr><w:tc>" * 20_000 + "</w:tc></w:tr></w:tbl>" * 20_000)


def laughing_word() -> bytes:
    return changed(
        word(),
        {
            "word/document.xml": bomb(
                f'<w:document xmlns:w="{MAIN}"><w:body><w:p><w:r><w:t>',
                "&lol9;</w:t></w:r></w:p></w:body></w:document>",
            )
        },
    )


def quadratic_word() -> bytes:
    """One long entity said often, behind a comment that hides that it is declared."""
    laugh = f'<!--{"x-" * 100_000}--><!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>'
    body = f"<w:body><w:p><w:r><w:t>{'&a;' * 100_000}</w:t></w:r></w:p></w:body>"
    return changed(word(), {"word/document.xml": f'{laugh}<w:document xmlns:w="{MAIN}">{body}</w:document>'})


def repeated_rows() -> bytes:
    row = (
        '<table:table-row table:number-rows-repeated="1048576">'
        f'<table:table-cell table:number-columns-repeated="16384"><text:p>{"lamp " * 2000}</text:p></table:table-cell>'
        "</table:table-row>"
    )
    return open_document("spreadsheet", f'<table:table table:name="S">{row * 500}</table:table>')


def deep_json() -> bytes:
    return b"[" * 5_000_000


def deep_objects() -> bytes:
    return b'{"a":' * 500_000 + b"1" + b"}" * 500_000


def one_line() -> bytes:
    return b"a,b\n" + b"lamp;" * 3_000_000


def one_word() -> bytes:
    return b"a" * 15_000_000


def one_cjk_word() -> bytes:
    return "灯".encode() * 4_000_000


def quotes() -> bytes:
    return b'"' * 10_000_001


def deep_html() -> bytes:
    return b"<div>" * 1_000_000 + b"The lamp"


def reaching_cells() -> bytes:
    row = "<tr>" + '<td rowspan="65534" colspan="1000">lamp</td>' * 100 + "</tr>"
    return ("<table>" + row * 2000 + "</table>").encode()


def styled_html() -> bytes:
    rules = "".join(f"div div div div div:not(.a{n}) > :nth-child({n}) {{ color: red }}" for n in range(3000))
    return f"<style>{rules}</style>{'<div>' * 100}{'<p>The lamp</p>' * 20_000}".encode()


def deep_markdown() -> bytes:
    return b"> " * 500_000 + b"x\n" + b"- " * 500_000 + b"\n" + b"[" * 500_000 + b"*" * 500_000 + b"a_" * 500_000


def rst_titles() -> bytes:
    return b"=" * 2_000_000 + b"\n a" + b" " * 2_000_000 + b"\n" + b"=" * 2_000_000


def deep_rtf() -> bytes:
    return b"{\\rtf1 " + b"{" * 3_000_000 + b"\\v " * 500_000 + b"lamp" + b"}" * 3_000_000


def deep_mail() -> bytes:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(20_000))
    return ("Subject: x\n" + parts + "Content-Type: text/plain\n\nThe lamp").encode()


def long_header() -> bytes:
    return b"Subject: " + b"=?utf-8?q?a?= " * 300_000 + b"\nTo: " + b"a@b, " * 300_000 + b"\n\nThe lamp"


def marks() -> bytes:
    return ("a" + "\u0301\u0327" * 3_000_000).encode()


def polyglot() -> bytes:
    """A PDF for who looks at its beginning, and a ZIP file for who looks at its end."""
    return repeated_pages()[:400] + zipped({"word/document.xml": "<x/>"})


def climbing_names() -> bytes:
    """Members that would be written elsewhere, and one that is a link, if anything was unpacked."""
    file = io.BytesIO(word(("Normal", "The lamp burns.")))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../../../tmp/climbed", "x")
        archive.writestr("/tmp/climbed", "x")
        link = zipfile.ZipInfo("word/link.xml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def json_lines_of_keys() -> bytes:
    return b"\n".join(json.dumps({"k" * 3000 + str(n): {"v" * 200: "x" * 300}}).encode() for n in range(4000))


MAKERS: dict[str, tuple[Callable[[], bytes], ...]] = {
    ".xlsx": (far_row, wide_rows, many_sheets),
    ".epub": (repeated_chapter, repeated_contents),
    ".pptx": (repeated_slides,),
    ".pdf": (repeated_pages, doubling_pages, nested_filters, endless_operators, form_in_form, polyglot),
    ".docx": (million_runs, deep_word, laughing_word, quadratic_word, climbing_names, long_prolog, polyglot),
    ".ods": (repeated_rows,),
    ".json": (deep_json, deep_objects),
    ".jsonl": (json_lines_of_keys,),
    ".csv": (one_line, quotes),
    ".txt": (one_word, one_cjk_word, marks),
    ".html": (deep_html, reaching_cells, styled_html),
    ".md": (deep_markdown,),
    ".rst": (rst_titles,),
    ".rtf": (deep_rtf,),
    ".eml": (deep_mail, long_header),
}
FILES = [(f"{make.__name__}{suffix}", make) for suffix, makers in MAKERS.items() for make in makers]
