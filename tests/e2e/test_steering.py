"""Steering a conversation: stop, retry, edit, delete, withdraw, and the slash commands, each in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page import (
    answer_yes,
    block,
    block_text,
    create_agent,
    last_message,
    open_tab,
    point_at,
    replies,
    send,
    talk,
)
from tests.product import Product

pytestmark = pytest.mark.e2e


def test_stop_really_ends_the_generation_at_the_model(page: Page, product: Product) -> None:
    create_agent(page)
    product.model.left.clear()
    send(page, "something slow please")
    expect(page.locator(".draft-reply")).to_contain_text("One word")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped here by you.")).to_be_visible()
    assert product.model.left.wait(15)


def test_deleting_the_last_turn_takes_what_it_wrote_along(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    talk(page, "my name is Ada")
    expect(block_text(page, "human")).to_contain_text("Name: Ada.")
    point_at(last_message(page)).get_by_role("button", name="Delete").click()
    answer_yes(page)
    expect(page.locator("#timeline-rows .row.user")).to_have_count(0)
    expect(replies(page)).to_have_count(0)
    expect(block_text(page, "human")).not_to_contain_text("Ada")
    page.reload()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#timeline-rows .row.user")).to_have_count(0)


def test_an_edited_message_is_answered_anew_in_every_tab(page: Page) -> None:
    create_agent(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#live")).to_have_text("live")
    talk(page, "hello harbour")
    page.get_by_label("Message to").press("ArrowUp")
    form = page.locator(".row.editing textarea")
    expect(form).to_be_focused()
    form.fill("hello lighthouse")
    form.press("Enter")
    for tab in (page, other):
        expect(replies(tab)).to_have_count(1)
        expect(replies(tab)).to_contain_text("hello lighthouse")
        expect(tab.locator("#timeline-rows .row.user")).to_have_count(1)


def test_retry_of_the_last_turn_asks_when_a_person_edited_memory_since(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    talk(page, "my name is Ada")
    block(page, "human").get_by_role("button", name="Edit").click()
    page.locator("#memory-tab textarea").fill("Name: Ada Lovelace.")
    page.get_by_role("button", name="Save").click()
    expect(block_text(page, "human")).to_contain_text("Lovelace")
    point_at(page.locator("#timeline-rows .row.assistant").last).get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Name: Ada Lovelace.")
    expect(dialog).to_contain_text("Name: not known yet.")
    dialog.get_by_role("button", name="Take it back").click()
    expect(page.locator("#timeline-rows .chip")).to_have_count(1)  # of the second try
    expect(block_text(page, "human")).to_contain_text("Lovelace")


def test_a_waiting_message_can_be_withdrawn_into_the_box(page: Page) -> None:
    create_agent(page)
    send(page, "something slow please")
    expect(page.locator(".draft-reply")).to_contain_text("One")
    send(page, "never mind this")
    page.locator("#waiting").get_by_role("button", name="Withdraw").click()
    expect(page.locator("#waiting .row")).to_have_count(0)
    expect(page.get_by_label("Message to")).to_have_value("never mind this")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator("#timeline-rows .row.user")).to_have_count(1)


def test_an_edit_in_the_chat_can_be_undone_where_it_happened(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Memory")
    talk(page, "my name is Ada")
    chip = page.locator("#timeline-rows .chip")
    chip.locator("summary").click()
    expect(chip.locator("ins")).to_contain_text("Name: Ada.")
    chip.get_by_role("button", name="Undo").click()
    expect(block_text(page, "human")).not_to_contain_text("Ada")
    expect(page.locator("#toasts")).to_contain_text("was undone")


def test_a_slash_lists_the_commands_and_completes_them(page: Page) -> None:
    create_agent(page)
    box = page.get_by_label("Message to")
    box.press_sequentially("/")
    options = page.locator("#command-list [role=option]:visible")
    expect(options).to_have_count(17)
    box.press_sequentially("re")
    expect(options).to_have_count(3)
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("/rethink ")
    expect(page.locator("#command-list")).to_be_hidden()


def run(page: Page, line: str) -> None:
    box = page.get_by_label("Message to")
    box.fill(line)
    box.press("Escape")  # the list of commands
    box.press("Enter")


def said(page: Page, text: str) -> None:
    expect(page.locator("#toasts")).to_contain_text(text)


def test_every_command_works_from_the_message_box(page: Page) -> None:
    create_agent(page)
    dialog = page.get_by_role("dialog")
    talk(page, "my name is Ada")
    for line, shown in (("/help", "/systemswap <text>"), ("/dump 3", "send_message"), ("/memory", "Name: Ada.")):
        run(page, line)
        expect(dialog).to_contain_text(shown)
        page.keyboard.press("Escape")
    run(page, "/rewrite Delighted, Ada.")
    expect(replies(page)).to_have_text("Delighted, Ada.")
    expect(page.locator("#timeline-rows")).to_contain_text("corrected by you")
    run(page, "/rethink A friend.")
    expect(page.locator("#timeline-rows .thinking-text").last).to_have_text("A friend.")
    run(page, "/retry")
    said(page, "tries again")
    expect(replies(page)).to_have_text("Lovely to know that. I have written it down.")
    run(page, "/heartbeat")
    expect(replies(page)).to_have_count(2)
    expect(page.locator("#timeline-rows")).to_contain_text("Heartbeat:")
    run(page, "/memorywarning")
    expect(page.locator("#timeline-rows .alert")).to_have_count(1)
    expect(replies(page)).to_have_count(3)
    run(page, "/summarize")
    expect(page.locator("#timeline-rows")).to_contain_text("left the window")
    run(page, "/pop 2")
    expect(replies(page)).to_have_count(2)
    run(page, "/systemswap Be brief.")
    expect(dialog).to_contain_text("Replace the system instructions of Sam?")
    dialog.get_by_role("button", name="Replace").click()
    said(page, "The system instructions were replaced.")
    run(page, "/save before")
    said(page, "Saved as the checkpoint “before”")
    run(page, "/attach nothing")
    expect(page.locator("#composer-error")).to_contain_text("There is no archive called “nothing”")
    expect(page.get_by_label("Message to")).to_have_value("/attach nothing")
    run(page, "/pop many")
    expect(page.locator("#composer-error")).to_contain_text("“many” is not a number")
    run(page, "/exit")
    expect(page.get_by_role("heading", name="Your agents")).to_be_visible()


def test_a_checkpoint_becomes_a_new_agent_with_its_memory(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    run(page, "/save early")
    page.get_by_label("More about Sam").click()
    page.get_by_role("button", name="Checkpoints").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the new agent").fill("Sam the second")
    dialog.get_by_role("button", name="Make an agent").click()
    expect(page.get_by_role("heading", name="Sam the second", level=1)).to_be_visible()
    expect(replies(page)).to_have_text("Lovely to know that. I have written it down.")
    open_tab(page, "Memory")
    expect(block_text(page, "human")).to_contain_text("Name: Ada.")


def test_ctrl_k_finds_agents_tabs_and_commands(page: Page) -> None:
    create_agent(page)
    page.keyboard.press("Control+k")
    query = page.get_by_role("combobox", name="Find anything")
    expect(query).to_be_focused()
    query.fill("archival")
    query.press("Enter")
    expect(page.locator("#archival-tab")).to_be_visible()
    page.keyboard.press("Control+k")
    query.fill("rewrite")
    query.press("Enter")
    expect(page.get_by_label("Message to")).to_have_value("/rewrite ")
    page.keyboard.press("Control+k")
    query.fill("no such thing")
    expect(page.get_by_text("Nothing is called that.")).to_be_visible()


def test_a_question_mark_shows_the_keys(page: Page) -> None:
    create_agent(page)
    page.locator("#timeline").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("find anything: agents, tabs, commands")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
