"""Programs forked from the preloaded parent, the real one."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memweb.stack.children import Child, LineLog
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.exceptions import StackError
from memweb.stack.forking import Forked, PreloadedParent

pytestmark = [pytest.mark.timeout(120), pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")]

PROBE = """
import os, sys, time
what, *arguments = sys.argv[1:]
if what == "tell":
    reactor = "twisted.internet.reactor" in sys.modules
    threads = len(os.listdir(f"/proc/{os.getppid()}/task"))
    print(__name__, arguments, os.getsid(0) == os.getpid(), sys.stdin.read() == "", reactor, threads)
    sys.exit(3)
print("at work")
time.sleep(1000)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


def parent_of(folder: Path, *command: str) -> PreloadedParent:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_FOLDER), "PYTHONUNBUFFERED": "1"}
    return PreloadedParent(
        Child("preloaded", [sys.executable, *command], LineLog("preloaded", folder), environment, folder)
    )


@pytest.fixture
def parent(folder: Path) -> Iterator[PreloadedParent]:
    parent = parent_of(folder, "-m", "memweb.preloaded")
    yield parent
    parent.stop(0)


def program(parent: PreloadedParent, folder: Path, *arguments: str) -> Child:
    child = Child("probe", [sys.executable, "-m", "probe", *arguments], LineLog("probe", folder), fork=parent.fork)
    child.start()
    return child


def says(child: Child, folder: Path, line: str) -> None:
    assert child.process is not None
    while line not in (folder / "probe.log").read_text() if (folder / "probe.log").exists() else True:
        assert child.running
        os.sched_yield()


def test_a_forked_program_is_as_one_that_was_started_and_its_parent_has_one_thread_and_no_loop(
    parent: PreloadedParent, folder: Path
) -> None:
    child = program(parent, folder, "tell", "me")
    assert child.wait(30)
    assert child.poll() == 3
    child.clear_away()
    assert list(child.log.recent) == ["__main__ ['me'] True True False 1"]


def test_one_is_killed_and_started_again_and_another_never_notices(parent: PreloadedParent, folder: Path) -> None:
    first, second = program(parent, folder, "wait"), program(parent, folder, "wait")
    first.signal(signal.SIGKILL)
    assert first.wait(10)
    assert first.poll() == -signal.SIGKILL
    first.start()
    assert first.running and second.running
    for child in (first, second):
        child.stop(5)
        assert not child.running


def test_a_parent_that_dies_takes_its_programs_along_and_the_next_start_makes_another(
    parent: PreloadedParent, folder: Path
) -> None:
    child = program(parent, folder, "wait")
    says(child, folder, "at work")
    assert isinstance(child.process, Forked)
    status = Path(f"/proc/{child.process.pid}/stat").read_text()
    os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)
    assert child.wait(10)
    assert child.poll() == -signal.SIGKILL
    child.start()
    assert child.running
    child.stop(5)


def test_a_parent_that_cannot_start_says_why(folder: Path) -> None:
    parent = parent_of(folder, "-c", "raise SystemExit('the settings are wrong')")
    with pytest.raises(StackError, match="the settings are wrong"):
        parent.fork([sys.executable, "-m", "probe"])
