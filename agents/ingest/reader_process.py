"""A document read in a process of its own, which may take so much memory and time and no more (see `reader`)."""

import atexit
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.ingest import limits
from agents.ingest.cutting import Cut
from agents.text.media_types import EXPORT

LOOK = 1.0  # seconds of silence after which the caller is asked whether to go on
CHUNK = 65_536  # bytes
GONE = (BrokenPipeError, ConnectionResetError)


class ReadingFault(Exception):
    """A fault of ours in the process that read; the text is its traceback."""


class Unpacked(NamedTuple):
    """A conversation of an export: `until` when it goes, and `text`, what its document is made of."""

    key: str
    title: str
    until: float | None
    text: str


def read(path: str, media_type: str, tell: Callable[[int, int], None], look: Callable[[], None]) -> Iterator[Cut]:
    """The pieces of a file. `tell` gets the page that comes next, of how many; `look` is called while nothing comes,
    and may raise. Raises InvalidInput with why it cannot be read, or OSError."""
    for kind, *said in _answers(path, media_type, look):
        if kind == "cut":
            yield Cut(*said)
        else:
            tell(*said)


def unpack(path: str, look: Callable[[], None]) -> Iterator[Unpacked]:
    """The conversations of an export. Raises as `read`."""
    for _kind, *said in _answers(path, EXPORT, look):
        yield Unpacked(*said)


def _answers(path: str, media_type: str, look: Callable[[], None]) -> Iterator[list[Any]]:
    """All that is said up to the end."""
    seconds = limits.seconds(Path(path).stat().st_size)
    request: dict[str, Any] = {"path": path, "media_type": media_type, "language": translation.get_language()}
    request |= {"seconds": seconds, "memory": limits.MEMORY, "zone": timezone.get_current_timezone_name()}
    with _readers.asked_for(request) as answers:
        for kind, *said in _messages(answers, seconds * limits.WAITING, look):
            if kind in ("cut", "page", "conversation"):
                yield [kind, *said]
            elif kind == "end":
                return
            else:
                raise _failure(kind, said)
    raise _failure("ended", [None])


def _messages(answers: socket.socket, seconds: float, look: Callable[[], None]) -> Iterator[list[Any]]:
    """What the process says, until it has been waited for `seconds`."""
    answers.settimeout(LOOK)
    held, waited = b"", 0.0
    while True:
        began = time.monotonic()
        try:
            chunk = answers.recv(CHUNK)
        except TimeoutError:
            chunk = None
        except ConnectionResetError:
            return
        waited += time.monotonic() - began
        if waited > seconds:
            raise limits.too_slow()
        if chunk is None:
            look()
            continue
        if not chunk:
            return
        *lines, held = (held + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _failure(kind: str, said: list[Any]) -> Exception:
    if kind == "refused":
        return InvalidInput(said[0])
    if kind == "unreadable":
        return OSError(said[0] or errno.EIO, said[1])
    if kind == "fault":
        return ReadingFault(said[1])
    if said[0] == -signal.SIGXCPU:
        return limits.too_slow()
    if said[0] == limits.OUT_OF_MEMORY:
        return limits.too_large()
    return InvalidInput(
        _(
            "Reading it has stopped the program that reads; it is damaged or too large for this computer's memory. "
            "Save it in another format or in parts, and upload that."
        )
    )


class _Readers:
    """The parent of those processes: started for the first document, and again where it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._door: socket.socket | None = None
        self._parent: subprocess.Popen[bytes] | None = None

    def asked_for(self, request: dict[str, Any]) -> socket.socket:
        """A socket on which a process answers; closing it ends the process."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.sendall(json.dumps(request).encode() + b"\n")
            with self._lock:
                try:
                    socket.send_fds(self._opened(), [b"r"], [theirs.fileno()])
                except GONE:  # it ended just now
                    socket.send_fds(self._opened(anew=True), [b"r"], [theirs.fileno()])
        return ours

    def _opened(self, *, anew: bool = False) -> socket.socket:
        if self._door is None or self._parent is None or anew or self._parent.poll() is not None:
            self.close()
            self._door, theirs = socket.socketpair()
            with theirs:
                self._parent = subprocess.Popen(
                    [sys.executable, "-m", "agents.ingest.reader", json.dumps(_options())],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,
                )
        return self._door

    def close(self) -> None:
        """End it, and all that read."""
        if self._door is not None:
            self._door.close()
        if self._parent is not None:
            self._parent.wait()
        self._door = self._parent = None


def _options() -> dict[str, Any]:
    """Django's settings that reading needs: for texts to a person, and to count tokens."""
    names = ("LANGUAGE_CODE", "LANGUAGES")
    paths = {"LOCALE_PATHS": [str(path) for path in settings.LOCALE_PATHS]}
    return (
        {name: getattr(settings, name) for name in names} | paths | {"TIKTOKEN_FOLDER": str(settings.TIKTOKEN_FOLDER)}
    )


def _environment() -> dict[str, str]:
    """No address and no key of ours, and no thread of OpenMP, which a fork would lose."""
    paths = [str(Path(path).absolute()) for path in sys.path]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"} | threads


_readers = _Readers()
atexit.register(_readers.close)
