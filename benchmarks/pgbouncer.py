"""A PgBouncer before a PostgreSQL server, for a test or a benchmark. It is no part of memweb."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from memweb.stack.plan import free_port

SESSIONS = 8  # of the server, for all clients together
START_SECONDS = 10
PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/bin")  # the first is on nobody's path but root's
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 500
"""


def missing() -> str:
    """Why none can be started here; empty if one can."""
    if _program() is None:
        return "pgbouncer is not installed"
    if os.geteuid() == 0 and subprocess.run([*_AS_SOMEBODY, "true"], capture_output=True).returncode:
        return "pgbouncer does not run as root, and this system has no user namespaces"
    return ""


@contextmanager
def pgbouncer(url: str, mode: str, *, sessions: int = SESSIONS) -> Iterator[str]:
    """The address of the same database behind one in that mode: "session", "transaction"."""
    target = conninfo_to_dict(url)
    listen = free_port()
    with tempfile.TemporaryDirectory(prefix="memweb-pgbouncer-") as folder:
        file, log = Path(folder, "pgbouncer.ini"), Path(folder, "log")
        file.write_text(CONFIGURATION.format(**target, listen=listen, mode=mode, sessions=sessions))
        if os.geteuid() == 0:  # who may come to the door; whom it lets in is the server's to say
            for place in (Path(str(target["host"])), Path(str(target["host"]), f".s.PGSQL.{target['port']}")):
                place.chmod(0o777)
        command = [*(_AS_SOMEBODY if os.geteuid() == 0 else ()), str(_program()), str(file)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _wait(process, listen, log)
            yield f"postgresql://{target['user']}@127.0.0.1:{listen}/{target['dbname']}"
        finally:
            process.terminate()
            process.wait(10)


# To the server it stays the user that it was: our own PostgreSQL lets in nobody else.
_AS_SOMEBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


def _program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=os.pathsep.join(PLACES))


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"pgbouncer did not start: {log.read_text()}")
