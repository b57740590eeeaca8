import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memweb.stack.children import Child, LineLog
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.local_server import LocalServer, read_local_server, write_local_server
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port
from memweb.stack.signs import Pipe, Question, Silence
from memweb.stack.supervisor import LONGEST_PAUSE, QUICK_DEATHS, Watched
from tests.processes import until

pytestmark = pytest.mark.timeout(60)

ANNOUNCE_AND_WAIT = "import os, time; print('pid', os.getpid()); time.sleep(1000)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ANNOUNCE_AND_WAIT}"


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line from now on that matches; what was said before it is skipped."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} was never said, but: {''.join(seen)}")

    def rest(self) -> str:
        """What it says from now on until it ends, which it does well."""
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        assert self.process.wait(10) == 0
        return said


class Starter:
    def __init__(self, paths: StackPaths) -> None:
        self._home = paths.home
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, *programs: str, port: int | None = None, quiet: bool = False) -> Running:
        port = port or free_port()
        options = ["--quiet"] if quiet else []
        script = Path(__file__).with_name("fake_plan.py")
        process = subprocess.Popen(
            [sys.executable, str(script), *options, str(self._home), str(port), *programs],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT_FOLDER), *sys.path])},
        )
        self.processes.append(process)
        return Running(process, port)


@pytest.fixture
def start(paths: StackPaths) -> Iterator[Starter]:
    starter = Starter(paths)
    yield starter
    for process in starter.processes:
        process.kill()
        process.communicate()


def ends(pidfd: int) -> bool:
    """True once the process is gone; waits at most ten seconds."""
    readable, _, _ = select.select([pidfd], [], [], 10)
    os.close(pidfd)
    return bool(readable)


def test_it_prints_a_login_address_when_the_page_answers(start: Starter) -> None:
    start(f"worker={ANNOUNCE_AND_WAIT}").wait_for(r"http://127.0.0.1/login\?token=abc")


def test_lines_of_a_child_have_its_name_before_them_and_go_to_its_log(start: Starter, paths: StackPaths) -> None:
    start(f"worker={ANNOUNCE_AND_WAIT}").wait_for(r"^worker +\| pid \d+")
    assert "pid" in (paths.logs / "worker.log").read_text()


def test_a_killed_child_is_started_again(start: Starter) -> None:
    running = start(f"worker={ANNOUNCE_AND_WAIT}")
    first = int(running.wait_for(r"pid (\d+)")[1])
    running.wait_for("Press Ctrl-C")
    os.kill(first, signal.SIGKILL)
    running.wait_for("worker ended .SIGKILL.*Starting it again in")
    assert int(running.wait_for(r"pid (\d+)")[1]) != first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_all_children_even_deaf_ones(start: Starter, number: signal.Signals) -> None:
    running = start(f"worker={ANNOUNCE_AND_WAIT}", f"deaf={DEAF}")
    ends_of = [os.pidfd_open(int(running.wait_for(r"pid (\d+)")[1])) for _ in range(2)]
    running.wait_for("Press Ctrl-C")
    running.process.send_signal(number)
    assert all(ends(pidfd) for pidfd in ends_of)
    assert running.process.wait(10) == 0


def test_children_end_with_a_killed_supervisor_and_the_next_one_just_works(start: Starter) -> None:
    running = start(f"deaf={DEAF}")
    child = os.pidfd_open(int(running.wait_for(r"pid (\d+)")[1]))
    running.wait_for("Press Ctrl-C")
    running.process.kill()
    assert ends(child)
    start(f"worker={ANNOUNCE_AND_WAIT}", port=running.port).wait_for("Press Ctrl-C")


def test_a_second_supervisor_starts_nothing_and_prints_the_address(start: Starter) -> None:
    start(f"worker={ANNOUNCE_AND_WAIT}").wait_for("Press Ctrl-C")
    second = start(f"worker={ANNOUNCE_AND_WAIT}")
    second.wait_for("memweb is already running for .*; nothing was started")
    second.wait_for(r"http://127.0.0.1/login\?token=abc")
    assert second.process.wait(10) == 0


def test_programs_on_this_machine_find_it_while_it_runs(start: Starter, paths: StackPaths) -> None:
    running = start(f"worker={ANNOUNCE_AND_WAIT}")
    running.wait_for("memweb is ready")
    assert read_local_server(paths) == LocalServer(
        f"http://127.0.0.1:{running.port}", "memweb-secret", running.process.pid
    )
    assert stat.S_IMODE(paths.local_server.stat().st_mode) == 0o600
    assert not [path for path in paths.logs.iterdir() if "memweb-secret" in path.read_text()]
    start(f"worker={ANNOUNCE_AND_WAIT}").wait_for("already running")  # it leaves the other one's file alone
    assert read_local_server(paths)
    running.process.send_signal(signal.SIGTERM)
    assert "memweb-secret" not in running.rest() and not paths.local_server.exists()


def test_what_a_killed_one_left_is_replaced_and_a_later_ones_is_left_alone(start: Starter, paths: StackPaths) -> None:
    first = start(f"worker={ANNOUNCE_AND_WAIT}")
    first.wait_for("memweb is ready")
    first.process.kill()
    first.process.wait()
    left = read_local_server(paths)
    assert left and left.pid == first.process.pid
    second = start(f"worker={ANNOUNCE_AND_WAIT}", port=first.port)
    second.wait_for("memweb is ready")
    now = read_local_server(paths)
    assert now and now.pid == second.process.pid
    write_local_server(paths, left)
    second.process.send_signal(signal.SIGTERM)
    second.process.wait(20)
    assert read_local_server(paths) == left


