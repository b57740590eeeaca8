"""Putting a backup back, into a home and a database that are empty. All of it, or nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from filelock import FileLock, Timeout

from memweb import __version__
from memweb.stack.backup import database, manifest
from memweb.stack.backup.making import HELD, LOCK, bar
from memweb.stack.backup.manifest import DUMP, KEY, Manifest
from memweb.stack.env import Env
from memweb.stack.exceptions import BackupError
from memweb.stack.paths import StackPaths
from memweb.stack.plan import children_environment

OWN = "agents."  # begins the names of memweb's own migrations


def restore(env: Env, source: Path, *, known: Collection[str]) -> Manifest:
    """Check the backup, put it back, and migrate it to this memweb, whose own migrations are `known`.

    Raises `BackupError`, in plain words, when nothing was restored.
    """
    source, paths = source.expanduser().absolute(), StackPaths(env.memweb_home)
    with database.in_plain_words():
        kept = manifest.read(source)
        _refuse_later(kept, known)
        with bar("Checking the backup", kept.size) as progress:
            manifest.check(source, kept, progress.update)
        _refuse_full_home(paths, kept, source)
        with _undone_on_failure(paths), database.running(env, paths, make=True) as url:
            _put_back(env, paths, url, source, kept)
    return kept


def _put_back(env: Env, paths: StackPaths, url: str, source: Path, kept: Manifest) -> None:
    with psycopg.connect(url) as connection:
        _refuse_full_database(connection, kept)
    with ExitStack() as undo:
        _copy_documents(source, paths.media, kept, undo)
        if kept.keys and not paths.secret_key.exists():
            _copy(source / KEY, paths.secret_key, undo)
        with bar("Rows, then indexes") as progress:
            database.load(source / DUMP, url, only=kept.tables_in, count=progress.update)
        undo.callback(database.empty, url)
        with psycopg.connect(url, autocommit=True) as connection:
            if database.counts(connection) != kept.rows:
                raise BackupError("The database does not hold what was put into it: its tables have other rows.")
            database.analyze(connection)
        _migrate(env, paths)
        undo.pop_all()  # it is whole


def _refuse_later(kept: Manifest, known: Collection[str]) -> None:
    unknown = [name for name in kept.migrations if name.startswith(OWN) and name not in known]
    if unknown:
        raise BackupError(
            f"The backup is of memweb {kept.memweb}, whose database has the migration {unknown[0]}; this is memweb "
            f"{__version__}, which does not know it. Install that memweb or a later one, then restore."
        )


def _refuse_full_home(paths: StackPaths, kept: Manifest, source: Path) -> None:
    has_documents = any(path.is_file() and not {HELD, LOCK} & {*path.parts} for path in paths.media.rglob("*"))
    other_key = paths.secret_key.exists() and not (
        kept.keys and paths.secret_key.read_bytes() == (source / KEY).read_bytes()
    )
    if has_documents or other_key:
        what = paths.media if has_documents else paths.secret_key
        raise BackupError(
            f"{paths.home} is not empty: there is {what} already, and nothing was changed. "
            "Set MEMWEB_HOME to another folder, or move what is there away."
        )


def _refuse_full_database(connection: psycopg.Connection, kept: Manifest) -> None:
    database.server_version(connection)
    there = database.tables(connection, "rpvmS")
    if there:
        raise BackupError(
            f"The database is not empty: it has the table {there[0]}{' and others' if len(there) > 1 else ''}, and "
            "nothing was changed. Restore into an empty home (MEMWEB_HOME) or an empty database (DATABASE_URL)."
        )
    schema = database.schema(connection)
    if schema != kept.tables_in:
        raise BackupError(
            f"The backup's tables are in the schema {kept.tables_in}, and this database works in {schema}. "
            f"Make the schema there, and put it first in its search_path."
        )


def _copy_documents(source: Path, media: Path, kept: Manifest, undo: ExitStack) -> None:
    with bar("Documents", sum(entry.size for entry in kept.documents.values())) as progress:
        for name, entry in kept.documents.items():
            _make_folders((media / name).parent, undo)
            _copy(source / name, media / name, undo)
            progress.update(entry.size)


def _make_folders(folder: Path, undo: ExitStack) -> None:
    if not folder.exists():
        _make_folders(folder.parent, undo)
        folder.mkdir(mode=0o700)
        undo.callback(folder.rmdir)


def _copy(source: Path, target: Path, undo: ExitStack) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        undo.callback(target.unlink)
        for chunk in manifest.chunks(source):
            file.write(chunk)


def _migrate(env: Env, paths: StackPaths) -> None:
    command = [sys.executable, "-m", "django", "migrate", "--no-input", "--verbosity", "0"]
    done = subprocess.run(
        command,
        env=children_environment(env, paths),
        cwd=paths.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()[-8:])
        raise BackupError(f"The backup could not be brought up to this memweb {__version__}:\n{words}")


@contextmanager
def _undone_on_failure(paths: StackPaths) -> Iterator[None]:
    """While memweb rests. Takes away again what was made in the home, and in the server's folder where that is another.

    Only what is new at the top: the rest belongs to somebody.
    """
    tops = (paths.home, paths.server_home, paths.run_folder)
    before = {top: set(top.iterdir()) if top.exists() else None for top in tops}
    paths.create()
    try:
        lock = FileLock(paths.lock_file)
        lock.acquire(timeout=0)
    except Timeout:
        raise BackupError(f"memweb is running for {paths.home}. Restore into a home of its own.") from None
    try:
        yield
    except BaseException:
        for top, entries in before.items():
            _only(top, entries)
        raise
    finally:
        lock.release()


def _only(folder: Path, entries: set[Path] | None) -> None:
    """Leave these in the folder, and nothing else; not even the folder where they are None."""
    if entries is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in set(folder.iterdir()) - entries if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
