"""Functions of one's own: a file in the folder, seen and turned on in the page, called by the agent."""

import os
import signal

import pytest
from playwright.sync_api import Page, expect

from benchmarks.process_usage import processes_of
from tests.e2e.page import create_agent, open_tab, replies, send, talk
from tests.product import Product

pytestmark = pytest.mark.e2e


def test_a_file_in_the_folder_becomes_a_function_of_an_agent(page: Page, product: Product) -> None:
    written = product.memweb("function", "new", "backwards")
    assert "backwards.py" in written
    assert product.memweb("function", "try", "backwards", "--arguments", '{"text": "lamp"}').strip() == "pmal"
    (product.home / "functions" / "wrong.py").write_text("import nothing_of_that_name")
    create_agent(page)
    talk(page, 'call backwards {"text": "lighthouse"}')
    expect(replies(page).last).not_to_contain_text("esuohthgil")

    open_tab(page, "Functions")
    tab = page.locator("#functions-tab")
    expect(tab.get_by_label("send_message")).to_be_disabled()
    tab.get_by_text("Functions of your own").click()
    tab.get_by_role("button", name="Look at the folder again").click()
    mine = tab.locator("#function-backwards")
    expect(mine).to_contain_text("from backwards.py")
    expect(tab).to_contain_text("wrong.py cannot be used as it is: ModuleNotFoundError")
    expect(mine.get_by_label("backwards")).not_to_be_checked()
    mine.get_by_label("backwards").check()
    expect(mine).not_to_have_class("off")

    send(page, 'call backwards {"text": "lighthouse"}')
    expect(replies(page).last).to_contain_text("esuohthgil")
    expect(mine).to_contain_text("called 2 times lately")
    expect(mine).to_contain_text("1 failed")
    mine.get_by_label("backwards").uncheck()
    expect(mine).to_have_class("off")
    page.reload()
    open_tab(page, "Functions")
    expect(mine.get_by_label("backwards")).not_to_be_checked()


def test_ask_me_first_in_the_page(page: Page, product: Product) -> None:
    product.memweb("function", "new", "echo_back")
    create_agent(page)
    open_tab(page, "Functions")
    tab = page.locator("#functions-tab")
    tab.get_by_text("Functions of your own").click()
    tab.get_by_role("button", name="Look at the folder again").click()
    mine = tab.locator("#function-echo_back")
    mine.get_by_label("echo_back").check()
    mine.get_by_label("ask me before each call").check()
    expect(mine.get_by_label("ask me before each call")).to_be_checked()

    send(page, 'call echo_back {"text": "lamp"}')
    asked = page.locator("#asked .ask")
    expect(asked).to_contain_text("Sam wants to call echo_back")
    expect(asked).to_contain_text('"text": "lamp"')
    expect(page.locator(".call .outcome").last).to_have_text("…")
    os.kill(processes_of(product.process.pid)["worker-runs"], signal.SIGKILL)  # nothing of it is in a worker
    page.reload()
    asked.get_by_role("button", name="Allow", exact=True).click()
    expect(replies(page).last).to_contain_text("I found this: pmal")
    expect(page.locator(".call .outcome").last).to_have_text("ok")
    expect(asked).to_have_count(0)

    send(page, 'call echo_back {"text": "secret"}')
    asked.get_by_placeholder("Why not").fill("It is a secret.")
    asked.get_by_role("button", name="Do not allow").click()
    expect(replies(page).last).to_contain_text("did not allow this call, so nothing was done. It is a secret.")

    send(page, 'call echo_back {"text": "rope"}')
    asked.get_by_role("button", name="Always allow echo_back").click()
    expect(replies(page).last).to_contain_text("I found this: epor")
    send(page, 'call echo_back {"text": "tide"}')
    expect(replies(page).last).to_contain_text("I found this: edit")
    open_tab(page, "Functions")
    expect(mine.get_by_label("ask me before each call")).not_to_be_checked()
