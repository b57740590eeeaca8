"""A real browser, with the product open in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.product import Product

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        pytest.fail("The browser tests need chromium: apt-get install chromium, or .ci/run, which does it.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=path, args=[*QUIET, "--disable-component-update", "--disable-sync"]
        )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1380, "height": 860})
    context.set_default_timeout(20_000)
    yield context
    context.close()


def left(line: str) -> bool:
    """htmx says so when the page is left while it asks for something."""
    return line.startswith(("htmx:sendAbort", "htmx:afterRequest"))


@pytest.fixture
def page(product: Product, context: BrowserContext) -> Iterator[Page]:
    """Logged in as a new person; fails the test on any error in the page or its console."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" and not left(line.text) else None)
    page.goto(product.newcomer().login_url)
    yield page
    assert not errors


@pytest.fixture
def owner(product: Product, page: Page) -> Page:
    """The owner's page, for whom programs on this machine speak. They came in by the address that memweb printed when
    it started, which works once: their cookies are kept for all tests."""
    page.context.clear_cookies()
    if product.owners_cookies is None:
        page.goto(product.printed_login_url())
        product.owners_cookies = page.context.cookies()
    page.context.add_cookies(product.owners_cookies)  # type: ignore[arg-type]
    page.goto(product.url)
    return page
