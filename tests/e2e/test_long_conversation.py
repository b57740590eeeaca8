"""A conversation of thousands of messages is as light as a short one: a page of it at a time."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page import create_agent, open_tab, talk
from tests.product import Product

pytestmark = pytest.mark.e2e

GROW = """
from django.utils import timezone
from agents.external_context import recall_storage
from agents.models import Agent, Message
agent = Agent.objects.get(pk="{agent}")
rows = [
    Message(agent=agent, seq=n, kind="user_message", content=f"Entry {{n}} of the log.", created_at=timezone.now())
    for n in range(2, 3002)
]
for row in rows[:3]:
    row.content += " The barometer fell."
    recall_storage.index_words(row)
Message.objects.bulk_create(rows)
Agent.objects.filter(pk=agent.pk).update(next_seq=3002, queue_start=2990)
"""
ROWS = "#timeline .row.user"
FROM_END = "(t => t.scrollHeight - t.scrollTop)(document.getElementById('timeline'))"


def test_a_long_conversation_is_drawn_a_page_at_a_time(page: Page, product: Product) -> None:
    create_agent(page)
    product.manage("shell", "--no-imports", "-c", GROW.format(agent=page.url.rstrip("/").rpartition("/")[2]))
    page.reload()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator(ROWS)).to_have_count(60)
    talk(page, "hello")
    newest = page.locator(ROWS).last
    expect(newest).to_contain_text("hello")

    for count in (121, 181):  # scrolling up brings the page before, and what was read stays where it was
        place = page.evaluate(FROM_END)
        page.locator("#timeline").hover()
        page.mouse.wheel(0, -100_000)
        expect(page.locator(ROWS)).to_have_count(count)
        assert page.evaluate(FROM_END) >= place

    open_tab(page, "Recall")
    page.get_by_label("Search the conversation").fill("barometer")
    result = page.locator("#recall-results li", has_text="Entry 2 of the log").first
    result.get_by_role("link", name="Show").click()
    expect(page.locator("#timeline .row.pointed")).to_contain_text("Entry 2 of the log. The barometer fell.")
    page.get_by_role("button", name="Show later messages").click()
    expect(page.locator("#timeline")).to_contain_text("Entry 80 of the log.")
    expect(page.locator(ROWS).last).to_contain_text("hello")
