"""What people take for granted of a chat page: scrolling, reconnecting, copying, tabs, screens, languages."""

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.e2e.page import add_agent, block_text, create_agent, drop_files, open_tab, point_at, replies, send, talk
from tests.product import Product

pytestmark = pytest.mark.e2e

SCROLL = "document.getElementById('timeline').scrollTop"
FROM_END = "(t => t.scrollHeight - t.scrollTop - t.clientHeight)(document.getElementById('timeline'))"


def test_scrolling_is_free_while_a_reply_streams(page: Page) -> None:
    page.set_viewport_size({"width": 1380, "height": 420})
    create_agent(page)
    for number in range(3):
        talk(page, f"hello {number}")
    send(page, "tell me a long story")
    expect(page.locator(".draft-reply")).to_contain_text("Line 5")
    assert page.evaluate(FROM_END) < 80  # it follows the end
    page.locator("#timeline").hover()
    page.mouse.wheel(0, -2000)
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    place = page.evaluate(SCROLL)
    expect(page.locator(".draft-reply")).to_contain_text("Line 15")
    assert page.evaluate(SCROLL) == place
    page.get_by_role("button", name="Jump to latest").click()
    assert page.evaluate(FROM_END) < 80


def test_a_page_that_was_offline_gets_what_it_missed(page: Page, context: BrowserContext) -> None:
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/ws/**", connect)
    create_agent(page)
    other = context.new_page()
    other.goto(page.url)
    expect(other.locator("#live")).to_have_text("live")
    talk(page, "first")
    expect(replies(other)).to_have_count(1)
    sockets[-1].close(code=1012)
    expect(page.locator("#offline")).to_be_visible()
    talk(other, "second")
    expect(page.locator("#live")).to_have_text("live", timeout=30_000)
    expect(page.locator("#offline")).to_be_hidden()
    expect(replies(page)).to_have_count(2)


def test_enter_in_the_middle_of_an_ime_composition_sends_nothing(page: Page) -> None:
    create_agent(page)
    page.get_by_label("Message to").fill("nihao")
    page.evaluate(
        "document.getElementById('composer-text').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    page.get_by_label("Message to").press("End")
    expect(page.locator("#waiting .row, #timeline-rows .row.user")).to_have_count(0)
    expect(page.get_by_label("Message to")).to_have_value("nihao")


def test_screen_readers_are_told_the_start_and_the_end_not_the_tokens(page: Page) -> None:
    create_agent(page)
    page.evaluate(
        """() => {
            window.told = [];
            new MutationObserver(() => window.told.push(document.getElementById('announcer').textContent))
                .observe(document.getElementById('announcer'), {childList: true, characterData: true, subtree: true});
        }"""
    )
    talk(page, "tell me something slow")
    told = page.evaluate("window.told")
    assert told[0] == "The agent is working."
    assert told[1].startswith("Reply: One word at a time")
    assert len(told) == 2
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_have_attribute("aria-live", "off")


def test_a_reply_and_a_block_of_code_are_copied_and_coloured(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    create_agent(page)
    talk(page, "some code please")
    expect(page.locator(".reply pre .c1")).to_have_text("# lit")
    point_at(page.locator("#timeline-rows .row.assistant").last).get_by_role("button", name="Copy", exact=True).click()
    assert page.evaluate("navigator.clipboard.readText()") == "```python\nlamp = 1871  # lit\n```"
    page.locator(".reply pre").hover()
    page.get_by_role("button", name="Copy code").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == "lamp = 1871  # lit"


def test_a_run_in_circles_ends_by_itself_and_says_why(page: Page) -> None:
    create_agent(page)
    send(page, "go round in circles")
    expect(page.locator("#timeline-rows .alert")).to_contain_text("three times in a row", timeout=30_000)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_thinking_and_calls_are_there_and_folded(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    thinking = page.locator("#timeline-rows .thinking").first
    expect(thinking.locator(".thinking-text")).to_be_hidden()
    thinking.locator("summary").click()
    expect(thinking.locator(".thinking-text")).to_contain_text("They are called Ada.")
    call = page.locator("#timeline-rows .call").first
    call.locator("summary").click()
    expect(call).to_contain_text("core_memory_append")
    expect(call.locator(".result")).to_contain_text("Done.")


def test_the_gauge_shows_each_section_and_any_past_step(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    open_tab(page, "Context")
    expect(page.locator("#context-tab .sections li")).to_have_count(5)
    expect(page.locator("#context-tab .marks").first).to_contain_text("warning mark at 5,734")
    point_at(page.locator("#timeline-rows .row.assistant").last).get_by_role("button", name="Step 2").click()
    expect(page.locator("#step option:checked")).to_contain_text("step 2")
    page.get_by_role("button", name="View the exact prompt").click()
    prompt = page.locator("#prompt")
    expect(prompt).to_contain_text("my name is Ada")
    expect(prompt).not_to_contain_text("Lovely to know that")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to now").click()
    expect(page.locator("#step option:checked")).to_have_text("the next step")


def test_a_result_of_a_search_leads_to_its_place_in_the_conversation(page: Page) -> None:
    create_agent(page)
    talk(page, "the barometer fell")
    talk(page, "something else")
    open_tab(page, "Recall")
    page.get_by_label("Search the conversation").fill("barometer")
    result = page.locator("#recall-results li", has_text="barometer").first
    expect(result.locator("mark")).to_have_text("barometer")
    result.get_by_role("link", name="Show").click()
    expect(page.locator("#timeline .row.pointed")).to_contain_text("the barometer fell")


def test_passages_are_chosen_deleted_and_brought_back(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Archival")
    for text in ("The lamp burns whale oil.", "The key hangs behind the barometer."):
        page.get_by_label("Add a passage").fill(text)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("#archival-results")).to_contain_text(text)
    for box in page.get_by_label("Choose this passage").all():
        box.check()
    expect(page.locator("#bulk-count")).to_have_text("2 chosen")
    page.get_by_role("button", name="Delete the chosen").click()
    expect(page.locator("#archival-results")).to_contain_text("Archival storage is empty.")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#archival-results li.passage")).to_have_count(2)
    page.get_by_label("Edit this passage").first.click()
    page.locator(".passage.editing textarea").fill("The key hangs in the boathouse.")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Search archival storage").fill("boathouse")
    expect(page.locator("#archival-results mark").first).to_have_text("boathouse")


def test_a_conversation_is_exported(page: Page) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    texts = {}
    for label in ("Markdown", "JSON"):
        page.get_by_label("More about Sam").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Export as {label}").click()
        texts[label] = Path(download.value.path()).read_text()
    assert "my name is Ada" in texts["Markdown"] and "Lovely to know that." in texts["Markdown"]
    assert json.loads(texts["JSON"])["core_memory"][1]["value"].endswith("Name: Ada.")


def test_an_exported_agent_is_imported_as_a_new_one(page: Page, tmp_path: Path) -> None:
    create_agent(page)
    talk(page, "my name is Ada")
    page.get_by_label("More about Sam").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as JSON").click()
    file = tmp_path / "sam.json"
    download.value.save_as(file)
    page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Exported agent").set_input_files(file)
    dialog.get_by_role("button", name="Import").click()
    expect(dialog).to_contain_text("already have an agent called “Sam”")
    dialog.get_by_label("Exported agent").set_input_files(file)
    dialog.get_by_label("Another name, if you like").fill("Sam again")
    dialog.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Sam again", level=1)).to_be_visible()
    expect(replies(page)).to_have_text("Lovely to know that. I have written it down.")
    open_tab(page, "Memory")
    expect(block_text(page, "human")).to_contain_text("Name: Ada.")


def test_the_theme_is_the_systems_or_the_persons_own(page: Page) -> None:
    create_agent(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    assert dark != light
    for _ in range(2):  # as the system, light, dark
        page.locator("#theme").click()
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark


def test_on_a_phone_the_chat_is_the_page_and_the_rest_are_drawers(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    create_agent(page)
    talk(page, "my name is Ada")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Open the inspector").click()
    open_tab(page, "Memory")
    expect(page.locator("#memory-tab")).to_contain_text("Name: Ada.")
    page.get_by_role("button", name="Close the inspector").click()
    page.get_by_role("button", name="Agents", exact=True).click()
    expect(page.get_by_role("link", name="Sam")).to_be_visible()


def test_chinese_is_spoken_when_the_browser_asks_and_when_it_is_chosen(product: Product, page: Page) -> None:
    create_agent(page)
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.get_by_role("tab", name="记忆")).to_be_visible()
    expect(page.locator("#live")).to_have_text("在线")  # before its scripts run, Enter sends nothing
    page.locator("#composer-text").fill("my name is Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline-rows .chip")).to_contain_text("记忆已更新")  # what comes over the socket, too
    expect(page.locator("#announcer")).to_contain_text("回复")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Memory")).to_be_visible()


def test_a_browser_that_prefers_chinese_gets_it(product: Product, context: BrowserContext) -> None:
    chinese = context.browser.new_context(locale="zh-CN") if context.browser else context
    page = chinese.new_page()
    page.goto(product.newcomer().login_url)
    expect(page.get_by_role("heading", name="创建你的第一个智能体")).to_be_visible()
    chinese.close()


def test_files_dropped_anywhere_are_uploaded_one_by_one(page: Page) -> None:
    create_agent(page)
    drop_files(page, {"a.txt": "The first dropped file.", "b.md": "# Birds\n\nA gull.", "empty.txt": "", "x.exe": "\0"})
    uploads = page.locator("#uploads .failed")
    expect(uploads).to_have_count(2)
    expect(page.locator("#uploads")).to_contain_text("“empty.txt” is empty.")
    expect(page.locator("#uploads")).to_contain_text("“x.exe” is not a kind of file memweb reads.")
    open_tab(page, "Archival")
    expect(page.locator("#documents li")).to_have_count(2)
    expect(page.locator("#documents")).not_to_contain_text("reading", timeout=30_000)
    drop_files(page, {"again.txt": "The first dropped file."})
    expect(page.locator("#uploads")).to_contain_text("is in this archive already, as “a.txt”")


def test_a_drop_of_500_files_is_refused_whole(page: Page) -> None:
    create_agent(page)
    drop_files(page, {f"{number}.txt": f"File {number}." for number in range(500)})
    expect(page.locator("#toasts")).to_contain_text("more than 200 files")
    open_tab(page, "Archival")
    expect(page.locator("#documents li")).to_have_count(0)


def test_archives_are_made_filled_shared_and_detached(page: Page) -> None:
    create_agent(page)
    open_tab(page, "Archival")
    page.get_by_text("More archives").click()
    page.get_by_label("Name of a new archive").fill("Ship logs")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#archive-list")).to_contain_text("Ship logs")
    page.reload()
    open_tab(page, "Archival")
    page.get_by_label("into").select_option("Ship logs")
    drop_files(page, {"log.txt": "The harbour master is Captain Zephyr."})
    expect(page.locator("#documents")).to_contain_text("ready", timeout=30_000)
    expect(page.locator("#documents")).to_contain_text("Ship logs")
    add_agent(page, "Ada")
    send(page, "/attach ship logs")
    expect(page.locator("#toasts")).to_contain_text("searches “Ship logs” from now on")
    talk(page, "look up the harbour master")
    expect(replies(page).last).to_contain_text("Zephyr")
    open_tab(page, "Archival")
    page.get_by_role("button", name="Detach Ship logs").click()
    expect(page.locator("#archive-list")).not_to_contain_text("Ship logs")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#archive-list")).to_contain_text("Ship logs")


def test_the_page_shows_the_clock_of_the_zone_that_was_set(page: Page) -> None:
    create_agent(page)
    talk(page, "hello")
    said = page.locator("#timeline-rows time").last
    at = datetime.fromisoformat(said.get_attribute("datetime") or "")
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        page.get_by_role("button", name="Time zone").click()
        page.get_by_label("Where you are").fill(zone)
        page.get_by_role("button", name="Save").click()
        expect(said).to_contain_text(f"{at.astimezone(ZoneInfo(zone)):%I:%M}")
    page.get_by_role("button", name="Time zone").click()
    page.get_by_label("Where you are").fill("Atlantis")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "“Atlantis” is not the name of a time zone."
    )
