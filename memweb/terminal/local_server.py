"""A server for this terminal alone: started quietly where none runs, and stopped at the end, however that comes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from memweb.client import MemwebError, home, running_here
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import safe

COMMAND = [sys.executable, "-m", "memweb", "up", "--quiet"]
LONGEST_START = 600.0  # seconds; the first time a database is made
LONGEST_STOP = 40.0
LOOK_AGAIN = 0.1
LAST_LINES = 12
ENDING = (signal.SIGTERM, signal.SIGHUP)


class CannotStart(MemwebError):
    """The server did not start; the text ends with its last lines."""


@contextmanager
def serving(console: Console) -> Iterator[None]:
    """See to it that a server of this machine runs. One that was started for this is stopped at the end."""
    before = {number: signal.signal(number, _end) for number in ENDING}  # an end that runs what is to be run at it
    process = None
    try:
        if running_here() is None:
            with console.status(_("Starting memweb; the first time this takes a minute…")):
                process = _start()
                _wait(process)
        yield
    finally:
        for number in ENDING:  # once is enough
            signal.signal(number, signal.SIG_IGN)
        if process is not None:
            _stop(process)
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def log_file() -> Path:
    """Where a server that was started quietly writes."""
    return home() / "logs" / "run.log"


def _start() -> subprocess.Popen[bytes]:
    file = log_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as output:
            # of a session of its own: Ctrl-C in this terminal is not for it
            return subprocess.Popen(
                COMMAND, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
    except OSError as error:
        raise CannotStart(_("memweb cannot be started: %(why)s") % {"why": error}) from error


def _wait(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_START
    try:
        while running_here() is None:
            if process.poll() is not None:
                raise CannotStart(_("memweb did not start. It said:\n%(lines)s") % {"lines": _last_lines()})
            if time.monotonic() > deadline:
                raise CannotStart(_("memweb does not get ready. It said:\n%(lines)s") % {"lines": _last_lines()})
            time.sleep(LOOK_AGAIN)
    except BaseException:
        _stop(process)
        raise


def _last_lines() -> str:
    lines = safe(log_file().read_text(errors="replace")).strip().splitlines()[-LAST_LINES:]
    return "\n".join(lines) or _("nothing")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            process.kill()  # its children end with it
            process.wait()
