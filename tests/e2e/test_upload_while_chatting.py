"""A long document goes in while the conversation goes on."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page import create_agent, pdf, send

pytestmark = pytest.mark.e2e


def test_a_pdf_of_100_pages_is_stored_with_progress_while_the_chat_answers(page: Page, tmp_path: Path) -> None:
    create_agent(page)
    page.get_by_role("tab", name="Archival").click()
    page.locator("#files").set_input_files(pdf(tmp_path / "keeper.pdf", 100))
    progress = page.locator("#documents progress[value]")
    expect(progress).to_be_visible(timeout=30_000)

    send(page, "my name is Ada")
    expect(page.locator("#timeline-rows .reply")).to_contain_text("Lovely to know that.")
    expect(page.locator("#documents")).not_to_contain_text("ready")  # the answer did not wait for the document

    expect(page.locator("#documents")).to_contain_text("ready · 100 pages", timeout=90_000)
    page.get_by_label("Search archival storage").fill("harbour master of quay 87")
    expect(page.locator("#archival-results")).to_contain_text("Zephyr-87")
    expect(page.locator("#archival-results")).to_contain_text("keeper.pdf, page 87")
    send(page, "look up in the document: harbour master of quay 42")
    expect(page.locator("#timeline-rows .reply").last).to_contain_text("Zephyr-42", timeout=30_000)
