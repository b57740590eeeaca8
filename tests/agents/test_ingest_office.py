"""What stands beside the text of Office files is read as well: headers, comments, equations, notes; what is set not to
be seen is not."""

import io
from email.message import EmailMessage
from pathlib import Path

import pptx
import pytest
from pptx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI

from tests.agents.documents import MAIN, changed, open_document, word
from tests.agents.reading_files import cuts, text_of

MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
SLIDES = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def paragraph(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def part(root: str, content: str) -> str:
    return f'<w:{root} xmlns:w="{MAIN}">{content}</w:{root}>'


def sign(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def test_headers_and_footers_are_read_once(tmp_path: Path) -> None:
    header = part("hdr", paragraph(run("Offer "), run("2026-17")))
    content = changed(
        word(("Normal", "Body.")),
        {
            "word/header1.xml": header,
            "word/header2.xml": header,
            "word/header3.xml": part("hdr", paragraph()),
            "word/footer1.xml": part("ftr", paragraph(run("IBAN DE00"))),
        },
    )
    assert text_of(tmp_path, "a.docx", content) == "Offer 2026-17\n\nBody.\n\nIBAN DE00"


def test_a_comment_stands_where_it_was_made(tmp_path: Path) -> None:
    extra = paragraph(run("Price"), '<w:r><w:commentReference w:id="7"/></w:r>', run(" agreed"))
    comment = (
        f'<w:comment w:id="7" w:author="Ben">{paragraph(run("too high"))}{paragraph(run("ask again"))}</w:comment>'
    )
    content = changed(word(extra=extra), {"word/comments.xml": part("comments", comment)})
    assert text_of(tmp_path, "a.docx", content) == "Price [Comment by Ben: too high ask again] agreed"


@pytest.mark.parametrize(
    ("markup", "typed"),
    [
        (sign("F=m·a"), "F=m·a"),
        (f"{sign('𝐸=𝑚')}<m:sSup><m:e>{sign('𝑐')}</m:e><m:sup>{sign('2')}</m:sup></m:sSup>", "E=mc^2"),
        (f"<m:f><m:num>{sign('a+b')}</m:num><m:den>{sign('2')}</m:den></m:f>", "(a+b)/2"),
        (f"<m:rad><m:radPr/><m:deg/><m:e>{sign('x')}</m:e></m:rad>", "√x"),
        (
            f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{sign("i=1")}</m:sub>'
            f"<m:sup>{sign('n')}</m:sup><m:e>{sign('i')}</m:e></m:nary>",
            "∑_(i=1)^n i",
        ),
        (f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e>{sign("x")}</m:e></m:d>', "[x]"),
    ],
)
def test_an_equation_is_read_as_it_would_be_typed(tmp_path: Path, markup: str, typed: str) -> None:
    equation = f'<m:oMath xmlns:m="{MATH}">{markup}</m:oMath>'
    for held in (equation, f'<m:oMathPara xmlns:m="{MATH}">{equation}</m:oMathPara>'):
        content = word(extra=paragraph(run("As "), held, run(" says")))
        assert text_of(tmp_path, "a.docx", content) == f"As {typed} says"


@pytest.mark.parametrize(
    "properties",
    [
        *("<w:vanish/>", '<w:vanish w:val="1"/>', '<w:rStyle w:val="Secret"/>'),
        *('<w:color w:val="FFFFFF"/>', '<w:sz w:val="2"/>'),
    ],
)
def test_what_word_does_not_show_is_not_read(tmp_path: Path, properties: str) -> None:
    style = '<w:style w:type="character" w:styleId="Secret"><w:name w:val="S"/><w:rPr><w:vanish/></w:rPr></w:style>'
    content = word(extra=paragraph(run("HIDDEN", properties), run("Shown.")))
    assert text_of(tmp_path, "a.docx", changed(content, {"word/styles.xml": part("styles", style)})) == "Shown."


@pytest.mark.parametrize(
    "properties",
    [
        '<w:vanish w:val="0"/>',
        '<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>',
        '<w:color w:val="FFFFFF"/><w:highlight w:val="black"/>',
        '<w:sz w:val="16"/>',
    ],
)
def test_what_word_shows_is_read(tmp_path: Path, properties: str) -> None:
    assert text_of(tmp_path, "a.docx", word(extra=paragraph(run("SHOWN", properties)))) == "SHOWN"


def test_a_slide_keeps_its_notes_and_comments(tmp_path: Path) -> None:
    deck, file = pptx.Presentation(), io.BytesIO()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Prices"
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    said = f'<p:cmLst {SLIDES}><p:cm authorId="3" idx="1"><p:text>Too high</p:text></p:cm></p:cmLst>'
    authors = f'<p:cmAuthorLst {SLIDES}><p:cmAuthor id="3" name="Ben"/></p:cmAuthorLst>'
    package = deck.part.package
    comments = Part(PackURI("/ppt/comments/comment1.xml"), CONTENT_TYPE.PML_COMMENTS, package, said.encode())
    slide.part.relate_to(comments, RELATIONSHIP_TYPE.COMMENTS)
    people = Part(PackURI("/ppt/authors.xml"), CONTENT_TYPE.PML_COMMENT_AUTHORS, package, authors.encode())
    deck.part.relate_to(people, RELATIONSHIP_TYPE.COMMENT_AUTHORS)
    deck.save(file)
    assert text_of(tmp_path, "a.pptx", file.getvalue()) == "Prices\n\nSay it slowly.\n\n[Comment by Ben: Too high]"


def test_an_open_document_keeps_its_parts(tmp_path: Path) -> None:
    body = (
        '<text:h text:outline-level="1">Rent</text:h><text:p>Paid<text:s/>monthly<office:annotation>'
        "<dc:creator>Ben</dc:creator><text:p>too high</text:p></office:annotation>.</text:p>"
        "<text:p>Warm<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>with heating"
        "</text:p></text:note-body></text:note></text:p>"
        '<text:p><text:span text:style-name="T9">HIDDEN</text:span></text:p>'
        '<table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>May</text:p>'
        "</table:table-cell><table:covered-table-cell/><table:table-cell><text:p>800</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    hidden = '<style:style style:name="T9"><style:text-properties text:display="none"/></style:style>'
    header = "<style:header><text:p>Offer 17</text:p></style:header>" * 2
    found = cuts(tmp_path, "a.odt", open_document("text", body, hidden, styles=header))
    assert "\n".join(cut.text for cut in found) == (
        "Offer 17\n\n# Rent\n\nPaid monthly[Comment by Ben: too high].\n\nWarm (with heating)\n\n"
        "| May |  | 800 |\n| --- | --- | --- |"
    )


def test_rich_text_is_read_without_what_is_hidden(tmp_path: Path) -> None:
    content = rb"{\rtf1\ansi\ansicpg1252 M\'fcller {\v HIDDEN}pays \u8364? 700\v  HIDDEN\v0 .\par{\b Thanks}\par}"
    assert text_of(tmp_path, "a.rtf", content) == "Müller pays € 700.\nThanks"


def test_a_mail_is_read_as_a_mail_program_shows_it(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jürgen <j@x.y>", "ann@x.y", "房屋"
    mail.set_content("Miete für Mai")
    mail.add_alternative("<p>Miete <b>für</b> Mai</p><p style='display:none'>HIDDEN</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="lease.pdf")
    found = cuts(tmp_path, "a.eml", mail.as_bytes())
    assert [(cut.place, cut.text) for cut in found] == [
        (
            "房屋",
            "From: Jürgen <j@x.y>\nTo: ann@x.y\nSubject: 房屋\n\nMiete **für** Mai\n\n[Attachment: lease.pdf]",
        )
    ]


def test_code_is_cut_between_lines_and_names_them(tmp_path: Path) -> None:
    code = "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(60))
    found = cuts(tmp_path, "a.py", code.encode())
    assert len(found) > 3 and all(cut.text.startswith("def f") and "\n    return" in cut.text for cut in found)
    lines = code.split("\n")
    for cut in found:
        first, last = (int(number) for number in cut.place.removeprefix("Lines ").split("–"))
        assert "\n".join(lines[first - 1 : last]) == cut.text
