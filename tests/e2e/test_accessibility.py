"""axe finds nothing on any page, tab or dialog, light and dark; and everything can be done with the keyboard alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from memweb.stack.env import PROJECT_FOLDER
from tests.e2e.page import block, create_agent, open_tab, replies, talk
from tests.product import Product

pytestmark = pytest.mark.e2e

AXE = next((PROJECT_FOLDER / "tests" / "e2e" / "vendor").glob("axe-*.min.js")).read_text()
TABS = ("Context", "Memory", "Queue", "Recall", "Archival", "Runs", "Functions")


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    page.wait_for_function(
        "!document.getAnimations().some(a => a.playState === 'running' && a.effect.getTiming().iterations === 1)"
    )
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    return [f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def both_themes(page: Page, where: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert not violations(page), (where, scheme)


def test_axe_finds_nothing_before_the_login(product: Product, context: BrowserContext) -> None:
    page = context.new_page()
    for path in ("/login/", "/nowhere/"):
        page.goto(f"http://127.0.0.1:{product.port}{path}")
        both_themes(page, path)


def test_axe_finds_nothing_on_the_welcome_page(page: Page) -> None:
    both_themes(page, "welcome")


def test_axe_finds_nothing_on_the_account_page(page: Page) -> None:
    page.get_by_role("link", name="Account").click()
    both_themes(page, "account")
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".qr svg")).to_be_visible()
    both_themes(page, "a new key")


def test_axe_finds_nothing_in_the_conversation_and_any_tab(page: Page) -> None:
    create_agent(page)
    both_themes(page, "empty conversation")
    talk(page, "my name is Ada")
    talk(page, "file this: the lamp was lit in 1871.")
    talk(page, "some code please")
    for summary in page.locator("#timeline-rows summary").all():
        summary.click()
    for tab in TABS:
        open_tab(page, tab)
        for summary in page.locator("#panel details:not(.menu) > summary").all():
            summary.click()
        both_themes(page, tab)


def open_history(page: Page) -> None:
    open_tab(page, "Memory")
    block(page, "human").get_by_label("More about human").click()
    block(page, "human").get_by_role("button", name="History").click()


def open_settings(page: Page) -> None:
    open_tab(page, "Memory")
    block(page, "human").get_by_label("More about human").click()
    block(page, "human").get_by_role("button", name="Settings and sharing").click()


def open_prompt(page: Page) -> None:
    open_tab(page, "Context")
    page.get_by_role("button", name="View the exact prompt").click()


def open_commands(page: Page) -> None:
    page.get_by_label("Message to").fill("/help")
    page.get_by_label("Message to").press("Enter")


def open_tokens(page: Page) -> None:
    page.get_by_role("button", name="Access tokens").click()
    page.get_by_label("Name of a new token").fill("cron")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#new-token")).to_be_visible()


DIALOGS: dict[str, Callable[[Page], None]] = {
    "new agent": lambda page: page.get_by_role("button", name="New agent").click(),
    "palette": lambda page: page.keyboard.press("Control+k"),
    "history": open_history,
    "settings": open_settings,
    "prompt": open_prompt,
    "commands": open_commands,
    "tokens": open_tokens,
}


def test_axe_finds_nothing_in_any_dialog(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    for name, show in DIALOGS.items():
        show(page)
        expect(page.locator("#dialog-body > *").first).to_be_attached()
        both_themes(page, name)
        page.keyboard.press("Escape")
        expect(page.locator("#dialog")).to_be_hidden()


def test_axe_finds_nothing_on_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    create_agent(page)
    talk(page, "my name is Ada")
    both_themes(page, "narrow")
    page.get_by_role("button", name="Open the inspector").click()
    both_themes(page, "narrow, inspector")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the focused element's name contains `wanted`."""
    name = (
        "(({ activeElement: e }) => e.getAttribute('aria-label') || (e.matches('button, summary, a') && e.innerText)"
        " || e.id)(document)"
    )
    for _ in range(80):
        if wanted in str(page.evaluate(name)):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reached {wanted}")


def test_keyboard_only_from_the_first_agent_to_an_upload(page: Page, tmp_path: Path) -> None:
    """Create an agent, chat, stop, edit a block, undo, search archival memory, upload: no mouse."""
    page.keyboard.type("Sam")  # the name has the focus
    press(page, "Enter")
    expect(page.locator("#live")).to_have_text("live")
    page.keyboard.type("something slow please")
    press(page, "Enter")
    expect(page.locator(".draft-reply")).to_contain_text("One")
    press(page, "Alt+s")
    expect(page.get_by_text("Stopped here by you.")).to_be_visible()

    press(page, "Alt+2")
    expect(block(page, "human")).to_be_visible()
    tab_to(page, "Edit human")
    press(page, "Enter")
    expect(page.locator("#memory-tab textarea")).to_be_focused()
    press(page, "Control+a")
    page.keyboard.type("Name: Ada.")
    press(page, "Control+Enter")
    expect(block(page, "human")).to_contain_text("Name: Ada.")
    page.locator("#tab-memory").focus()  # where Alt+2 leads again
    tab_to(page, "More about human")
    press(page, "Enter")
    tab_to(page, "History")
    press(page, "Enter")
    expect(page.get_by_role("dialog")).to_contain_text("History of human")
    tab_to(page, "Undo this edit alone")
    press(page, "Enter")
    expect(block(page, "human")).to_contain_text("Name: not known yet.")
    press(page, "Escape")

    press(page, "Alt+5")
    expect(page.locator("#archival-tab")).to_be_visible()
    expect(page.locator("#files")).to_be_attached()  # what the tab holds is there
    document = tmp_path / "log.txt"
    document.write_text("The harbour master is called Captain Zephyr.")
    tab_to(page, "files")
    expect(page.locator("#files")).to_be_focused()
    # What opens the browser's chooser is the click that a key makes of the input; the chooser itself is the browser's.
    page.evaluate(
        "document.getElementById('files').addEventListener('click', event => {"
        " event.preventDefault(); event.target.dataset.opened = 'yes'; }, {once: true})"
    )
    press(page, "Enter")
    expect(page.locator("#files")).to_have_attribute("data-opened", "yes")
    page.locator("#files").set_input_files(document)
    expect(page.locator("#documents")).to_contain_text("ready", timeout=30_000)
    tab_to(page, "archival-q")
    page.keyboard.type("harbour master")
    expect(page.locator("#archival-results mark").first).to_have_text("harbour")

    press(page, "Alt+m")
    page.keyboard.type("hello")
    press(page, "Enter")
    expect(replies(page).last).to_contain_text("You said: hello")
