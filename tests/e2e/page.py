"""What the browser tests do on the page again and again."""

import os
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas


def create_agent(page: Page, name: str = "Sam") -> None:
    """From the welcome page, up to the live conversation."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#live")).to_have_text("live")


def add_agent(page: Page, name: str) -> None:
    """Another one, from the page of the first."""
    page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")


def send(page: Page, text: str) -> None:
    page.get_by_label("Message to").fill(text)
    page.keyboard.press("Enter")


def replies(page: Page) -> Locator:
    return page.locator("#timeline-rows .reply")


def talk(page: Page, text: str) -> None:
    """Send, and wait for the whole answer."""
    before = replies(page).count()
    send(page, text)
    expect(replies(page)).to_have_count(before + 1)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name)
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    expect(page.locator(f"#{name.lower()}-tab")).to_be_visible()


def block(page: Page, label: str) -> Locator:
    return page.locator("#memory-tab .block", has=page.get_by_role("heading", name=label, exact=True))


def block_text(page: Page, label: str) -> Locator:
    """What a block says, without its history."""
    return block(page, label).locator(".block-text").first


def block_menu(page: Page, label: str, entry: str) -> None:
    block(page, label).get_by_label(f"More about {label}").click()
    block(page, label).get_by_role("button", name=entry).click()


def point_at(row: Locator) -> Locator:
    """A row's actions show when somebody points at it."""
    row.hover()
    return row


def last_message(page: Page) -> Locator:
    return page.locator("#timeline-rows .row.user").last


def answer_yes(page: Page) -> None:
    page.locator("#confirm").get_by_role("button", name="Yes").click()


def drop_files(page: Page, files: dict[str, str]) -> None:
    """Drag files from outside over the page and let go."""
    script = """files => {
        const transfer = new DataTransfer();
        for (const [name, text] of Object.entries(files)) transfer.items.add(new File([text], name));
        for (const type of ['dragenter', 'dragover', 'drop']) {
            const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer });
            document.getElementById('timeline').dispatchEvent(event);
        }
    }"""
    page.evaluate(script, files)


def pdf(path: Path, pages: int) -> Path:
    canvas = Canvas(os.fspath(path), pagesize=A4)
    for number in range(1, pages + 1):
        canvas.drawString(72, 760, f"Page {number} of the keeper's log. The lamp of tower {number} burns whale oil.")
        canvas.drawString(72, 740, f"The harbour master of quay {number} is called Captain Zephyr-{number}.")
        canvas.showPage()
    canvas.save()
    return path
