"""Signs of life: a process that is there but does nothing, stopped or deadlocked, is noticed by its silence.

A program tells: from the loop that does its work it writes a byte into a pipe every few seconds (`show`). A server is
asked: anything that it answers will do (`Question`). Nothing here ever waits.
"""

import os
import socket
import time
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Protocol

VARIABLE = "MEMWEB_SIGNS"  # the pipe that a program writes into, as a file descriptor
EVERY = 3.0  # seconds between two signs
ASK_EVERY = 5.0  # seconds between two questions
FIRST_PATIENCE = 120.0  # seconds from a start to the first sign
LONGEST_LOOK = 1.0  # seconds that count between two looks: whoever did not look was stopped or asleep itself

_pipe: int | None = None
_shown_at = 0.0


def show() -> None:
    """Called from a program's loop as often as it likes; does nothing where nobody listens."""
    global _pipe, _shown_at
    now = time.monotonic()
    if now - _shown_at < EVERY / 2:
        return
    _shown_at = now
    if _pipe is None:
        _pipe = int(os.environ.pop(VARIABLE, "-1"))
    if _pipe >= 0:
        with suppress(OSError):  # full, or read by nobody any more
            os.write(_pipe, b".")


@cache
def this_machine() -> str:
    """Two processes of one number here are one process. Machines, and containers, may have one host name: of Linux the
    start of its kernel and the space of its process numbers count too."""
    parts = [socket.gethostname()[:40]]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return " ".join(parts)


def is_there(process: int) -> bool:
    """Whether a process of this machine has this number, whosever it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def write_into(pipe: int) -> None:
    """Where a program that is forked writes its signs."""
    global _pipe
    _pipe = pipe


class Sign(Protocol):
    """How a process shows that it is at work."""

    def seen(self) -> bool:
        """Whether it did since the last look."""


class Pipe:
    """What a program writes its signs into. It is kept while the program is started again."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self.writing, False)

    def seen(self) -> bool:
        try:
            return bool(os.read(self._reading, 4096))
        except BlockingIOError:
            return False


class Question:
    """Asks a server whether it is there, on a connection of its own, and again some time after it answered."""

    def __init__(self, address: str | tuple[str, int], words: bytes) -> None:
        self._address, self._words = address, words
        self._asked: socket.socket | None = None
        self._due_at = 0.0

    def seen(self) -> bool:
        if self._asked is None:
            self._ask()
            return False
        try:
            answered = bool(self._asked.recv(1))
        except BlockingIOError:
            return False
        except OSError:
            answered = False
        self._asked.close()
        self._asked = None
        return answered

    def _ask(self) -> None:
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + ASK_EVERY
        with suppress(OSError), ExitStack() as undone:
            asked = undone.enter_context(self._connected())
            asked.sendall(self._words)
            asked.setblocking(False)
            undone.pop_all()
            self._asked = asked

    def _connected(self) -> socket.socket:
        """The kernel does that for the server, unless too many wait for it."""
        if isinstance(self._address, tuple):
            return socket.create_connection(self._address, LONGEST_LOOK)
        asked = socket.socket(socket.AF_UNIX)
        asked.settimeout(LONGEST_LOOK)
        try:
            asked.connect(self._address)
        except OSError:
            asked.close()
            raise
        return asked


class Silence:
    """How long a process has shown no sign of life, by the clock of who looks.

    Only time between two looks that follow each other counts: a machine that sleeps, or is so busy that the supervisor
    itself hardly runs, makes nobody silent.
    """

    def __init__(self, sign: Sign, longest: float) -> None:
        self._sign, self._longest = sign, longest
        self._seconds, self._looked_at, self._known = 0.0, 0.0, False

    def begin(self) -> None:
        """It was started: the first sign may take longer."""
        self._seconds, self._known = 0.0, False

    def is_too_long(self, now: float) -> bool:
        """To be asked often, with monotonic seconds. Once it was true it begins anew."""
        self._seconds += min(now - self._looked_at, LONGEST_LOOK)
        self._looked_at = now
        if self._sign.seen():
            self._seconds, self._known = 0.0, True
        if self._seconds <= (self._longest if self._known else max(self._longest, FIRST_PATIENCE)):
            return False
        self._seconds = 0.0
        return True
