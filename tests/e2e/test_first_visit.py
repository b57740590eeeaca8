"""The way of a newcomer in a real browser: log in, make an agent, chat, see and edit its memory, upload, search."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.page import create_agent, pdf, send
from tests.product import Product

pytestmark = pytest.mark.e2e


def test_a_newcomer_chats_and_watches_the_memory_change(page: Page, tmp_path: Path) -> None:
    create_agent(page)
    page.get_by_role("tab", name="Memory").click()
    human = page.locator(".block", has=page.get_by_role("heading", name="human"))
    expect(human).to_contain_text("Name: not known yet.")

    send(page, "Hello, my name is Ada.")
    expect(page.locator("#timeline-rows .reply")).to_contain_text("Lovely to know that.")
    expect(page.get_by_text("Memory updated: human")).to_be_visible()
    expect(human).to_contain_text("Name: Ada.")
    expect(page.get_by_label("Message to")).to_have_value("")

    human.get_by_role("button", name="Edit").click()
    box = page.locator(".block.editing textarea")
    box.fill(box.input_value() + "\nKeeps a lighthouse.")
    page.get_by_role("button", name="Save").click()
    expect(human).to_contain_text("Keeps a lighthouse.")
    human.get_by_text("Last change by").click()
    expect(human.locator("ins")).to_contain_text("Keeps a lighthouse.")

    page.get_by_role("tab", name="Archival").click()
    page.get_by_label("Add a passage").fill("The spare key hangs behind the barometer.")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Search archival storage").fill("key barometer")
    expect(page.locator("#archival-results li").first).to_contain_text("behind the barometer")

    page.locator("#files").set_input_files(pdf(tmp_path / "log.pdf", 3))
    expect(page.locator("#documents")).to_contain_text("ready · 3 pages", timeout=30_000)
    page.get_by_label("Search archival storage").fill("harbour master of quay 2")
    expect(page.locator("#archival-results")).to_contain_text("Zephyr-2")
    expect(page.locator("#archival-results")).to_contain_text("log.pdf, page 2")

    send(page, "look up who is harbour master of quay 3")
    expect(page.locator("#timeline-rows .reply").last).to_contain_text("Zephyr-3")


def test_a_second_agent_of_the_same_name_is_a_clear_form_error(page: Page) -> None:
    create_agent(page)
    page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Sam")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("already have an agent called “Sam”")
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Sam")


def test_agents_are_renamed_and_deleted_after_a_question(page: Page) -> None:
    create_agent(page)
    page.get_by_label("More about Sam").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Otto")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Otto", level=1)).to_be_visible()
    page.get_by_label("More about Otto").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete Otto").click()
    expect(page.get_by_text("Make your first agent")).to_be_visible()


def test_two_tabs_stay_in_step_and_a_reload_shows_the_whole_reply(page: Page, context: BrowserContext) -> None:
    create_agent(page)
    other = context.new_page()
    other.goto(page.url)
    expect(other.locator("#live")).to_have_text("live")
    send(page, "tell me a long story")
    expect(other.locator(".draft-reply")).to_contain_text("Line 0 of a long story")
    other.reload()
    expect(other.locator(".draft-reply")).to_contain_text("Line 0 of a long story")
    for tab in (page, other):
        expect(tab.locator("#timeline-rows .reply")).to_contain_text("Line 39 of a long story", timeout=30_000)
        expect(tab.locator("#timeline-rows .row.user")).to_have_count(1)
        expect(tab.locator("#timeline-rows .reply")).to_have_count(1)
        expect(tab.locator("#draft")).to_be_hidden()


def test_stop_keeps_what_was_said_and_marks_it(page: Page) -> None:
    create_agent(page)
    send(page, "something slow please")
    expect(page.locator(".draft-reply")).to_contain_text("One word")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped here by you.")).to_be_visible()
    expect(page.locator("#timeline-rows .reply")).to_contain_text("One word")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_html_from_the_model_is_shown_as_text(page: Page) -> None:
    create_agent(page)
    send(page, "say <script>")
    reply = page.locator("#timeline-rows .reply")
    expect(reply.locator("strong")).to_have_text("safe")
    expect(reply).to_contain_text("<script>")
    assert reply.locator("script, img").count() == 0
    assert "Sam" in page.title()


def test_messages_sent_while_a_run_goes_on_wait_and_are_answered_in_order(page: Page) -> None:
    create_agent(page)
    send(page, "something slow please")
    expect(page.locator(".draft-reply")).to_contain_text("One")
    send(page, "and this one after")
    expect(page.locator("#waiting")).to_contain_text("and this one after")
    replies = page.locator("#timeline-rows .reply")
    expect(replies).to_have_count(2, timeout=30_000)
    expect(replies.nth(0)).to_contain_text("One word at a time")
    expect(replies.nth(1)).to_contain_text("and this one after")


def test_an_over_long_message_stays_in_the_box_with_the_reason(page: Page) -> None:
    create_agent(page)
    text = "lighthouse " * 6000
    page.get_by_label("Message to").fill(text)
    with page.expect_response("**/messages/"):
        page.keyboard.press("Enter")
    expect(page.locator("#composer-error")).to_contain_text("tokens")
    assert page.get_by_label("Message to").input_value() == text


def test_an_upload_that_is_not_what_its_name_says_is_refused_in_place(page: Page, tmp_path: Path) -> None:
    create_agent(page)
    page.get_by_role("tab", name="Archival").click()
    fake = tmp_path / "report.pdf"
    fake.write_bytes(b"PK\x03\x04 not a pdf")
    page.locator("#files").set_input_files(fake)
    expect(page.locator("#uploads")).to_contain_text("is not what its name says")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#uploads")).to_be_hidden()


def test_a_login_address_works_once(product: Product, context: BrowserContext) -> None:
    address = product.newcomer().login_url
    first = context.request.get(address)
    assert first.ok and "Make your first agent" in first.text()
    context.clear_cookies()
    again = context.request.get(address)
    assert again.status == 403 and "used already" in again.text()


def test_the_printed_address_logs_the_owner_in(owner: Page) -> None:
    expect(owner.get_by_role("button", name="Log out")).to_be_visible()


def test_what_is_typed_while_a_message_is_on_its_way_is_kept_and_sent(page: Page) -> None:
    create_agent(page)
    box = page.get_by_label("Message to")
    held: list[Route] = []
    page.route("**/messages/", lambda route: route.continue_() if held else held.append(route))
    box.fill("first message")
    page.keyboard.press("Enter")
    expect(box).to_have_value("")
    box.press_sequentially("second message")
    page.keyboard.press("Enter")
    expect(box).to_have_value("second message")
    held[0].continue_()
    users = page.locator("#timeline-rows .row.user")
    expect(users).to_have_count(2)
    expect(users.last).to_contain_text("second message")
    expect(box).to_have_value("")


def test_a_message_whose_answer_got_lost_comes_back_into_the_box(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(product.newcomer().login_url)
    create_agent(page)
    box = page.get_by_label("Message to")
    page.route("**/messages/", lambda route: route.abort())
    send(page, "may be lost")
    expect(box).to_have_value("may be lost")
    expect(page.get_by_text("cannot be reached")).to_be_visible()
    page.unroute("**/messages/")
    box.press("Enter")
    expect(page.locator("#timeline-rows .row.user")).to_have_count(1)


def test_a_passage_that_is_too_long_says_so_in_its_form(page: Page) -> None:
    create_agent(page)
    page.get_by_role("tab", name="Archival").click()
    page.get_by_label("Add a passage").fill("word " * 2000)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#passage-add")).to_contain_text("file at most 8,000")
    expect(page.get_by_label("Add a passage")).to_have_value("word " * 2000)
