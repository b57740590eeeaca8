"""Ten documents of ten formats land in an archive, are found by search, and name their page or place."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.agents import documents
from tests.e2e.page import create_agent, open_tab, pdf

pytestmark = pytest.mark.e2e

HEADED = "<h1>Birds</h1><h2>Gulls</h2><p>The gull called Bertram nests on the gallery.</p>"


def files(folder: Path) -> dict[str, tuple[str, str]]:
    """Writes them; by name: what to ask for, and how the place is told."""
    made: dict[str, tuple[bytes, str, str]] = {
        "plain.txt": (b"The cellar floods in March.", "cellar floods", "plain.txt"),
        "notes.md": (b"# Lamp\n\n## Oil\n\nA barrel lasts nine nights.", "barrel nine nights", "Lamp > Oil"),
        "birds.html": (f"<html><body>{HEADED}</body></html>".encode(), "gull Bertram", "Birds > Gulls"),
        "cv.docx": (documents.word(("heading 1", "Skill"), ("Normal", "She repairs barometers.")), "repairs", "Skill"),
        "talk.pptx": (documents.slides(("Start", "Welcome."), ("Fog", "The horn sounds twice.")), "horn", "page 2"),
        "prices.xlsx": (documents.workbook(Oil=[["kind", "price"], ["whale", 12]]), "whale price", "Sheet: Oil"),
        "log.csv": (b"day,ship\n1,Aurora\n2,Borealis\n", "Borealis ship", "Rows 2"),
        "data.json": (b'{"keeper": {"name": "Ingeborg Falk"}}', "Ingeborg Falk", "keeper"),
        "tale.epub": (documents.book("<h1>Storm</h1><p>The mast broke at dawn.</p>"), "mast broke", "Storm"),
    }
    for name, (content, _query, _place) in made.items():
        (folder / name).write_bytes(content)
    pdf(folder / "keeper.pdf", 3)
    told = {name: (query, place) for name, (_content, query, place) in made.items()}
    return {**told, "keeper.pdf": ("harbour master of quay 2", "page 2")}


def test_ten_formats_are_found_and_name_their_place(page: Page, tmp_path: Path) -> None:
    told = files(tmp_path)
    create_agent(page)
    open_tab(page, "Archival")
    page.locator("#files").set_input_files(sorted(tmp_path.iterdir()))
    expect(page.locator("#documents li")).to_have_count(10, timeout=30_000)
    for item in page.locator("#documents li").all():
        expect(item).to_contain_text("ready ·", timeout=60_000)
    for name, (query, place) in told.items():
        page.get_by_label("Search archival storage").fill(query)
        result = page.locator("#archival-results li.passage", has_text=name).first
        expect(result).to_contain_text(place)
        expect(result.locator("mark").first).to_be_visible()
