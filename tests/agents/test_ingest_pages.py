"""HTML as a person sees it: what is hidden is not read, and cells that span keep their columns."""

from pathlib import Path

import pytest

from tests.agents.documents import book, changed
from tests.agents.reading_files import text_of

HIDING = [
    '<p style="display:none">HIDDEN</p>',
    '<p style="DISPLAY : none !important">HIDDEN</p>',
    "<p hidden>HIDDEN</p>",
    '<div style="visibility:hidden"><p>HIDDEN</p></div>',
    '<span style="font-size:0">HIDDEN</span>',
    '<div style="font-size:0"><b style="font-size:1em">HIDDEN</b></div>',
    '<p style="opacity:0">HIDDEN</p>',
    '<p style="opacity: 0.01">HIDDEN</p>',
    '<p style="position:absolute;left:-9999px">HIDDEN</p>',
    '<p style="position:fixed; top:-100%">HIDDEN</p>',
    '<p style="text-indent:-9999px">HIDDEN</p>',
    '<p style="transform:translateX(-9999px)">HIDDEN</p>',
    '<p style="transform:scale(0)">HIDDEN</p>',
    '<p style="position:absolute;clip:rect(0,0,0,0)">HIDDEN</p>',
    '<p style="clip-path:inset(50%)">HIDDEN</p>',
    '<p style="height:1px;width:1px;overflow:hidden">HIDDEN</p>',
    '<p style="color:#fff">HIDDEN</p>',
    '<p style="color:white;background:white">HIDDEN</p>',
    '<div style="background:#123456"><p style="color:rgb(18,52,86)">HIDDEN</p></div>',
    '<p style="color:rgba(0,0,0,0)">HIDDEN</p>',
    '<font color="white">HIDDEN</font>',
    "<template>HIDDEN</template>",
    "<noscript>HIDDEN</noscript>",
    "<!-- HIDDEN -->",
    "<dialog>HIDDEN</dialog>",
    "<style>.a .b, #x { display: none }</style><div class=a><p class=b>HIDDEN</p></div>",
    "<style>#x { display: none }</style><p id=x>HIDDEN</p>",
    "<style>@media screen { em { visibility: hidden } }</style><em>HIDDEN</em>",
    "<style>p:not(.shown) > i { font: 0/0 a }</style><p><i>HIDDEN</i></p>",
    "<style>p.a { display: none } p { display: block }</style><p class=a>HIDDEN</p>",
    "<style>p { display: none !important }</style><p style='display:block'>HIDDEN</p>",
]
SHOWN = [
    "<style>p { display: none } p.a { display: block }</style><p class=a>SHOWN</p>",
    "<style>p { display: none }</style><p style='display:block'>SHOWN</p>",
    "<style>[hidden] { display: block }</style><p hidden>SHOWN</p>",
    '<div style="visibility:hidden"><p style="visibility:visible">SHOWN</p></div>',
    '<div style="font-size:0"><p style="font-size:14px">SHOWN</p></div>',
    "<style>@media print { p { display: none } }</style><p>SHOWN</p>",
    "<style>@media (max-width: 600px) { p { display: none } }</style><p>SHOWN</p>",
    "<style>p::before { display: none } p:hover { display: none } p:odd( { display: none }</style><p>SHOWN</p>",
    '<table bgcolor="navy"><tr><td><font color="white">SHOWN</font></td></tr></table>',
    '<div style="background:url(dark.png)"><p style="color:white">SHOWN</p></div>',
    '<div style="background:linear-gradient(red,blue)"><p style="color:#fff">SHOWN</p></div>',
    "<link rel=stylesheet href=dark.css><p style='color:#fff'>SHOWN</p>",
    '<p style="position:absolute;left:50%;transform:translate(-50%,-50%)">SHOWN</p>',
    '<p style="margin-left:-15px;opacity:.5;color:#999">SHOWN</p>',
    '<details><summary>More</summary>SHOWN</details><p aria-hidden="true">x</p>',
]


@pytest.mark.parametrize("hiding", HIDING)
def test_what_a_person_does_not_see_is_not_read(tmp_path: Path, hiding: str) -> None:
    page = f"<html><body><p class=shown>Before.</p>{hiding}<h2>After.</h2></body></html>"
    text = text_of(tmp_path, "a.html", page.encode())
    assert "HIDDEN" not in text and "After." in text


@pytest.mark.parametrize("shown", SHOWN)
def test_what_a_person_sees_is_read(tmp_path: Path, shown: str) -> None:
    assert "SHOWN" in text_of(tmp_path, "a.html", f"<html><body>{shown}</body></html>".encode())


def test_soft_hyphens_are_not_part_of_words(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.html", b"<p>Miet&shy;zins</p>") == "Mietzins"


def test_a_style_sheet_of_a_book_hides_too(tmp_path: Path) -> None:
    chapter = "<html><head><link rel='stylesheet' href='../a.css'/></head><body><p>Read.</p><p class='x'>HIDDEN</p>"
    members: dict[str, str | bytes] = {"OEBPS/text 0.xhtml": f"{chapter}</body></html>", "a.css": ".x{display:none}"}
    assert text_of(tmp_path, "a.epub", changed(book("x"), members)) == "Read."


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        (
            "<tr><th rowspan=2>Item</th><th colspan=2>Price</th></tr><tr><th>2024</th><th>2025</th></tr>"
            "<tr><td>Coffee</td><td>4.99</td><td>5.49</td></tr>",
            ["| Item | Price |  |", "| --- | --- | --- |", "|  | 2024 | 2025 |", "| Coffee | 4.99 | 5.49 |"],
        ),
        (
            "<tr><th>Shop</th><th>Day</th><th>Open</th></tr><tr><td rowspan=2>North</td><td>Mon</td><td>9</td></tr>"
            "<tr><td>Tue</td><td>shut</td></tr>",
            ["| Shop | Day | Open |", "| --- | --- | --- |", "| North | Mon | 9 |", "| North | Tue | shut |"],
        ),
        (
            "<tr><td>a</td><td rowspan=9999>b</td><td rowspan=2 colspan=2>c</td></tr><tr><td>d</td></tr><tr></tr>",
            ["| a | b | c |  |", "| --- | --- | --- | --- |", "| d | b | c |  |", "|  | b |"],
        ),
    ],
)
def test_cells_that_span_keep_the_columns(tmp_path: Path, table: str, lines: list[str]) -> None:
    assert text_of(tmp_path, "a.html", f"<table>{table}</table>".encode()).split("\n") == lines


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("iso-8859-1", "cp1252"),
        ("gb2312", "gb18030"),
        ("windows-1251", "cp1251"),
        ("shift_jis", "cp932"),
        ("utf-8", "cp1252"),  # a lie
        ("iso-8859-1", "utf-8"),  # another
        ("x-unknown", "utf-8"),
    ],
)
def test_a_declared_encoding_counts_if_it_is_true(tmp_path: Path, declared: str, encoding: str) -> None:
    texts = {"cp1252": "Größe – „schön“", "cp1251": "Квартира", "cp932": "賃貸契約書", "gb18030": "房屋租赁"}
    text = texts.get(encoding, "Größe – 房屋")
    page = f"<html><head><meta charset={declared}></head><body><p>{text}</p></body></html>"
    assert text_of(tmp_path, "a.html", page.encode(encoding)) == text
