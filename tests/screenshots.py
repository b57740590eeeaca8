"""The pictures of README, taken of the real product with a scripted model: `make screenshots`."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from agents.llm.scripted import ScriptedServer
from memweb.stack.env import PROJECT_FOLDER
from tests.brain import brain
from tests.e2e.conftest import CHROMIUM, QUIET
from tests.e2e.page import add_agent, create_agent, drop_files, open_tab, pdf, send, talk
from tests.product import Product

FOLDER = PROJECT_FOLDER / "docs"
SIZE = ViewportSize(width=1280, height=800)
FRAME_MS = 120  # of the animation
HANDBOOK = "# Lighthouse\n\nThe lamp was lit in 1871. It burns whale oil; a barrel lasts nine nights."


@contextmanager
def product() -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="memweb-pictures-"))
    home.chmod(0o711)
    with ScriptedServer(brain) as model:
        running = Product(home, model)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def visit(browser: Browser, running: Product, *, language: str = "en", dark: bool = False, phone: bool = False) -> Page:
    size = ViewportSize(width=390, height=844) if phone else SIZE
    context = browser.new_context(
        viewport=size, locale=language, color_scheme="dark" if dark else "light", device_scale_factor=1
    )
    page = context.new_page()
    page.goto(running.newcomer().login_url)
    return page


def picture(page: Page, name: str) -> None:
    page.wait_for_timeout(2600)  # until what draws the eye has faded and toasts are read
    page.screenshot(path=FOLDER / name)
    print(name)


def of_memory(page: Page) -> None:
    create_agent(page)
    add_agent(page, "Ada's tutor")
    page.get_by_role("link", name="Sam").click()
    expect(page.locator("#live")).to_have_text("live")
    open_tab(page, "Memory")
    animate(page, "memory-edit.webp")
    talk(page, "I moved to Lisbon last week.")
    page.locator("#timeline-rows .chip summary").last.click()
    picture(page, "memory.png")
    page.locator("#memory-tab").get_by_label("More about human").click()
    page.locator("#memory-tab").get_by_role("button", name="History").last.click()
    picture(page, "history.png")


def animate(page: Page, name: str) -> None:
    """A memory edit as it happens, frame by frame."""
    frames = [frame(page)]
    page.get_by_label("Message to").press_sequentially("Hello! My name is Ada.", delay=10)
    frames.append(frame(page))
    page.keyboard.press("Enter")
    for _ in range(24):
        frames.append(frame(page))
        page.wait_for_timeout(FRAME_MS)
    frames[0].save(
        FOLDER / name,
        save_all=True,
        append_images=frames[1:],
        duration=[1200, 900, *[FRAME_MS] * 23, 2500],
        loop=0,
        quality=70,
    )
    print(name)


def frame(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((960, 600), Image.Resampling.LANCZOS)


def of_archival(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Archival")
    with tempfile.TemporaryDirectory() as folder:
        page.locator("#files").set_input_files(pdf(Path(folder) / "keeper's log.pdf", 24))
        drop_files(page, {"handbook.md": HANDBOOK})
        expect(page.locator("#documents")).to_contain_text("ready · 24 pages", timeout=60_000)
    page.get_by_label("Search archival storage").fill("harbour master of quay 7")
    expect(page.locator("#archival-results mark").first).to_be_visible()
    send(page, "look up the harbour master of quay 7")
    expect(page.locator("#timeline-rows .reply")).to_contain_text("Zephyr")
    picture(page, "archival.png")


def of_context(page: Page) -> None:
    create_agent(page)
    for text in ("my name is Ada", "I moved to Lisbon", "file this: the lamp was lit in 1871", "some code please"):
        talk(page, text)
    open_tab(page, "Context")
    picture(page, "context-dark.png")


def of_chinese(page: Page) -> None:
    page.locator("#id_name").fill("小山")
    page.locator("#first-agent button[type=submit]").click()
    for text in ("你好！my name is Ada", "file this: 灯塔建于 1871 年。"):
        page.locator("#composer-text").fill(text)
        page.keyboard.press("Enter")
        expect(page.locator("#stop")).to_be_visible()
        expect(page.locator("#stop")).to_be_hidden()
    page.locator("#tab-memory").click()
    picture(page, "memory-zh.png")


def of_phone(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    page.get_by_role("button", name="Open the inspector").click()
    open_tab(page, "Memory")
    picture(page, "phone-dark.png")


def main() -> None:
    path = next(path for path in CHROMIUM if Path(path).exists())
    with product() as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        of_memory(visit(browser, running))
        of_archival(visit(browser, running))
        of_context(visit(browser, running, dark=True))
        of_chinese(visit(browser, running, language="zh-CN"))
        of_phone(visit(browser, running, dark=True, phone=True))
        browser.close()


if __name__ == "__main__":
    main()
