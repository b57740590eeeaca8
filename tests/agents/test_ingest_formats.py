"""Documents of all kinds are found and name their page or place; what cannot be taken or read says why."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation
from pytest_django import Settings

from agents import person, services, tasks
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage
from agents.ingest import reading, uploads, working
from agents.ingest.cutting import PASSAGE_TOKENS
from agents.ingest.kinds import ACCEPTED, MEDIA_TYPES
from agents.ingest.working import MAX_ATTEMPTS
from agents.models import Agent, Document
from agents.person import Person
from agents.text.media_types import CONVERSATION, EXPORT
from tests.agents.documents import bomb, book, changed, open_document, slides, word, workbook, zipped
from tests.chat.conftest import pdf

Status = Document.Status

FACT = "Zephyrine's parrot speaks Portuguese & eats <figs>."
HTML_FACT = "Zephyrine&#8217;s parrot speaks Portuguese &amp; eats &lt;figs&gt;.".replace("&#8217;", "'")
HARBOUR = "The harbour has seven cranes."
TABLE: list[list[object]] = [["who", "what"], ["crane", HARBOUR], ["parrot", FACT]]
TEXTS: list[tuple[str, bytes, int | None, str]] = [
    ("a.txt", f"{HARBOUR}\n\n{FACT}".encode(), None, ""),
    ("a.md", f"# Birds\n\n## Parrots\n\n{FACT}\n\n# Cranes\n\n{HARBOUR}".encode(), None, "Birds > Parrots"),
    ("a.html", f"<title>T</title><h1>Birds</h1><h2>Parrots</h2><p>{HTML_FACT}</p>".encode(), None, "Birds > Parrots"),
    ("a.pdf", pdf(HARBOUR, FACT), 2, ""),
    (
        "a.docx",
        word(("Title", "Zoo"), ("heading 1", "Birds"), ("heading 2", "Parrots"), ("Normal", FACT)),
        None,
        "Birds > Parrots",
    ),
    ("a.pptx", slides(("Cranes", HARBOUR), ("Parrots", FACT)), 2, "Parrots"),
    ("a.xlsx", workbook(Cranes=[["crane"]], Birds=TABLE), None, "Sheet: Birds"),
    ("a.csv", "\n".join(";".join(map(str, row)) for row in TABLE).encode(), None, "Rows 2–3"),
    (
        "a.json",
        json.dumps({"birds": {"parrot": FACT, "crane": HARBOUR * 40}}).encode(),
        None,
        "birds > parrot",
    ),
    (
        "a.rst",
        f"Birds\n=====\n\nParrots\n-------\n\n{FACT}\n\nCranes\n======\n\n{HARBOUR}".encode(),
        None,
        "Birds > Parrots",
    ),
    ("a.odt", open_document("text", f"<text:h>Birds</text:h><text:p>{HTML_FACT}</text:p>"), None, "Birds"),
    (
        "a.odp",
        open_document("presentation", f"<draw:page/><draw:page><text:p>{HTML_FACT}</text:p></draw:page>"),
        2,
        FACT,
    ),
    (
        "a.ods",
        open_document(
            "spreadsheet",
            "<table:table table:name='Birds'><table:table-row><table:table-cell><text:p>who</text:p></table:table-cell>"
            f"</table:table-row><table:table-row><table:table-cell><text:p>{HTML_FACT}</text:p></table:table-cell>"
            "</table:table-row></table:table>",
        ),
        None,
        "Sheet: Birds",
    ),
    ("a.rtf", ("{\\rtf1\\ansi " + FACT + "\\par}").encode(), None, ""),
    ("a.jsonl", (json.dumps({"crane": HARBOUR}) + "\n" + json.dumps({"parrot": FACT})).encode(), None, "[0] – [1]"),
    ("a.eml", f"From: ann@x.y\nSubject: Birds\n\n{FACT}\n".encode(), None, "Birds"),
    ("a.py", f"import birds\n\nsay({FACT!r})\n".encode(), None, "Lines 1–3"),
    ("a.epub", book(f"<h1>Cranes</h1><p>{HARBOUR}</p>", f"<h1>Parrots</h1><p>{HTML_FACT}</p>"), None, "Parrots"),
]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def ingested(agent: Agent, name: str, content: bytes) -> Document:
    document = services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, content))
    working.work(document)
    document.refresh_from_db()
    return document


def places(document: Document) -> list[tuple[str, str]]:
    """Of each passage: where it stands, and how it ends."""
    found = document.passages.order_by("position").values_list("place", "text")
    return [(place, text.split("\n")[-1]) for place, text in found]


def texts(document: Document) -> list[str]:
    return list(document.passages.order_by("position").values_list("text", flat=True))


def why_not(name: str, content: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        uploads.check_upload(SimpleUploadedFile(name, content))
    return str(refused.value)


# All kinds, found


def test_all_kinds_of_documents_are_found_and_name_their_page_or_place(agent: Agent) -> None:
    for name, content, page, place in TEXTS:
        document = ingested(agent, name, content)
        assert (document.status, document.error) == (Status.READY, ""), name
        best = archival_storage.find(agent, "parrot Portuguese").hits[0].row
        assert best.document == document and FACT in best.text
        assert (best.page, best.place) == (page, place), name
        document.delete()
    read = {MEDIA_TYPES[Path(name).suffix] for name, *_ in TEXTS}
    assert read == set(MEDIA_TYPES.values()) - {EXPORT}  # which becomes documents


def test_every_kind_has_a_reader_and_is_offered() -> None:
    assert set(reading.READERS) - {CONVERSATION} == set(MEDIA_TYPES.values()) - {EXPORT}  # one is made of the other
    assert ACCEPTED.split(",") == list(MEDIA_TYPES)


# Places


def test_a_passage_is_named_by_the_nearest_headings_above_it(agent: Agent) -> None:
    long = "Oil burns in the lamp of the tower. " * 15
    sections = (
        "---\ntitle: x\n---",
        long,
        long,
        "# A",
        "## B *c*",
        long,
        "```\n# none\n```",
        "D\n===",
        "> # quoted",
        long,
    )
    text = "\n\n".join(sections)
    document = ingested(agent, "a.md", text.replace("\n", "\r\n").encode())
    assert [place for place, _ in places(document)] == ["", "", "A > B c", "D"]


def test_a_place_too_long_is_cut_from_its_far_end(agent: Agent) -> None:
    document = ingested(agent, "a.md", f"# {'far ' * 20}\n## {'mid ' * 30}\n### near\n\nText.".encode())
    assert [place for place, _ in places(document)] == [f"{'mid ' * 30}> near"]
    document = ingested(agent, "b.md", f"# {'far ' * 80}\n\nText.".encode())
    assert len(places(document)[0][0]) == 200


def test_a_page_without_headings_is_named_by_its_title_and_hides_what_is_not_shown(agent: Agent) -> None:
    markup = "<title>Log</title><style>p{}</style><p>See <a href='https://x.y/z'>this</a> <a href='#n'>note</a></p>"
    document = ingested(agent, "a.htm", (markup + "<script>evil()</script><img src='data:,x' alt='A tower'>").encode())
    assert [(p.place, p.text) for p in document.passages.all()] == [
        ("Log", "See [this](https://x.y/z) note\n\nA tower")
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig", "big5"])
def test_a_page_in_its_declared_encoding_is_read(agent: Agent, encoding: str) -> None:
    document = ingested(agent, "a.html", f'<meta charset="{encoding}"><p>住在里斯本</p>'.encode(encoding))
    assert texts(document) == ["住在里斯本"]


def test_a_word_document_keeps_what_is_written_in_it(agent: Agent) -> None:
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    document = ingested(agent, "a.docx", word(("Normal", "R&D # lamp_oil"), ("Normal", "*5* < 6"), extra=table))
    assert texts(document) == ["R&D # lamp_oil\n\n*5* < 6\n\n| a |\n| --- |"]


def test_slides_are_numbered_as_they_are_shown_and_keep_their_notes(agent: Agent) -> None:
    deck = slides(("One", "first made"), ("Two", "second made"), ("Three", "third"), first=3, notes="Say it slowly.")
    document = ingested(agent, "a.pptx", deck)
    found = document.passages.order_by("position").values_list("page", "place", "text")
    assert list(found)[:2] == [(1, "Three", "Three\n\nthird\n\nSay it slowly."), (2, "One", "One\n\nfirst made")]
    assert document.pages == 3


def test_every_passage_of_a_table_begins_with_its_first_row(agent: Agent) -> None:
    rows: list[list[object]] = [[f"lamp {n}", n / 2, None, "burns whale oil"] for n in range(100)]
    head: list[object] = ["item", "price", "", "note"]
    sheet = ingested(agent, "a.xlsx", workbook(Prices=[head, *rows], Empty=[]))
    lines = [";".join("" if cell is None else str(cell) for cell in row) for row in [head, *rows]]
    listed = ingested(agent, "a.csv", "\r\n".join(lines).encode())
    for document in (sheet, listed):
        assert document.passages.count() > 5
        assert {text.split("\n")[0] for text in texts(document)} == {"item | price |  | note"}
        assert max(document.passages.values_list("tokens", flat=True)) <= PASSAGE_TOKENS
        kept = [line.split(" | ")[0] for text in texts(document) for line in text.split("\n")[1:]]
        assert kept == [row[0] for row in rows]
    assert {place for place, _ in places(sheet)} == {"Sheet: Prices"}
    first, *_, last = [place for place, _ in places(listed)]
    assert first.startswith("Rows 2–") and last.endswith("–101")


def test_a_row_longer_than_a_passage_and_a_first_row_like_it_are_kept_whole(agent: Agent) -> None:
    long = "The lamp burns whale oil. " * 60
    under = ingested(agent, "a.csv", f"who,what\nkeeper,{long}".encode())
    assert len(texts(under)) > 1 and all(text.startswith("who | what\n") for text in texts(under))
    above = ingested(agent, "b.csv", f"{long},what\nkeeper,oil".encode())
    assert places(above)[-1] == ("Row 2", "keeper | oil")
    for document in (under, above):
        assert " ".join(texts(document)).count("whale oil.") == 60


def test_cells_read_as_they_are_meant(agent: Agent) -> None:
    rows: list[list[object]] = [["a"], [3, 0.5, True, datetime(2026, 3, 4), "two\nlines"], [], ["=1+1", "x"]]
    content, sheet = workbook(S=rows), "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lying = archive.read(sheet).replace(b'<dimension ref="A1:E4"', b'<dimension ref="A1:A2"')
    expected = ["a", "3 | 0.5 | TRUE | 2026-03-04 | two lines\n=1+1 | x"]
    assert texts(ingested(agent, "a.xlsx", content)) == expected
    assert texts(ingested(agent, "b.xlsx", changed(content, {sheet: lying}))) == expected


def test_entries_of_json_are_named_by_their_keys(agent: Agent) -> None:
    value = {"name": "Lamp", "deep": {"one": "x " * 300, "list": [1, {"two": 2}]}, "none": None}
    document = ingested(agent, "a.json", json.dumps(value).encode())
    last = document.passages.order_by("position").last()
    assert places(document)[0] == ("name", "name: Lamp")
    assert last and (last.place, last.text) == (
        "deep > list – none",
        'deep > list: [1, {"two": 2}]\nnone: null',
    )
    assert {place for place, _ in places(document)[1:-1]} == {"deep > one"}


@pytest.mark.parametrize("ncx", [True, False])
def test_a_chapter_without_a_heading_is_named_by_the_contents(agent: Agent, ncx: bool) -> None:
    chapters = (
        "<p>Cover.</p>",
        "<p>It begins.</p>",
        "<p>It goes on.</p>",
        "<h2>The end</h2><p>Over.</p>",
        "<p>And on.</p>",
    )
    document = ingested(agent, "a.epub", book(*chapters, listed=(1, "The first"), ncx=ncx))
    expected = [
        ("", "Cover."),
        ("The first", "It begins."),
        ("The first", "It goes on."),
        ("The end", "Over."),
        ("The end", "And on."),
    ]
    assert places(document) == expected


# What is not taken

OLE = uploads.OLE + b"\x00" * 600
DOCX = word(("Normal", "The lamp burns."))
LAUGHS = {
    "a.docx": (
        "word/document.xml",
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&lol9;</w:t></w:r></w:p></w:body></w:document>",
    ),
    "a.pptx": ("ppt/slides/slide1.xml", "<a>&lol9;</a>"),
    "a.xlsx": ("xl/workbook.xml", "<a>&lol9;</a>"),
}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "a.exe",
            OLE,
            "“a.exe” is not a kind of file memweb reads. It reads .txt, .md, .rst, .html, .htm, .xhtml, .pdf,",
        ),
        ("a.doc", b"{\\rtf1 x}", "“a.doc” is not a kind of file memweb reads."),
        ("a.odt", b"x", "“a.odt” is not what its name says: the content is something else."),
        (
            "a.odt",
            open_document("presentation", ""),
            "“a.odt” is not what its name says: the content is an OpenDocument p",
        ),
        (
            "a.docx",
            open_document("text", ""),
            "“a.docx” is not what its name says: the content is an OpenDocument text.",
        ),
        ("a.docx", b"", "“a.docx” is empty."),
        ("a.pdf", DOCX, "“a.pdf” is not what its name says: the content is a ZIP or Office file."),
        ("a.docx", pdf("x"), "“a.docx” is not what its name says: the content is a PDF."),
        ("a.docx", b"Just text.", "“a.docx” is not what its name says: the content is something else."),
        ("a.xlsx", DOCX, "“a.xlsx” is not what its name says: the content is a Word document."),
        ("a.docx", workbook(S=[]), "“a.docx” is not what its name says: the content is an Excel workbook."),
        ("a.docx", slides(), "“a.docx” is not what its name says: the content is a PowerPoint presentation."),
        ("a.docx", book("x"), "“a.docx” is not what its name says: the content is an EPUB book."),
        ("a.epub", zipped({"a": "b"}), "“a.epub” is not what its name says: the content is a ZIP file."),
        ("a.csv", DOCX, "“a.csv” is not what its name says: the content is a ZIP or Office file."),
        ("a.html", OLE, "“a.html” is not what its name says: the content is not text."),
        ("a.json", b'{"a": "\x00"}', "“a.json” is not what its name says: the content is not text."),
        ("a.docx", OLE, "“a.docx” is of an Office before 2007. Open it, save it as .docx, and upload that."),
        ("a.pptx", OLE + uploads.ENCRYPTED, "“a.pptx” is protected by a password. Save a copy without one"),
        ("a.docx", DOCX[:900], "“a.docx” is damaged or was cut off on its way: it cannot be unpacked (File is not"),
    ],
)
def test_what_is_not_taken_says_why(name: str, content: bytes, reason: str) -> None:
    assert why_not(name, content).startswith(reason)


def test_an_upload_that_was_looked_at_is_read_from_its_start() -> None:
    file = SimpleUploadedFile("a.docx", DOCX)
    assert uploads.check_upload(file) == MEDIA_TYPES[".docx"]
    assert file.read() == DOCX


def test_a_zip_with_a_password_is_not_taken() -> None:
    locked = bytearray(DOCX)
    entry = locked.rindex(b"PK\x01\x02")
    locked[entry + 8] |= 1
    assert why_not("a.docx", bytes(locked)) == (
        "“a.docx” is protected by a password. Save a copy without one and upload that."
    )


@pytest.mark.parametrize("name", ["a.docx", "a.epub"])
def test_a_zip_bomb_is_not_unpacked(name: str) -> None:
    content = DOCX if name == "a.docx" else book("x")
    packed = changed(content, {"word/media/picture.bmp": b"\x00" * 12_000_000})
    assert why_not(name, packed) == f"“{name}” would unpack to 11 MB, which is too much. It was not unpacked."


def test_a_bomb_that_packs_less_well_is_told_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(3).randbytes(4000)
    for limit, member in (("UNPACKED_BYTES", "word/media/a.bin"), ("TREE_BYTES", "word/a.xml")):
        with monkeypatch.context() as lowered:
            lowered.setattr(uploads, limit, 400_000)
            small = changed(DOCX, {member: noise * 10})
            assert uploads.check_upload(SimpleUploadedFile("a.docx", small))
            assert "would unpack to" in why_not("a.docx", changed(DOCX, {member: noise * 120}))


def test_too_many_files_in_one_are_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MEMBERS", 30)
    assert uploads.check_upload(SimpleUploadedFile("a.docx", DOCX))
    many = changed(DOCX, {f"word/{n}": "" for n in range(30)})
    assert why_not("a.docx", many) == "“a.docx” holds more than 30 files. It was not unpacked."


def test_a_bomb_within_a_file_is_left_packed(agent: Agent) -> None:
    inner = zipped({"zeros": b"\x00" * 50_000_000})
    document = ingested(agent, "a.docx", changed(DOCX, {"word/embeddings/a.zip": zipped({"b.zip": inner})}))
    assert (document.status, texts(document)) == (Status.READY, ["The lamp burns."])


def test_a_size_that_is_a_lie_unpacks_no_more_than_it_says(agent: Agent) -> None:
    content = changed(DOCX, {"word/document.xml": "<w:document>" + " " * 8_000_000})
    lying = content.replace(struct.pack("<I", 8_000_012), struct.pack("<I", 100))
    assert lying != content
    assert "it cannot be unpacked (Bad CRC-32 for file 'word/document.xml'" in why_not("a.docx", lying)


@pytest.mark.parametrize("name", LAUGHS)
def test_a_billion_laughs_are_not_laughed(name: str) -> None:
    content = {"a.docx": DOCX, "a.pptx": slides(("a", "b")), "a.xlsx": workbook(S=[["a"]])}[name]
    member, body = LAUGHS[name]
    laughing = changed(content, {member: bomb("", body)})
    assert f"“{name}” is not a normal Office file: its XML declares entities." in why_not(name, laughing)


def test_a_book_that_laughs_is_read_without_them(agent: Agent) -> None:
    chapter = bomb("<html>", "<body><p>The lamp &lol9; burns.</p></body></html>")
    document = ingested(agent, "a.epub", changed(book("x"), {"OEBPS/text 0.xhtml": chapter}))
    assert len("".join(texts(document))) < 100 and "The lamp" in texts(document)[0]
    package = bomb("", "<package>&lol9;</package>")
    document = ingested(agent, "b.epub", changed(book("x"), {"OEBPS/book.opf": package}))
    assert document.error.startswith("The file cannot be read: it may be damaged (EntitiesForbidden(name='lol0'")


# What cannot be read

NO_SLIDE = '<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"/>'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b'{"a": 1,\n "b": }', "It is not valid JSON: line 2, column 7, Expecting value."),
        ("a.json", b"[" * 100_000, "Its parts are nested too deeply in one another."),
        ("a.json", b"{}", "No text was found in it."),
        ("a.csv", b"\n\n,,\n", "No text was found in it."),
        ("a.html", b"<div>" * 3000 + b"x", "Its parts are nested too deeply in one another."),
        ("a.html", b"<script>x</script>", "No text was found in it."),
        ("a.docx", word(), "No text was found in it."),
        ("a.docx", changed(DOCX, {"word/document.xml": "<w:docu"}), "The file cannot be read: it may be damaged ("),
        ("a.docx", zipped({"word/x": "y"}), "The file cannot be read: it may be damaged ("),
        ("a.pptx", zipped({"ppt/x": "y"}), "The file cannot be read: it may be damaged ("),
        ("a.pptx", changed(slides(("a", "b")), {"ppt/slides/slide1.xml": NO_SLIDE}), "The file cannot be read: it may"),
        ("a.xlsx", zipped({"xl/x": "y"}), "The file cannot be read: it may be damaged ("),
        ("a.epub", zipped({"META-INF/container.xml": "<x/>"}), "The file cannot be read: it may be damaged (no list"),
        ("a.pptx", slides(), "No text was found in it."),
        ("a.xlsx", workbook(S=[]), "No text was found in it."),
        ("a.epub", book("<p> </p>"), "No text was found in it."),
    ],
)
def test_what_cannot_be_read_says_why(agent: Agent, name: str, content: bytes, reason: str) -> None:
    document = ingested(agent, name, content)
    assert document.status == Status.FAILED and document.error.startswith(reason)
    assert not document.passages.exists()


def test_a_book_locked_against_copying_says_so(agent: Agent) -> None:
    listed = '<encryption xmlns:e="urn:e"><e:CipherReference URI="{}"/></encryption>'
    font = changed(book("<p>Open.</p>"), {"META-INF/encryption.xml": listed.format("OEBPS/font.otf")})
    assert texts(ingested(agent, "a.epub", font)) == ["Open."]
    locked = changed(book("<p>x</p>"), {"META-INF/encryption.xml": listed.format("OEBPS/text%200.xhtml")})
    assert ingested(agent, "b.epub", locked).error.startswith("It is protected against copying (DRM).")


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "epub"])
def test_however_a_file_is_broken_it_is_read_or_says_so(agent: Agent, kind: str) -> None:
    chance = random.Random(kind)
    whole = next(content for name, content, *_ in TEXTS if name.endswith(kind))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    shaken = [name for name in members if name.endswith(("ml", ".rels", ".opf")) and "theme" not in name.lower()]
    for number in range(60):
        name = chance.choice(shaken)
        raw = bytearray(members[name])
        if number % 3 == 0:
            start = chance.randrange(len(raw))
            del raw[start : start + chance.randrange(1, 200)]
        for _ in range(chance.randrange(1, 6)):
            raw[chance.randrange(len(raw))] = chance.choice(b'<>/="&x0 ')
        broken = {**members, name: bytes(raw)}
        if number % 10 == 0:
            del broken[name]
        try:
            document = ingested(agent, f"{number}.{kind}", zipped(broken))
        except InvalidInput as refused:
            assert str(refused).startswith("“") or "already" in str(refused)
            continue
        assert document.status in (Status.READY, Status.FAILED)
        assert bool(document.error) == (document.status == Status.FAILED)


# Attempts, progress, language


def dying(*_: Any) -> Any:
    raise KeyboardInterrupt  # as near to a dead process as a test comes: nothing catches it


def waits_again(document: Document) -> None:
    """As the reaper has it wait whose worker died."""
    Document.objects.filter(pk=document.pk).update(status=Status.QUEUED)


def test_a_file_that_takes_its_worker_down_is_given_up(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    document = services.document_add(archive=agent.archive, file=SimpleUploadedFile("a.txt", b"The lamp burns."))
    with monkeypatch.context() as deadly:
        deadly.setattr(working, "read", dying)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            with pytest.raises(KeyboardInterrupt):
                tasks.ingest()
            document.refresh_from_db()
            assert (document.status, document.attempts) == (Status.READING, attempt)
            waits_again(document)
        tasks.ingest()  # does not read it
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert document.error.startswith("Reading it has stopped the worker 3 times; it is damaged or too large")


def test_a_worker_that_stops_now_and_then_does_not_end_a_long_document(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(f"Sentence {n} of the log tells of the tower and its lamp.\n\n" for n in range(500))
    document = services.document_add(archive=agent.archive, file=SimpleUploadedFile("a.txt", text.encode()))
    real = archival_storage.insert_pieces
    for _ in range(MAX_ATTEMPTS + 1):
        calls: list[int] = []

        def second_dies(same: Document, pieces: Any, calls: list[int] = calls) -> None:
            calls.append(1)
            real(same, pieces) if len(calls) == 1 else dying()

        with monkeypatch.context() as deadly:
            deadly.setattr(archival_storage, "insert_pieces", second_dies)
            with pytest.raises(KeyboardInterrupt):
                tasks.ingest()
        waits_again(document)
    tasks.ingest()
    document.refresh_from_db()
    assert document.status == Status.READY and document.passages.count() == document.total


@pytest.mark.parametrize(
    ("name", "make"),
    [("a.pdf", lambda n: pdf(*["The lamp."] * n)), ("a.pptx", lambda n: slides(*[("The", "lamp.")] * n))],
)
def test_progress_counts_pages_while_they_are_read(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[int], bytes]
) -> None:
    told: list[tuple[str, int, int, int | None]] = []
    monkeypatch.setattr(
        archival_storage, "announce_document", lambda d: told.append((d.status, d.done, d.total, d.pages))
    )
    document = services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, make(25)))
    document.done, document.total = 3, 9  # an earlier attempt's
    working.work(document)
    reading_told = [rest for status, *rest in told if status == Status.READING]
    assert reading_told == [[0, 0, None], [0, 25, 25], [9, 25, 25], [19, 25, 25]]
    assert next(rest for status, *rest in told if status == Status.EMBEDDING) == [0, 25, 25]


def test_what_a_worker_writes_is_in_the_owners_language(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    spoken: list[str | None] = []

    def read(*_: Any) -> Any:
        spoken.append(translation.get_language())
        return iter(())

    def person_of(owner: int) -> Person:
        asked.append(owner)
        return Person("de")

    monkeypatch.setattr(person, "person_of", person_of)
    monkeypatch.setattr(working, "read", read)
    with translation.override("en"):
        ingested(agent, "a.txt", b"x")
        assert translation.get_language() == "en"
    assert (asked, spoken) == ([agent.owner_id], ["de"])
