"""memweb goes on whatever becomes of the terminal it was started in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOW = """
from memweb.stack.children import show
for number in range(3000):
    show(f"line {{number}} " + "x" * 80)
open({!r}, "w").close()
"""


def shown(output: int, done: Path) -> int:
    return subprocess.run([sys.executable, "-c", SHOW.format(str(done))], stdout=output, timeout=60).returncode


def test_a_pipe_that_nobody_reads_ends_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert shown(writer, tmp_path / "done") == 0
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full disk at hand")
def test_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    shown(os.open("/dev/full", os.O_WRONLY), tmp_path / "done")
    assert (tmp_path / "done").exists()
