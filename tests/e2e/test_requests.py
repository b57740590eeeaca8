"""What a message makes a page ask for: nothing that nobody looks at, and what somebody looks at once."""

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e.page import create_agent, open_tab, talk

pytestmark = pytest.mark.e2e

LONGEST_DELAY = 600  # ms, more than any hx-trigger waits: that nothing is asked for shows only in time


def asked_for(page: Page, text: str) -> list[str]:
    """Paths that the page asks for because of one message, besides sending it."""
    paths: list[str] = []

    def note(request: Request) -> None:
        if request.method == "GET":
            paths.append(request.url.partition("/agents/")[2])

    page.wait_for_timeout(LONGEST_DELAY)
    page.on("request", note)
    talk(page, text)
    page.wait_for_timeout(LONGEST_DELAY)
    page.remove_listener("request", note)
    return paths


@pytest.mark.parametrize("tab", ["Context", "Memory", "Queue", "Recall", "Archival", "Runs"])
def test_a_message_makes_an_open_tab_ask_once_at_most(page: Page, tab: str) -> None:
    create_agent(page)
    open_tab(page, tab)
    talk(page, "Hello")
    assert len(asked_for(page, "How are you?")) <= 1


def test_a_closed_inspector_asks_for_nothing_until_it_is_opened(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    create_agent(page)
    talk(page, "Hello")
    assert asked_for(page, "How are you?") == []
    with page.expect_response(lambda answer: "/inspector/context/" in answer.url):
        page.locator("#gauge").click()
    expect(page.locator("#context-tab")).to_be_visible()


def test_a_section_is_loaded_when_it_is_unfolded_and_stays_true(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Context")
    queue = page.locator("#section-queue")
    queue.locator("summary").click()
    expect(queue.locator("pre")).to_contain_text("The person opened the conversation.")
    talk(page, "A word about barometers")
    expect(queue.locator("pre")).to_contain_text("A word about barometers")


def test_the_gauge_is_drawn_from_the_figures_that_come_with_a_step(page: Page) -> None:
    create_agent(page)
    gauge, queue = page.locator("#gauge span").first, page.locator("#gauge .seg-queue")
    before = float(queue.get_attribute("width") or 0)
    talk(page, "Tell me something long about the harbour, " * 20)
    drawn = gauge.inner_text(), float(queue.get_attribute("width") or 0)
    assert drawn[1] > before
    page.reload()
    expect(gauge).to_have_text(drawn[0])
    assert float(queue.get_attribute("width") or 0) == pytest.approx(drawn[1], abs=0.01)
