"""Access tokens on the page: made, copied, revoked; with the keyboard, on a phone."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.page import answer_yes, create_agent

pytestmark = pytest.mark.e2e


def test_a_token_is_made_copied_and_revoked(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    create_agent(page)
    page.get_by_role("button", name="Access tokens").click()
    dialog = page.locator("#dialog")
    mine = dialog.locator("#tokens li").filter(has_text="cron on the NAS")
    expect(dialog.get_by_label("Name of a new token")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Give the token a name")
    page.keyboard.type("cron on the NAS")
    page.keyboard.press("Enter")
    expect(dialog.locator("#new-token")).to_contain_text("memweb-")
    text = dialog.locator("#new-token").inner_text()
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == text
    expect(mine).to_contain_text(f"…{text[-4:]}")

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Access tokens").click()
    expect(mine).to_contain_text("never used")
    expect(dialog.locator("#new-token")).to_have_count(0)
    dialog.get_by_role("button", name="Revoke the token cron on the NAS").click()
    expect(page.locator("#confirm")).to_contain_text("What uses it is shut out at once.")
    answer_yes(page)
    expect(mine).to_contain_text("revoked")
    expect(dialog.get_by_role("button", name="Revoke the token cron on the NAS")).to_have_count(0)


def test_on_a_phone_the_list_fits(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    create_agent(page)
    page.get_by_role("button", name="Agents").click()
    page.get_by_role("button", name="Access tokens").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name of a new token").fill("a long name " * 6)
    dialog.get_by_role("button", name="Make a token").click()
    expect(dialog.locator("#new-token")).to_be_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('#dialog, #dialog *')].every(e => e.scrollWidth <= e.clientWidth + 1"
        " || getComputedStyle(e).display === 'inline')"
    )
