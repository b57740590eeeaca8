"""One child process: its own session, dies with us, its lines go to the terminal with a prefix and to a log file."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Protocol

from memweb.stack import signs

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_BYTES = 2_000_000  # per file, then it is rotated
LOG_FILES = 3
REMEMBERED_LINES = 40  # for saying why a child died
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


class _QuietRotatingFileHandler(RotatingFileHandler):
    """A full disk must not stop the pump: a child whose pipe nobody empties hangs."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line."""


def show(line: str) -> None:
    """At the terminal, if it takes the line: a full disk loses it, a pipe that nobody reads all that follow."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


@dataclass
class LineLog:
    """Where a child's lines go: terminal (unless `quiet`), `<folder>/<name>.log`, and a short memory.

    What a child says in `secret` is only remembered.
    """

    name: str
    folder: Path
    quiet: bool = False
    secret: bool = False
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LINES))

    def __post_init__(self) -> None:
        self._handler = _QuietRotatingFileHandler(
            self.folder / f"{self.name}.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, delay=True, encoding="utf-8"
        )
        self._prefix = f"{self.name:<17} | "
        if sys.stdout.isatty():
            colour = COLOURS[sum(self.name.encode()) % len(COLOURS)]
            self._prefix = f"\033[{colour}m{self._prefix}\033[0m"

    def pump(self, stream: IO[bytes]) -> None:
        """Read lines until the child closes its output. Runs in a thread of its own."""
        try:
            with stream:
                for raw in stream:
                    self.write(raw.decode("utf-8", errors="replace").rstrip("\r\n"))
        finally:
            self._handler.close()

    def write(self, line: str) -> None:
        self.recent.append(line)
        if self.secret:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        structured = line.startswith("{")  # such a line tells its time, and is for programs to read
        self._handler.emit(logging.makeLogRecord({"msg": line if structured else f"{stamp} {line}"}))
        if not self.quiet:
            show(line if structured else f"{self._prefix}{line}")


class Process(Protocol):
    """What is asked of a process: what `subprocess.Popen` offers."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...


@dataclass
class Child:
    """A program to run, and the process while it runs.

    `start` must be called from a thread that outlives the child (the main one): Linux sends the death signal when the
    *thread* that made the child ends. `user` is (uid, gid) to drop to; only root can. Where `fork` is given, it makes
    the process, and what only concerns a new program (environment, folder, user, standard input) does not count.
    `signs` is a file that the program is to write signs of life into (`memweb.stack.signs`).
    """

    name: str
    command: Sequence[str]
    log: LineLog
    environment: Mapping[str, str] | None = None
    folder: Path = Path("/")
    user: tuple[int, int] | None = None
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM
    stdin: int = subprocess.DEVNULL
    fork: Callable[[Sequence[str], int | None], Process] | None = None
    signs: int | None = None
    process: Process | None = None
    started_at: float = 0.0  # time.monotonic()

    def start(self) -> None:
        self.clear_away()  # what an earlier process of this child left behind
        self.log.recent.clear()
        self.process = self.fork(self.command, self.signs) if self.fork else self._launch()
        self.started_at = time.monotonic()
        assert self.process.stdout is not None
        self._pump = threading.Thread(target=self.log.pump, args=(self.process.stdout,), daemon=True)
        self._pump.start()

    def _launch(self) -> Process:
        user = "-" if self.user is None else f"{self.user[0]}:{self.user[1]}"
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(self.death_signal)), user]
        environment = dict(os.environ if self.environment is None else self.environment)
        if self.signs is not None:
            environment[signs.VARIABLE] = str(self.signs)
        return subprocess.Popen(
            [*launch, *self.command],
            pass_fds=() if self.signs is None else (self.signs,),
            stdin=self.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )

    def poll(self) -> int | None:
        """The exit code, or None while it runs. A child that was never started has exit code 0."""
        return 0 if self.process is None else self.process.poll()

    @property
    def running(self) -> bool:
        return self.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To the child alone; nothing when it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout: float) -> bool:
        """True when it ended within `timeout` seconds."""
        if self.process is None:
            return True
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def clear_away(self) -> None:
        """SIGKILL what is left of its session, and let the last lines through."""
        if self.process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pump.join(1.0)

    def stop(self, grace: float) -> None:
        """Ask, wait `grace` seconds, then kill."""
        self.signal(self.stop_signal)
        self.wait(grace)
        self.clear_away()


def stop_all(children: Sequence[Child], grace: float) -> None:
    """Ask all at once, share one `grace` (seconds) between them, then kill what is left."""
    for child in children:
        child.signal(child.stop_signal)
    deadline = time.monotonic() + grace
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.clear_away()
