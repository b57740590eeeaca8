"""Functions of one's own: a file in the folder, seen and turned on in the page, called by the agent."""

import pytest
from playwright.sync_api import Page, expect

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
    expect(mine.get_by_role("checkbox")).not_to_be_checked()
    mine.get_by_role("checkbox").check()
    expect(mine).not_to_have_class("off")

    send(page, 'call backwards {"text": "lighthouse"}')
    expect(replies(page).last).to_contain_text("esuohthgil")
    expect(mine).to_contain_text("called 2 times lately")
    expect(mine).to_contain_text("1 failed")
    mine.get_by_role("checkbox").uncheck()
    expect(mine).to_have_class("off")
    page.reload()
    open_tab(page, "Functions")
    expect(mine.get_by_role("checkbox")).not_to_be_checked()
