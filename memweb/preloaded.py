"""The parent of memweb's programs, `python -m memweb.preloaded`: loads what they share, then forks each as it is asked.

Its standard input is a socket to `memweb.stack.forking`, which says what a message holds. It has one thread, no
connection and no event loop, so that a fork takes nothing along that is in use. A child becomes `python -m MODULE`.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys

import django
from setproctitle import setproctitle

from memweb.stack import signs
from memweb.stack.launch import die_with

SHARED = (
    *("memweb.asgi", "memweb.urls", "memweb.celery", "agents.tasks", "agents.llm.connection"),
    *("celery.bin.celery", "celery.apps.worker", "celery.apps.beat", "celery.app.control", "celery.worker.components"),
    *("celery.worker.consumer", "celery.worker.strategy", "celery.concurrency.thread", "kombu.transport.redis"),
    *("memweb.alive", "psycopg_pool", "django.core.cache.backends.redis", "httpcore2", "anyio.streams.tls"),
    *("twisted.web.http", "autobahn.twisted.websocket"),  # of daphne what makes no event loop: one must not be forked
)
LONGEST_REQUEST = 65_536  # bytes


def main() -> None:
    """Returns never in the parent; in a forked child when its program has ended."""
    door = socket.socket(fileno=os.dup(0))
    _load()
    signal.signal(signal.SIGCHLD, lambda _number, _frame: _tell_of_the_dead(door))
    while True:
        request, files, _flags, _address = socket.recv_fds(door, LONGEST_REQUEST, 2)
        if not request:
            sys.exit()  # the supervisor is gone
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # that it started is told before that it ended
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            door.close()
            if len(files) > 1:
                signs.write_into(files[1])
            return become(json.loads(request), output=files[0], parent=parent)
        for file in files:
            os.close(file)
        door.send(json.dumps({"started": pid}).encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _load() -> None:
    django.setup()
    for module in SHARED:
        importlib.import_module(module)
    importlib.import_module("agents.text.tokens").count("")  # its table is a third of what is shared
    gc.collect()
    gc.freeze()  # else the collector would write to every object, and nothing stay shared


def _tell_of_the_dead(door: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        door.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def become(command: list[str], *, output: int, parent: int) -> None:
    """Run `[python, "-m", MODULE, ARGUMENT...]` in this process, in a session of its own that ends with its parent."""
    os.setsid()
    die_with(parent, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, place in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(file, place)
    os.close(nothing)
    os.close(output)
    setproctitle(" ".join(command))
    _python, _m, module, *arguments = command
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
