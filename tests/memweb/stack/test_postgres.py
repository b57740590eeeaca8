import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memweb.stack import postgres as module
from memweb.stack.children import Child
from memweb.stack.exceptions import PlatformError, StackError
from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def server(paths: StackPaths) -> Iterator[Postgres]:
    server = Postgres(paths, quiet=True)
    server.start()
    yield server
    server.stop()


def pid_of(server: Postgres) -> int:
    assert server.child is not None and server.child.process is not None
    return server.child.process.pid


def kill(server: Postgres) -> None:
    os.kill(pid_of(server), signal.SIGKILL)
    assert server.child is not None and server.child.wait(10)


def write_note(server: Postgres, text: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def notes(server: Postgres) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM note ORDER BY text")]


def test_it_has_the_vector_extension_utf8_and_no_network_port(server: Postgres) -> None:
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT '[1,2]'::vector <-> '[1,2]'").fetchone() == (0.0,)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'memweb'"
        ).fetchone() == ("b", "C.UTF-8")


def test_only_its_owner_can_reach_the_socket(server: Postgres, paths: StackPaths) -> None:
    assert paths.postgres_socket_folder.stat().st_mode & 0o777 == 0o700


def test_it_never_runs_as_root(server: Postgres) -> None:
    assert Path(f"/proc/{pid_of(server)}").stat().st_uid != 0


def test_what_was_committed_is_there_after_a_stop(server: Postgres, paths: StackPaths) -> None:
    write_note(server, "one")
    server.stop()
    assert not server.running
    again = Postgres(paths, quiet=True)
    again.start()
    try:
        assert notes(again) == ["one"]
    finally:
        again.stop()


def test_what_was_committed_is_there_after_kill_9(server: Postgres) -> None:
    for text in ("one", "two"):
        write_note(server, text)
        kill(server)
        server.start()
    assert notes(server) == ["one", "two"]


def test_a_session_that_outlives_the_killed_server_does_not_stop_the_next_start(server: Postgres) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SELECT set_config('statement_timeout', '0', false)")
        kill(server)
        server.start()
    write_note(server, "after")
    assert notes(server) == ["after"]


def test_a_pid_file_that_names_another_living_program_is_no_obstacle(server: Postgres, paths: StackPaths) -> None:
    write_note(server, "one")
    kill(server)
    other = Child("other", ["/bin/sleep", "1000"], server._log, user=server._user)
    other.start()
    assert other.process is not None
    file = paths.postgres_data / "postmaster.pid"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(other.process.pid), *lines[1:]]) + "\n")
    server.start()
    assert notes(server) == ["one"]
    assert other.running
    other.stop(1.0)


def test_a_server_left_over_by_somebody_is_ended_first(server: Postgres, paths: StackPaths) -> None:
    write_note(server, "one")
    old, server.child = server.child, None
    assert old is not None and old.poll() is None
    server.start()
    assert old.poll() is not None
    assert notes(server) == ["one"]


def test_a_first_start_that_was_interrupted_starts_anew(paths: StackPaths) -> None:
    paths.create()
    part = paths.postgres_data.with_name(paths.postgres_data.name + ".part")
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")
    server = Postgres(paths, quiet=True)
    server.start()
    server.stop()
    assert not part.exists()


def test_two_managers_of_one_folder_take_turns(server: Postgres, paths: StackPaths) -> None:
    write_note(server, "one")
    second = Postgres(paths, quiet=True)
    waiting = threading.Thread(target=second._take_lock)
    waiting.start()
    assert waiting.is_alive()
    server.stop()
    waiting.join(10)
    assert not waiting.is_alive()
    second.start()
    try:
        assert notes(second) == ["one"]
    finally:
        second.stop()


def test_a_second_manager_says_that_the_folder_is_in_use(
    server: Postgres, paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OLD_SERVER_TIMEOUT", 0.1)
    with pytest.raises(StackError, match="Another memweb is using the database"):
        Postgres(paths, quiet=True).start()
    assert server.running


def test_it_ends_when_its_manager_is_killed(paths: StackPaths) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from memweb.stack.paths import StackPaths; from memweb.stack.postgres import Postgres\n"
        "server = Postgres(StackPaths(Path(sys.argv[1])), quiet=True); server.start()\n"
        "print(server.child.process.pid, flush=True); sys.stdin.read()\n"
    )
    manager = subprocess.Popen(
        [sys.executable, "-c", code, str(paths.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert manager.stdout is not None and manager.stdin is not None
    with manager:
        pid = int(manager.stdout.readline())
        end = os.pidfd_open(pid)
        manager.kill()
        assert signal_of_end(end)
    server = Postgres(paths, quiet=True)
    server.start()
    server.stop()


def signal_of_end(pidfd: int) -> bool:
    """True once the process is gone; waits at most ten seconds."""
    readable, _, _ = select.select([pidfd], [], [], 10)
    os.close(pidfd)
    return bool(readable)


def test_variables_of_another_postgres_do_not_reach_it(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    server = Postgres(paths, quiet=True)
    server.start()
    server.stop()


def test_a_processor_that_is_too_old_is_said_in_plain_words(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def die_of_illegal_instruction(self: Postgres, command: list[str]) -> Child:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
        return Child("postgres", [sys.executable, "-c", code], self._log)

    monkeypatch.setattr(Postgres, "_child", die_of_illegal_instruction)
    with pytest.raises(PlatformError, match="processor does not have"):
        Postgres(paths, quiet=True).start()


def test_a_full_disk_is_said_in_plain_words(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def die_of_a_full_disk(self: Postgres, command: list[str]) -> Child:
        code = "print('initdb: error: could not write file: No space left on device'); raise SystemExit(1)"
        return Child("postgres", [sys.executable, "-c", code], self._log)

    monkeypatch.setattr(Postgres, "_child", die_of_a_full_disk)
    with pytest.raises(StackError, match="is full"):
        Postgres(paths, quiet=True).start()
