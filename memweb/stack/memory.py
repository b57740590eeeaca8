"""How much memory this machine lets us use."""

import os
from pathlib import Path

CONTAINERS_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of Linux's control groups; a number, or "max"


def memory_here() -> int:
    """Bytes in all, whether used or not: the machine's, or what a container may have of it."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(whole, int(CONTAINERS_LIMIT.read_text()))
    except (OSError, ValueError):
        return whole
