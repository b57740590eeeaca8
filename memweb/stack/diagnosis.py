"""What memweb itself says at the terminal, and why a program ended, in plain words."""

import signal
import sys

from memweb.stack.children import Child, show
from memweb.stack.env import IN_CHECKOUT

REINSTALL = "The installation is not whole. Stop memweb, then " + (
    "run `make clean` and `make run`." if IN_CHECKOUT else "install it anew into an empty virtualenv."
)
REASONS = (
    ("No space left on device", "The disk is full. Make room, memweb goes on by itself."),
    ("Address already in use", "Its port is taken by another program. Set MEMWEB_PORT to a free one."),
    ("No module named", REINSTALL),
    ("Cannot allocate memory", "There is not enough memory. Close other programs, memweb goes on by itself."),
)


def say(text: str) -> None:
    """One line (or several) of our own, set off from the children's."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for line in text.splitlines():
        show(f"{bold}{'memweb':<17} | {line}{plain}")


def how_it_ended(child: Child) -> str:
    """`web ended (exit code 1).`, with the reason where its last lines give one."""
    code = child.poll()
    what = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
    lines = "\n".join(child.log.recent)
    reason = next((f" {words}" for sign, words in REASONS if sign in lines), "")
    if code == -signal.SIGILL:
        reason = " A library it uses was built for a newer processor than this machine's."
    if code == -signal.SIGKILL:
        reason = " It was killed, perhaps by the system for want of memory."
    return f"{child.name} ended ({what}).{reason}"


def last_words(child: Child, count: int = 8) -> str:
    return "\n".join(f"  {line}" for line in list(child.log.recent)[-count:])
