"""Why a search found what it found: opened by the keyboard, in the list, for a query that is tried, for a call."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.page import create_agent, open_tab, talk
from tests.e2e.test_accessibility import both_themes

pytestmark = pytest.mark.e2e

SAID = (
    *("my name is Ada", "The lamp of the harbour burns whale oil.", "The boathouse of the harbour needs paint."),
    *("We saw the harbour from the sea.", "file this: The harbour lamp was lit in 1871.", "look up the harbour lamp"),
)


def adds_up(table: Locator) -> None:
    """What its rows show that they add is the score that it shows."""
    *added, score = [
        round(100 * float(text.replace("−", "-"))) for text in table.locator("td:last-child").all_inner_texts()
    ]
    assert sum(added) == score


def press(control: Locator) -> None:
    control.focus()
    control.press("Enter")


def test_a_result_a_query_and_a_call_open_by_the_keyboard(page: Page) -> None:
    create_agent(page)
    for text in SAID:
        talk(page, text)
    open_tab(page, "Recall")
    page.get_by_label("Search the conversation").fill("harbour lamp")
    results = page.locator("#recall-results")
    expect(results).to_contain_text("Here ends the first page that Sam reads")
    page.get_by_label("Search the conversation").blur()
    press(results.locator("summary", has_text="Why?").first)
    expect(results.get_by_role("table")).to_contain_text("harbour")
    adds_up(results.get_by_role("table"))
    both_themes(page, "an opened result")

    press(page.get_by_role("button", name="Try it as Sam searches"))
    dialog = page.get_by_role("dialog")
    query = dialog.get_by_label("A query")
    expect(query).to_be_focused()
    expect(query).to_have_value("harbour lamp")
    expect(dialog.get_by_role("heading", name="Just below the cut")).to_be_visible()
    query.fill("paint of the boathouse")
    query.press("Enter")
    expect(dialog.locator(".entry-text").first).to_contain_text("boathouse")
    press(dialog.locator("summary", has_text="Why?").first)
    adds_up(dialog.get_by_role("table").first)
    press(dialog.get_by_text("What the agent reads"))
    expect(dialog.locator("pre")).to_contain_text(re.compile(r"Showing 5 of \d+, page 1"))
    both_themes(page, "a query that was tried")
    press(dialog.get_by_role("button", name="Next page"))
    expect(dialog.get_by_role("status")).to_contain_text("page 2 of")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    press(page.locator("#timeline-rows summary", has_text="archival_memory_search"))
    press(page.get_by_role("button", name="Why these?"))
    expect(dialog).to_contain_text("Sam looked for “look up the harbour lamp”")
    press(dialog.locator("summary", has_text="Why?").first)
    adds_up(dialog.get_by_role("table").first)
    both_themes(page, "a call")
