"""memweb's own processes for tests of the real path: daphne and Celery workers, on the test database."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from django.db import connection

from memweb.stack.env import PROJECT_FOLDER
from tests import plugin

START_SECONDS = 60


def database_url() -> str:
    """Of the database that pytest-django made, for other processes."""
    folder = quote(str(plugin.paths.postgres_socket_folder), safe="/")
    return f"postgresql://memweb@/{connection.settings_dict['NAME']}?host={folder}&port=5432"


class Process:
    """A child that is ended with its whole group. `line` waits for a word in its output."""

    def __init__(self, *command: str, log: Path, **environment: str) -> None:
        self.log = log
        self.command = [sys.executable, "-m", *command]
        self.environment = {**os.environ, "DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1", **environment}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd=PROJECT_FOLDER,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """As a power cut would: no chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def line(self, word: str) -> None:
        until(lambda: word in self.log.read_text(errors="replace"), f"“{word}” in {self.log.read_text()[-2000:]}")


def worker(queue: str, log: Path, *, threads: int = 2, **environment: str) -> Process:
    return Process(
        *("celery", "-A", "memweb.celery", "worker", "-Q", queue, "-P", "threads", "-c", f"{threads}"),
        *("-n", f"{queue}@test", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        log=log,
        **environment,
    )


def beat(folder: Path, **environment: str) -> Process:
    schedule = str(folder / "beat")
    return Process(
        "celery",
        "-A",
        "memweb.beat",
        "beat",
        "--pidfile=",
        "--schedule",
        schedule,
        log=folder / "beat.log",
        **environment,
    )


def web(port: int, log: Path, **environment: str) -> Process:
    return Process("daphne", "-b", "127.0.0.1", "-p", str(port), "memweb.asgi:application", log=log, **environment)


def until(true: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Wait for another process to make something true; there is no event to wait on across processes."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
