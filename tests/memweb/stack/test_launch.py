import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memweb.stack.children import LAUNCHER, Child, LineLog

pytestmark = pytest.mark.timeout(60)

ANNOUNCE_AND_WAIT = "import os, time; print(os.getpid(), flush=True); time.sleep(1000)"
# Launches a program the way of macOS, by watching, whatever this machine is.
WATCHING_PARENT = """
import os, subprocess, sys
launcher, program = sys.argv[1:]
code = "import sys, runpy; sys.platform = 'darwin'; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
subprocess.run([sys.executable, "-c", code, launcher, str(os.getpid()), "9", "-", sys.executable, "-c", program])
"""


def ends(pidfd: int) -> bool:
    """True once the process is gone; waits at most ten seconds."""
    readable, _, _ = select.select([pidfd], [], [], 10)
    os.close(pidfd)
    return bool(readable)


def child(tmp_path: Path, code: str) -> Child:
    return Child("child", [sys.executable, "-u", "-c", code], LineLog("child", tmp_path, quiet=True))


def test_where_the_kernel_does_not_help_a_watch_ends_the_program_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCHING_PARENT, str(LAUNCHER), ANNOUNCE_AND_WAIT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        program = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        assert ends(program)


def test_a_program_whose_parent_is_gone_already_is_not_started() -> None:
    answer = subprocess.run(
        [sys.executable, str(LAUNCHER), "1", "9", "-", sys.executable, "-c", "print('ran')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stdout == ""


def test_a_child_has_a_session_of_its_own_so_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    process = child(tmp_path, "import os; print(os.getsid(0) == os.getpid())")
    process.start()
    assert process.wait(10)
    process.clear_away()
    assert list(process.log.recent) == ["True"]


def test_what_a_child_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    """Its pid goes into a file, which is there once the child has ended."""
    code = "import subprocess, sys; left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)']); "
    process = child(tmp_path, f"{code} open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))")
    process.start()
    assert process.wait(10)
    left = os.pidfd_open(int((tmp_path / "pid").read_text()))
    process.clear_away()
    assert ends(left)


def test_a_deaf_child_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = child(tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ANNOUNCE_AND_WAIT}")
    process.start()
    process.stop(0.5)
    assert process.poll() in {-signal.SIGKILL, -signal.SIGTERM}


def test_its_log_is_rotated_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memweb.stack.children.LOG_BYTES", 1_000)
    process = child(tmp_path, "for number in range(200): print('line', number)")
    process.start()
    assert process.wait(10)
    process.clear_away()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "child.log",
        "child.log.1",
        "child.log.2",
        "child.log.3",
    ]


def test_output_that_is_not_text_is_no_obstacle(tmp_path: Path) -> None:
    process = child(tmp_path, "import sys; sys.stdout.buffer.write(b'\\xff\\xfe 100 % {}\\n')")
    process.start()
    assert process.wait(10)
    process.clear_away()
    assert process.log.recent[0].endswith("100 % {}")
