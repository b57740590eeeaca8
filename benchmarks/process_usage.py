"""CPU and memory of a process and all of its descendants, by name, from /proc (Linux)."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU in seconds, of ended children too; proportional memory in bytes."""

    cpu: float
    pss: int


def usage_of(root: int) -> dict[str, Usage]:
    """By a short name of the program; those of one name are added up."""
    used: dict[str, Usage] = {}
    for pid in _tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu = sum(map(int, fields[11:15])) / TICKS  # utime, stime, and those of children that were waited for
            pss = _pss(pid)
            name = _name(pid)
        except OSError:  # it ended meanwhile
            continue
        before = used.get(name, Usage(0, 0))
        used[name] = Usage(before.cpu + cpu, before.pss + pss)
    return used


def processes_of(root: int) -> dict[str, int]:
    """Process ids by the same names; of several of one name the eldest, as PostgreSQL's own parent is."""
    found: dict[str, int] = {}
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            found.setdefault(_name(pid), pid)
    return found


def _tree(root: int) -> Iterator[int]:
    yield root
    children: list[str] = []
    with contextlib.suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{root}/task").iterdir():
            children += (task / "children").read_text().split()
    for child in children:
        yield from _tree(int(child))


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\x00", " ").split()
    line = " ".join(words)
    for name in (
        "preloaded",
        "daphne",
        "-Q runs",
        "-Q background",
        "-Q ingest",
        "celery beat",
        "memweb beat",
        "valkey",
        "memweb up",
    ):
        if name in line:
            return (
                name.replace("-Q ", "worker-")
                .replace("celery ", "")
                .replace("memweb beat", "beat")
                .replace("daphne", "web")
            )
    return "postgres" if "postgres" in line else (words or ["?"])[0].rpartition("/")[2]
