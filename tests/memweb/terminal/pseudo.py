"""A person at a terminal: a program in a pseudo terminal whose screen is read as it looks."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

from memweb.stack.env import PROJECT_FOLDER
from tests.processes import until

FOREIGN = {"NO_COLOR", "LC_ALL", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
ENTER, CTRL_C, CTRL_D, ALT_ENTER, UP, TAB = "\r", "\x03", "\x04", "\x1b\r", "\x1b[A", "\t"


class _Screen(pyte.HistoryScreen):
    answer: Any = None

    def write_process_input(self, data: str) -> None:
        """What a terminal says when it is asked, for one where its cursor is."""
        self.answer(data)


class Terminal:
    """`python -m memweb …` at a terminal of `columns` by `rows`."""

    def __init__(
        self, *arguments: str, home: Path, columns: int = 100, rows: int = 40, settings: Mapping[str, str] = {}
    ) -> None:
        self.screen = _Screen(columns, rows, history=5000, ratio=0.5)
        self.stream = pyte.ByteStream(self.screen)
        self.lock = threading.Lock()
        self.received = b""
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        environment = {**kept, "MEMWEB_HOME": str(home), "TERM": "xterm-256color", "LANG": "en_GB.UTF-8", **settings}
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "memweb", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=PROJECT_FOLDER,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.screen.answer = self.press
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                received = os.read(self.master, 65536)
            except OSError:
                return
            if not received:
                return
            with self.lock:
                self.received += received
                self.stream.feed(received)

    def press(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.master, text.encode())

    def say(self, text: str) -> None:
        self.press(text + ENTER)

    @property
    def text(self) -> str:
        """All that can be seen, scrolled back too."""
        with self.lock:
            above = [
                "".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top
            ]
            return "\n".join(line.rstrip() for line in [*above, *self.screen.display])

    @property
    def visible(self) -> str:
        with self.lock:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def shows(self, text: str, seconds: float = 30) -> None:
        try:
            until(lambda: text in self.text, f"“{text}”", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None

    def hides(self, text: str) -> None:
        try:
            until(lambda: text not in self.visible, f"no “{text}”", 30)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.visible}") from None

    def ends(self, seconds: float = 40) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there:\n{self.text}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)
        os.close(self.master)
