"""Core memory by hand: drafts that nobody overwrites, history, sharing, order, locks."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page import add_agent, answer_yes, block, block_menu, block_text, create_agent, open_tab, send, talk

pytestmark = pytest.mark.e2e


def test_a_draft_stays_when_the_agent_edits_the_block_meanwhile(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    block(page, "human").get_by_role("button", name="Edit").click()
    draft = page.locator("#memory-tab textarea")
    draft.fill("My own draft.")
    send(page, "my name is Ada")
    form = page.locator("#memory-tab .editing")
    expect(form).to_contain_text("Sam changed this block while you were editing.")
    expect(form.locator("ins")).to_contain_text("Name: Ada.")
    expect(draft).to_have_value("My own draft.")
    form.get_by_role("button", name="Save").click()
    expect(block_text(page, "human")).to_contain_text("My own draft.")


def test_the_count_is_live_and_honest_and_the_limit_is_told(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    block(page, "human").get_by_role("button", name="Edit").click()
    draft = page.locator("#memory-tab textarea")
    draft.fill("é😀字")
    expect(page.locator("#memory-tab .editing .count")).to_have_text("3 / 2000 characters")
    draft.fill("x" * 2001)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#memory-tab .editing")).to_contain_text("holds at most 2,000 characters; this text has 2,001")
    expect(draft).to_have_value("x" * 2001)
    draft.press("Escape")
    expect(block_text(page, "human")).to_contain_text("Name: not known yet.")


def test_history_compares_restores_and_undoes(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    talk(page, "my name is Ada")
    talk(page, "I moved to Lisbon")
    expect(block_text(page, "human")).to_contain_text("Lives in Lisbon.")
    block_menu(page, "human", "History")
    dialog = page.get_by_role("dialog")
    revisions = dialog.locator(".revisions > li")
    expect(revisions).to_have_count(3)
    revisions.nth(1).get_by_role("button", name="Undo this edit alone").click()
    expect(block_text(page, "human")).not_to_contain_text("Ada")
    expect(block_text(page, "human")).to_contain_text("Lives in Lisbon.")
    expect(revisions).to_have_count(4)
    revisions.nth(3).get_by_label("from").check()
    revisions.nth(0).get_by_label("to").check()
    dialog.get_by_role("button", name="Compare the two chosen").click()
    expect(dialog.locator(".compare ins")).to_contain_text("Lives in Lisbon.")
    expect(dialog).to_contain_text("From #1 to #4")
    revisions.nth(3).get_by_role("button", name="Restore this text").click()
    expect(revisions.first).to_contain_text("back to #1")
    page.keyboard.press("Escape")
    expect(block_text(page, "human")).not_to_contain_text("Lisbon")


def test_blocks_are_added_locked_moved_detached_brought_back_and_deleted(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Add a block").click()
    dialog.get_by_label("Label").fill("project")
    dialog.get_by_label("Text").fill("A lighthouse museum.")
    dialog.get_by_role("button", name="Add the block").click()
    labels = page.locator("#memory-tab h3")
    expect(labels).to_have_text(["persona", "human", "project"])
    block_menu(page, "project", "Move up")
    expect(labels).to_have_text(["persona", "project", "human"])
    block_menu(page, "project", "Settings and sharing")
    dialog.get_by_label("Lock it").check()
    dialog.get_by_role("button", name="Save").click()
    expect(block(page, "project")).to_contain_text("locked")
    block_menu(page, "project", "Settings and sharing")
    dialog.get_by_role("button", name="Detach from Sam").click()
    expect(labels).to_have_text(["persona", "human"])
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(labels).to_have_text(["persona", "human", "project"])
    block_menu(page, "project", "Settings and sharing")
    dialog.get_by_role("button", name="Delete").click()
    answer_yes(page)
    expect(labels).to_have_text(["persona", "human"])


def test_a_shared_block_is_one_text_for_both_agents(page: Page) -> None:
    create_agent(page)
    first = page.url
    add_agent(page, "Ada")
    open_tab(page, "Memory")
    page.get_by_role("button", name="Add a block").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("project")
    dialog.get_by_label("Text").fill("Shared by both.")
    dialog.get_by_role("button", name="Add the block").click()
    block_menu(page, "project", "Settings and sharing")
    dialog.get_by_label("Share with").select_option("Sam")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(block(page, "project")).to_contain_text("Shared with Sam")
    page.goto(first)
    open_tab(page, "Memory")
    expect(block(page, "project")).to_contain_text("Shared by both.")


def test_an_edit_by_the_agent_draws_the_eye_in_chat_and_panel(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    send(page, "my name is Ada")
    expect(page.locator("#memory-tab .block.flash")).to_contain_text("Name: Ada.")
    expect(page.locator("#timeline-rows .row.fresh .chip")).to_be_visible()
