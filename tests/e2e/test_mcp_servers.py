"""MCP servers: added in the page, their functions turned on, asked about and called; killed in the middle of it all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from agents.llm.scripted import ScriptedServer
from benchmarks.process_usage import processes_of
from memweb.stack.plan import free_port
from tests.brain import brain
from tests.e2e.page import answer_yes, create_agent, open_tab, replies, send
from tests.processes import until
from tests.product import Product

pytestmark = pytest.mark.e2e
PROGRAM = Path(__file__).parent.parent / "mcp_server.py"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One whose operator allows servers on this machine."""
    home = tmp_path_factory.mktemp("home")
    with ScriptedServer(brain) as model, Product(home, model, MEMWEB_MCP_ALLOW_PRIVATE="true") as product:
        yield product


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    path = tmp_path / "counted"
    path.touch()
    return path


@pytest.fixture
def by_http(counted: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(port)], env={**os.environ, "COUNTED": str(counted)})
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


def open_servers(page: Page) -> Locator:
    open_tab(page, "Functions")
    page.locator("#functions-tab").get_by_role("button", name="MCP servers").click()
    return page.locator("#dialog-body")


def add(page: Page, name: str, address: str, secrets: str = "") -> Locator:
    dialog = open_servers(page)
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("URL").fill(address)
    dialog.get_by_label("Headers or environment").fill(secrets)
    dialog.get_by_role("button", name="Add", exact=True).click()
    return dialog


def turn_on(page: Page, name: str) -> Locator:
    row = page.locator(f"#function-{name}")
    row.get_by_label(name, exact=True).check()
    expect(row.get_by_label(name, exact=True)).to_be_checked()
    return row


def test_a_server_is_added_its_functions_asked_about_and_called(
    page: Page, product: Product, counted: Path, by_http: str
) -> None:
    create_agent(page)
    dialog = add(page, "two words", by_http)
    expect(dialog.get_by_role("alert")).to_contain_text("A name has up to 32 letters")
    dialog.get_by_label("Name").fill("birds")
    dialog.get_by_role("button", name="Add", exact=True).click()
    row = dialog.locator("li", has_text="birds")
    expect(row).to_contain_text("8 functions")
    page.keyboard.press("Escape")

    lookup = turn_on(page, "lookup")
    expect(lookup).to_contain_text("from birds")
    expect(lookup.get_by_label("ask me before each call")).not_to_be_checked()
    expect(turn_on(page, "count").get_by_label("ask me before each call")).to_be_checked()
    send(page, 'call lookup {"word": "heron"}')
    expect(replies(page).last).to_contain_text("heron is a bird.")
    send(page, 'call count {"word": "owl"}')
    page.locator("#asked .ask").get_by_role("button", name="Allow", exact=True).click()
    expect(replies(page).last).to_contain_text("Counted owl.")
    assert counted.read_text() == "owl\n"

    dialog = open_servers(page)
    dialog.get_by_role("button", name="Change birds").click()
    expect(dialog.get_by_label("URL")).to_have_value(by_http)
    dialog.get_by_label("URL").fill("http://127.0.0.1:9/mcp")
    dialog.get_by_role("button", name="Keep", exact=True).click()
    expect(row).to_contain_text("No server answers at 127.0.0.1:9.")
    dialog.get_by_role("button", name="Remove birds").click()
    answer_yes(page)
    expect(dialog).to_contain_text("There are none yet.")
    page.keyboard.press("Escape")
    send(page, 'call lookup {"word": "heron"}')
    expect(replies(page).last).to_contain_text("no function “lookup”")


@pytest.mark.parametrize("struck", ["worker", "server"])
def test_a_program_and_its_worker_killed_in_the_middle_of_a_call(
    page: Page, product: Product, counted: Path, struck: str
) -> None:
    create_agent(page)
    name = f"birds_{struck}"
    command = f"{sys.executable} {PROGRAM}"
    dialog = add(page, name, command, f"COUNTED={counted}\nPYTHONPATH={PROGRAM.parent.parent}")
    expect(dialog.locator("li", has_text=name)).to_contain_text("8 functions")
    page.keyboard.press("Escape")
    slow = page.locator("li", has_text=f"from {name}").filter(has_text="take long")
    label = slow.locator("code").inner_text()
    turn_on(page, label)
    slow.get_by_label("ask me before each call").uncheck()
    send(page, f'call {label} {{"word": "once"}}')
    until(lambda: counted.read_text() == "once\n", "the call", 60)
    worker = processes_of(product.process.pid)["worker-runs"]
    server = int(Path(f"{counted}.pid").read_text())
    os.kill(worker if struck == "worker" else server, signal.SIGKILL)
    expect(replies(page).last).to_contain_text("nobody knows" if struck == "worker" else "Nobody knows", timeout=60_000)
    assert counted.read_text() == "once\n"
    send(page, f'call {label} {{"word": "again", "seconds": 0}}')
    expect(replies(page).last).to_contain_text("Counted slowly.", timeout=60_000)
    assert counted.read_text() == "once\nagain\n"
