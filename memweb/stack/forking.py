"""Programs forked from one parent that has loaded what they share: a restart takes a moment, memory is counted once.

The parent (`memweb.preloaded`) and this side speak over a socket that keeps messages apart. A request is the program's
command as JSON, with the file its output goes to and, where it shows signs of life, the one for these; the answers are
{"started": PID} and {"ended": PID, "code": CODE}.
Where the parent dies, the kernel ends its children, and the next request starts another parent. Linux only.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from memweb.stack.children import Child
from memweb.stack.diagnosis import how_it_ended, last_words
from memweb.stack.exceptions import StackError

LONGEST_ANSWER = 4096  # bytes
START_TIMEOUT = 90.0  # seconds; a slow disk loads thousands of files in that


class Forked:
    """A forked program's process, as `Child` needs it: what it uses of `subprocess.Popen`."""

    def __init__(self, parent: "PreloadedParent", pid: int, stdout: IO[bytes]) -> None:
        self.pid, self.stdout = pid, stdout
        self._parent = parent
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._code is None:
            self._code = self._parent.code_of(self.pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._parent.listen(left)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens when it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class PreloadedParent:
    """The parent's process; started by the first program, and again after it died."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._socket: socket.socket | None = None
        self._codes: dict[int, int] = {}  # of those that ended and were not asked for yet
        self._alive: set[int] = set()
        self._new: list[int] = []  # started, and not handed out yet

    def fork(self, command: Sequence[str], signs: int | None = None) -> Forked:
        """A process that runs `[python, "-m", MODULE, ...]`. Raises StackError where the parent cannot start."""
        if self._socket is None or not self._child.running:
            self._start()
        assert self._socket is not None
        reading, writing = os.pipe()
        try:
            files = [writing] if signs is None else [writing, signs]
            socket.send_fds(self._socket, [json.dumps(list(command)).encode()], files)
            pid = self._started()
        except OSError as error:
            os.close(reading)
            raise StackError(self._why()) from error
        finally:
            os.close(writing)
        return Forked(self, pid, os.fdopen(reading, "rb"))

    def code_of(self, pid: int) -> int | None:
        """The exit code of a program that ended."""
        self.listen(0)
        return self._codes.pop(pid, None)

    def listen(self, timeout: float | None) -> None:
        """Take in what the parent says, for at most `timeout` seconds until it says anything."""
        try:
            while self._socket is not None:
                self._socket.settimeout(timeout)
                self._take(self._socket.recv(LONGEST_ANSWER))
                timeout = 0
        except (BlockingIOError, TimeoutError):
            pass
        except OSError:
            self._take(b"")

    def stop(self, grace: float) -> None:
        """End it, and with it what it forked."""
        if self._socket is not None:
            self._child.stop(grace)
            self._take(b"")

    def _start(self) -> None:
        self.stop(0)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child.stdin = theirs.fileno()
            self._child.start()

    def _started(self) -> int:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._new:
            if self._socket is None or time.monotonic() > deadline:
                self.stop(0)  # an answer that comes later would be taken for another program's
                raise OSError("no answer")
            self.listen(1)
        return self._new.pop()

    def _take(self, answer: bytes) -> None:
        if not answer:  # it is gone, and the kernel has ended its children
            self._new.clear()
            self._codes |= dict.fromkeys(self._alive, -signal.SIGKILL)
            self._alive.clear()
            if self._socket is not None:
                self._socket.close()
            self._socket = None
            return
        message = json.loads(answer)
        if "started" in message:
            self._new.append(message["started"])
            self._codes.pop(message["started"], None)
            self._alive.add(message["started"])
        else:
            self._alive.discard(message["ended"])
            self._codes[message["ended"]] = message["code"]

    def _why(self) -> str:
        self._child.wait(1)
        self._child.clear_away()  # its last lines too
        return f"{how_it_ended(self._child)} Its last words:\n{last_words(self._child, 15)}"