def test_a_quiet_one_says_nothing_but_what_went_wrong(start: Starter, paths: StackPaths) -> None:
    running = start(f"worker={ANNOUNCE_AND_WAIT}", quiet=True)
    until(lambda: read_local_server(paths), "a file that tells where it is")
    assert start(f"worker={ANNOUNCE_AND_WAIT}", quiet=True).rest() == ""
    running.process.send_signal(signal.SIGTERM)
    assert running.rest() == ""
    start("broken=raise SystemExit('No module named celery')", quiet=True).wait_for("The installation is not whole")


def test_a_taken_port_is_said_before_anything_is_started(start: Starter, paths: StackPaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        running = start(f"worker={ANNOUNCE_AND_WAIT}", port=port)
        running.wait_for(rf"cannot listen on 127.0.0.1, port {port}: .*MEMWEB_PORT={port + 1}")
        assert running.process.wait(10) == 1
    assert not (paths.logs / "worker.log").exists()


def test_a_child_that_cannot_start_ends_the_start_with_its_last_words(start: Starter) -> None:
    running = start("web2=import socket", "broken=raise SystemExit('No module named celery')")
    running.wait_for("broken ended .exit code 1.. The installation is not whole")


@dataclass
class Flaky:
    """Stands for a child; every start is one more death."""

    starts: int = 0
    alive: bool = False

    def start(self) -> None:
        self.starts += 1

    def watched(self) -> Watched:
        return Watched("flaky", self.start, lambda: self.alive, lambda: "flaky ended.", lambda: "the details")


def test_pauses_grow_while_a_child_keeps_dying(capsys: pytest.CaptureFixture[str]) -> None:
    flaky = Flaky()
    watched = flaky.watched()
    pauses, now = [], 0.0
    for _ in range(9):
        watched.tend(now)
        assert watched.due_at is not None
        pauses.append(watched.due_at - now)
        now = watched.due_at
        watched.tend(now)
    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert capsys.readouterr().out.count("the details") == 1
    assert flaky.starts == 9


def test_a_child_that_had_lived_is_started_again_at_once() -> None:
    flaky = Flaky(alive=True)
    watched = flaky.watched()
    flaky.alive = False
    watched.tend(100.0)
    assert (watched.due_at, watched.quick_deaths) == (100.0, 0)
    watched.tend(100.2)
    watched.tend(101.0)  # it died at its start
    assert watched.due_at == 101.5


@dataclass
class Mouth:
    """Shows a sign of life at every look, as long as it speaks."""

    speaks: bool = False

    def seen(self) -> bool:
        return self.speaks


def silent_after(silence: Silence, start: float, pause: float) -> float | None:
    """When it is found to be silent, looked at every `pause` seconds for a thousand looks."""
    looks = (start + pause * number for number in range(1000))
    return next((now - start for now in looks if silence.is_too_long(now)), None)


def test_silence_is_long_by_the_time_of_who_looks() -> None:
    mouth = Mouth(speaks=True)
    silence = Silence(mouth, 25)
    assert silent_after(silence, 0, 0.2) is None
    mouth.speaks = False
    assert silent_after(silence, 200, 0.2) == pytest.approx(25, abs=0.5)
    mouth.speaks = True
    silence.is_too_long(500)
    mouth.speaks = False
    assert not silence.is_too_long(50_000)  # the machine slept
    assert silent_after(silence, 50_000, 0.2) == pytest.approx(24, abs=0.5)


def test_a_child_that_starts_has_more_time_for_its_first_sign() -> None:
    silence = Silence(Mouth(), 25)
    assert silent_after(silence, 0, 0.5) == pytest.approx(120, abs=1)


def test_a_silent_child_is_ended_and_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    flaky, mouth = Flaky(alive=True), Mouth(speaks=True)
    watched = flaky.watched()
    watched.silence, watched.kill = Silence(mouth, 3), lambda: setattr(flaky, "alive", False)
    for now in range(20):
        watched.tend(float(now))
    assert flaky.alive
    mouth.speaks = False
    for now in range(20, 26):
        watched.tend(float(now))
    assert flaky.starts == 1
    assert "gave no sign of life" in capsys.readouterr().out


def test_a_server_is_asked_on_a_connection_of_its_own(tmp_path: Path) -> None:
    address = str(tmp_path / "server.sock")
    question = Question(address, b"PING")
    assert not question.seen()  # nobody is there
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        question = Question(address, b"PING")
        assert not question.seen()
        connection, _address = server.accept()
        with connection:
            assert connection.recv(4) == b"PING" and not question.seen()
            connection.sendall(b"PONG")
            assert question.seen() and not question.seen()


def test_a_program_shows_signs_into_the_pipe_that_it_was_given(tmp_path: Path) -> None:
    pipe = Pipe()
    show = "from memweb.stack import signs; signs.show()"
    child = Child("teller", [sys.executable, "-c", show], LineLog("teller", tmp_path), folder=PROJECT_FOLDER)
    child.signs = pipe.writing
    assert not pipe.seen()
    child.start()
    assert child.wait(30) and child.poll() == 0
    child.clear_away()
    assert pipe.seen() and not pipe.seen()


def test_a_child_that_lived_long_is_forgiven() -> None:
    flaky = Flaky()
    watched = flaky.watched()
    for now in (0.0, 1.0):
        watched.tend(now)
    assert watched.quick_deaths == 1
    flaky.alive = True
    watched.tend(100.0)
    assert watched.quick_deaths == 0
    assert QUICK_DEATHS > 1
