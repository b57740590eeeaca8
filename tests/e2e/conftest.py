"""The whole product, as `make run` starts it, on the test database, and a real browser before it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from agents.llm.scripted import ScriptedServer
from tests.e2e.brain import brain
from tests.processes import answers, beat, until, web, worker

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        pytest.fail("The browser tests need chromium: apt-get install chromium, or .ci/run, which does it.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=path, args=[*QUIET, "--disable-component-update", "--disable-sync"]
        )


@pytest.fixture
def memweb(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a running memweb with workers and a scripted model."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    call_command("loaddata_presets")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MEMWEB_PORT", str(port))
    with ExitStack() as stack:
        model = stack.enter_context(ScriptedServer(brain))
        environment = {"OPENAI_BASE_URL": model.url, "MEMWEB_CONTEXT_WINDOW": "8192", "MEMWEB_PORT": str(port)}
        url = f"http://127.0.0.1:{port}"
        for process in (
            web(port, tmp_path / "web.log", **environment),
            worker("runs", tmp_path / "runs.log", **environment),
            worker("background", tmp_path / "background.log", **environment),
            beat(tmp_path, **environment),
        ):
            stack.enter_context(process)
        until(lambda: answers(f"{url}/login/"), "the web process answers")
        yield url


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1380, "height": 860})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(memweb: str, context: BrowserContext) -> Iterator[Page]:
    """Logged in as the owner through the printed address; fails the test on any error in the console."""
    page = context.new_page()
    errors = watch(page)
    page.goto(login_url(memweb))
    yield page
    assert not errors


def watch(page: Page) -> list[str]:
    """Every error in the page or its console is collected; the `page` fixture fails the test on any."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    return errors


def login_url(address: str) -> str:
    output = StringIO()
    call_command("login_url", stdout=output)
    path = output.getvalue().strip().split("/", 3)[3]
    return f"{address}/{path}"
