"""Start one program that dies with its parent: `python launch.py PARENT_PID SIGNAL UID:GID PROGRAM ARGUMENT...`

Run by path, not as a module of the package, so it imports the standard library only. UID:GID is `-` to keep the user.
On Linux the kernel sends SIGNAL when the parent dies (PDEATHSIG) and this process becomes the program. Elsewhere it
stays as a watch that asks five times a second whether the parent is still there, and passes signals on. A limit of
memory that the parent set for itself is not the program's.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
WATCH_INTERVAL = 0.2  # seconds
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def main(arguments: list[str]) -> int:
    parent, death_signal, user, *program = arguments
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if user != "-":
        drop_to(user)
    if sys.platform == "linux":
        become(program, parent=int(parent), death_signal=int(death_signal))
    return watch(program, parent=int(parent), death_signal=int(death_signal))


def drop_to(user: str) -> None:
    uid, _, gid = user.partition(":")
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))


def become(program: list[str], *, parent: int, death_signal: int) -> None:
    """Never returns. Set after the change of user, which clears it."""
    die_with(parent, death_signal)
    os.execv(program[0], program)


def die_with(parent: int, death_signal: int) -> None:
    """Have the kernel send this process `death_signal` when `parent` dies; ends it at once where that has happened."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def watch(program: list[str], *, parent: int, death_signal: int) -> int:
    process = subprocess.Popen(program, close_fds=False)  # what was passed to us is for it

    def forward(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    while process.poll() is None:
        if os.getppid() != parent:
            process.send_signal(death_signal)
            return process.wait()
        time.sleep(WATCH_INTERVAL)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
