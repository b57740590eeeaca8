"""Who comes in and how long they stay, in a browser: a code as the second step, another session ended, floods."""

import base64
from time import time

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.page import create_agent, talk

pytestmark = pytest.mark.e2e

PASSWORD = "whale-oil-lamp-7"


def code_of(key: str, steps: int) -> str:
    """What an app with that key shows so many half minutes from now: each opens once, and later ones are good too."""
    totp = TOTP(base64.b32decode(key.replace(" ", "")))
    totp.time = time() + 30 * steps
    return f"{totp.token():06d}"


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_be_focused()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_code_is_the_second_step(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_viewport_size({"width": 390, "height": 844})
    create_agent(page)
    page.get_by_role("button", name="Agents").click()
    account = page.get_by_role("link", name="Account")
    name = account.inner_text()
    account.press("Enter")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The password was changed")).to_be_visible()
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".qr svg")).to_be_visible()
    assert fits(page)
    key = page.locator("#two-factor-key").inner_text()
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That code is not right")
    assert page.locator("#two-factor-key").inner_text() == key
    page.keyboard.type(code_of(key, -1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copy")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    recovery = str(page.evaluate("navigator.clipboard.readText()")).split()
    assert len(recovery) == 10 and fits(page)
    with page.expect_download() as saving:
        page.get_by_role("link", name="Download").click()
    assert saving.value.path().read_text().split() == recovery

    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    page.get_by_role("link", name="Back to your agents").click()
    page.get_by_role("button", name="Agents").click()
    log_out(page)
    log_in(page, name)
    page.keyboard.type(code_of(key, 0))
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("live")

    for outcome in ("live", "used already"):
        page.get_by_role("button", name="Agents").click()
        log_out(page)
        log_in(page, name)
        page.keyboard.type(recovery[0])
        page.keyboard.press("Enter")
        if outcome == "live":
            expect(page.locator("#live")).to_have_text("live")
            continue
        expect(page.get_by_role("alert")).to_contain_text("was used already")
        break


def test_a_session_that_is_ended_elsewhere_says_so(page: Page, context: BrowserContext) -> None:
    create_agent(page)
    open_page = page.url
    with page.expect_popup() as opening:
        page.evaluate("open('/account/')")
    account = opening.value
    browser = context.browser
    assert browser
    phone = browser.new_context(viewport={"width": 390, "height": 844}, user_agent="Phone like iPhone Safari/1")
    try:
        account.get_by_label("New password", exact=True).fill(PASSWORD)
        account.get_by_label("New password confirmation").fill(PASSWORD)
        account.keyboard.press("Enter")
        expect(account.get_by_text("The password was changed")).to_be_visible()
        name = account.get_by_text("Logged in as").inner_text().removeprefix("Logged in as ").strip()
        expect(page.locator("#live")).to_have_text("live")  # it has come back with the new session
        other = phone.new_page()
        other.goto(open_page)
        other.get_by_label("Username").fill(name)
        other.get_by_label("Password").fill(PASSWORD)
        other.keyboard.press("Enter")
        expect(other.locator("#live")).to_have_text("live")
        account.reload()
        account.get_by_role("button", name="Log out Safari on iPhone").click()
        expect(other.get_by_role("alert")).to_contain_text("You were logged out")
        expect(other.get_by_role("heading", name="Log in")).to_be_visible()
        expect(account.locator("#sessions li")).to_have_count(1)
        expect(page.locator("#live")).to_have_text("live")
        talk(page, "Still here?")
    finally:
        phone.close()


SAY = """async ([path, text, times]) => new Promise((done) => {
    const socket = new WebSocket(`ws://${location.host}${path}`);
    socket.onopen = () => { for (let n = 0; n < times; n++) socket.send(text); };
    socket.onclose = (event) => done(event.code);
})"""


@pytest.mark.parametrize(("text", "times", "code"), [("x" * 70_000, 1, 1009), ("{}", 200, 4429)])
def test_a_flood_is_closed_and_the_page_goes_on(page: Page, text: str, times: int, code: int) -> None:
    create_agent(page)
    path = page.locator("#chat").get_attribute("ws-connect")
    assert page.evaluate(SAY, [path, text, times]) == code
    talk(page, "Still here?")


def test_the_page_says_why_its_connection_was_closed(page: Page) -> None:
    create_agent(page)
    page.evaluate("""() => new Promise((done) => {
        document.body.addEventListener('htmx:wsOpen', (event) => {
            for (let n = 0; n < 200; n++) event.detail.socketWrapper.sendImmediately('{}');
            done();
        }, { once: true });
        document.getElementById('chat')['htmx-internal-data'].webSocket.socket.close(4000);
        document.getElementById('chat')['htmx-internal-data'].webSocket.init();
    })""")
    expect(page.locator("#offline")).to_contain_text("this page sent too much at once")
