"""A home as an operator has it: programs run on it, and what its tables and its folder hold."""

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from memweb.stack.backup import database, making
from memweb.stack.env import Env


@contextmanager
def open_folder() -> Iterator[Path]:
    """Temporary, and others may pass it, as PostgreSQL's own user has to; pytest's own folders are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="memweb-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def of(home: Path, url: str | None = None) -> Env:
    return Env(memweb_home=home, database_url=url, memweb_secret_key=None)


def run(*arguments: str, home: Path, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
    """A program of memweb's; `SMALL_DISK` of one that is to fail is in bytes, the most that it can write to a file."""
    limit = int(settings.pop("SMALL_DISK", 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "MEMWEB"))}
    environment |= {
        "MEMWEB_HOME": str(home),
        "MEMWEB_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "memweb.settings",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment | settings,
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done


def content(url: str) -> dict[str, tuple[int, str]]:
    """Of each table: how many rows, and a checksum over all of them."""
    with psycopg.connect(url) as connection:
        return content_of(connection)


def content_of(connection: psycopg.Connection) -> dict[str, tuple[int, str]]:
    """The same, as the connection's transaction sees it."""
    query = sql.SQL("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t")
    return {
        name: connection.execute(query.format(sql.Identifier(name))).fetchone() or (0, "")
        for name in database.tables(connection)
    }


def files(media: Path) -> dict[str, str]:
    found = {path for path in media.rglob("*") if path.is_file() and path.name != making.LOCK}
    return {path.relative_to(media).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
