"""The parent of the processes that read documents: `python -m agents.ingest.reader SETTINGS`, one for each worker.

It loads what reads files, knows no database, has one thread, and forks a process for each document, which takes a few
milliseconds. Its standard input is a socket to `agents.ingest.reader_process`: a byte and a socket for each document.
That socket holds what is to be read; what comes back are lines of JSON: `["page", number, of]`, `["cut", page, place,
text, said_at]`, of an export `["conversation", key, title, until, json]`, and last `["end"]`, or why there is no end.
When the other side closes it, the reading ends, and when the worker
is gone, everything does.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.utils import timezone, translation

from agents.exceptions import InvalidInput
from agents.ingest import limits
from agents.text import tokens
from agents.text.media_types import EXPORT

WATCH_INTERVAL = 0.2  # seconds
CORE_GRACE = 5  # seconds between being told and being killed


class Reading(NamedTuple):
    """A process that reads: `asked` is the socket of the one who asked for it, `ended` a pipe that closes with it."""

    pid: int
    asked: socket.socket
    ended: int


def main() -> None:
    """Returns in no process."""
    door = socket.socket(fileno=os.dup(0))
    _load(json.loads(sys.argv[1]))
    with selectors.DefaultSelector() as waiting:
        waiting.register(door, selectors.EVENT_READ)
        while True:
            for key, _events in waiting.select():
                if key.data is None:
                    _take(door, waiting)
                elif key.fd == key.data.ended:
                    _bury(key.data, waiting)
                elif key.fd == key.data.asked.fileno():  # nothing more is ever sent: it was closed
                    os.kill(key.data.pid, signal.SIGKILL)
                    waiting.unregister(key.data.asked)


def _load(options: dict[str, Any]) -> None:
    settings.configure(USE_I18N=True, **options)
    apps.populate(())
    importlib.import_module("agents.ingest.reading")
    importlib.import_module("agents.ingest.exports")
    tokens.count("")
    gc.collect()
    gc.freeze()  # else the collector would write to every object, and nothing stay shared


def _take(door: socket.socket, waiting: selectors.BaseSelector) -> None:
    sign, files, _flags, _address = socket.recv_fds(door, 1, 1)
    if not sign:
        os.killpg(0, signal.SIGKILL)  # the worker is gone: all that read for it go, and this process
    asked = socket.socket(fileno=files[0])
    request = json.loads(asked.makefile().readline() or "null")
    if request is None:
        return asked.close()
    ended, alive = os.pipe()
    if (pid := os.fork()) == 0:
        for key in list(waiting.get_map().values()):
            os.close(key.fd)
        os.close(ended)
        _read(request, asked)
    os.close(alive)
    reading = Reading(pid, asked, ended)
    waiting.register(asked, selectors.EVENT_READ, reading)
    waiting.register(ended, selectors.EVENT_READ, reading)
    return None


def _bury(reading: Reading, waiting: selectors.BaseSelector) -> None:
    _pid, status = os.waitpid(reading.pid, 0)
    message = json.dumps(["ended", os.waitstatus_to_exitcode(status)]) + "\n"
    with contextlib.suppress(OSError):  # nobody listens, or not fast enough: that it is closed says the same
        reading.asked.send(message.encode(), socket.MSG_DONTWAIT)
    if reading.asked in {key.fileobj for key in waiting.get_map().values()}:
        waiting.unregister(reading.asked)
    waiting.unregister(reading.ended)
    reading.asked.close()
    os.close(reading.ended)


# In the process that reads


def _read(request: dict[str, Any], asked: socket.socket) -> None:
    """Never returns."""
    lines = asked.makefile("w", encoding="utf-8")

    def say(*message: object) -> None:
        lines.write(json.dumps(message) + "\n")

    try:
        _confine(request["seconds"], request["memory"])
        translation.activate(request["language"])
        timezone.activate(request["zone"])
        if request["media_type"] == EXPORT:
            _tell_conversations(request, say)
        else:
            _tell_pieces(request, say)
        say("end")
    except InvalidInput as error:
        say("refused", str(error))
    except MemoryError:
        say("ended", limits.OUT_OF_MEMORY)
    except OSError as error:
        say("unreadable", error.errno, error.strerror or str(error))
    except BaseException as error:  # noqa: BLE001 - told to the worker, which logs it
        say("fault", type(error).__name__, traceback.format_exc()[-4000:])
    try:
        lines.flush()
    finally:
        os._exit(0)


def _tell_pieces(request: dict[str, Any], say: Any) -> None:
    reading = importlib.import_module("agents.ingest.reading")

    def tell(number: int, pages: int) -> None:
        say("page", number, pages)

    for cut in limits.counted(reading.read(request["path"], request["media_type"], tell)):
        say("cut", *cut)


def _tell_conversations(request: dict[str, Any], say: Any) -> None:
    exports = importlib.import_module("agents.ingest.exports")
    for found in exports.conversations(request["path"]):
        say("conversation", found.key, found.title, found.until, found.as_json())


def _confine(seconds: int, memory: int) -> None:
    """What it may take of the machine; it writes no file, and is the first to go where memory is short."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for place in (0, 1, 2):  # what libraries say of a file may be as long as they like
        os.dup2(nothing, place)
    os.nice(10)
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(kind, (most, most))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    grace = seconds + CORE_GRACE
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, grace if hard == resource.RLIM_INFINITY else min(hard, grace)))
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - before the limits it may take no more
            file.write("1000")
        most = memory + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    else:  # the kernel keeps no such limit
        threading.Thread(target=_watch_memory, args=[memory], daemon=True).start()


def _watch_memory(memory: int) -> None:
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < memory:
        time.sleep(WATCH_INTERVAL)
    os._exit(limits.OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
