"""Making a backup while memweb runs.

Which comes first, rows or files? Neither alone will do: with files first, a document uploaded meanwhile has a row and
no file; with rows first, so has one that is deleted before its file is copied. So for a moment nobody may add or delete
documents: meanwhile the snapshot of the rows is taken and every file that they name gets a second name (a hard link).
After that the rows are dumped in that snapshot and the files copied by their second names, as long as it takes: a file
never changes.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn

import psycopg
from filelock import FileLock, Timeout
from tqdm import tqdm

from memweb import __version__
from memweb.stack.backup import database, manifest
from memweb.stack.backup.manifest import CHECKSUM, DUMP, FORMAT, KEY, NAME, Count, Entry, Manifest
from memweb.stack.env import Env
from memweb.stack.exceptions import BackupUnderWay
from memweb.stack.paths import StackPaths, make_folder

PART = ".part"  # ends the name of a backup that is not whole
HELD = ".backup"  # in the folder of documents: their second names
LOCK = ".backup.lock"  # likewise: machines that share the documents make one backup at a time
PATIENCE = "30s"  # for whoever is adding a document


@dataclass(frozen=True)
class Document:
    """A file that a row names. `held` is its second name; None where there is no such file."""

    name: str
    sha256: str
    held: Path | None


@dataclass
class _Written:
    """A backup as it grows. `former` is the backup before it: documents that it has need no second copy."""

    folder: Path
    former: Path | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def bar(what: str, total: int | None = None) -> "tqdm[NoReturn]":
    """Of bytes; it is drawn for what takes longer than a second, where somebody looks."""
    return tqdm(total=total, desc=what, unit="B", unit_scale=True, delay=1, disable=None, leave=False)


def make(env: Env, into: Path, *, kind: str, keys: bool = True) -> tuple[Path, Manifest]:
    """A new folder in `into`, read back and found whole. Raises `BackupError` in plain words."""
    paths = StackPaths(env.memweb_home)
    into = into.expanduser().absolute()
    with database.in_plain_words(), database.running(env, paths) as url:
        paths.create()
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(paths.media / LOCK), _alone(into / ".lock"):
            for left_over in into.glob(f"memweb-*{PART}"):  # of one that was killed
                shutil.rmtree(left_over)
            former = next(reversed(whole_ones(into)), None)
            whole = into / f"memweb-{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
            part = whole.with_name(whole.name + PART)
            part.mkdir(mode=0o700)
            try:
                made = _write(_Written(part, former), env, paths, url, kind=kind, keys=keys)
                with bar("Reading it back", made.size) as progress:
                    manifest.check(part, manifest.read(part), progress.update)
                os.sync()
                part.rename(whole)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    return whole, made


def _write(written: _Written, env: Env, paths: StackPaths, url: str, *, kind: str, keys: bool) -> Manifest:
    with psycopg.connect(url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        with _held_documents(reader, url, paths.media) as (snapshot, documents):
            version, applied, schema = (
                database.server_version(reader),
                database.applied(reader),
                database.schema(reader),
            )
            _write_rows(written, url, snapshot=snapshot, schema=schema)
            rows = database.counts(reader)
            reader.rollback()  # the server need not keep old rows for us any longer
            _write_documents(written, documents)
    key = _key(env, paths) if keys else None
    if key is not None:
        with _new(written, KEY) as write:
            write(key)
    made = Manifest(
        format=FORMAT,
        kind=kind,
        made_at=datetime.now(UTC),
        memweb=__version__,
        postgres=version,
        tables_in=schema,
        migrations=applied,
        rows=rows,
        files=written.entries,
        missing=written.missing,
        damaged=written.damaged,
        keys=key is not None,
    )
    text = made.model_dump_json(indent=1).encode()
    with _private(written.folder / NAME) as file:
        file.write(text)
    with _private(written.folder / CHECKSUM) as file:
        file.write(f"{hashlib.sha256(text).hexdigest()}  {NAME}\n".encode())
    return made


@contextmanager
def _held_documents(reader: psycopg.Connection, url: str, media: Path) -> Iterator[tuple[str, list[Document]]]:
    """The snapshot that `reader` works in from now on, and the documents of its rows, which last as long as this."""
    held = media / HELD
    shutil.rmtree(held, ignore_errors=True)  # of one that was killed
    make_folder(held, mode=0o700)
    try:
        with psycopg.connect(url) as gate:
            database.applied(gate)
            gate.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            gate.execute("LOCK TABLE agents_document IN SHARE MODE")
            row = reader.execute("SELECT pg_export_snapshot()").fetchone()
            assert row is not None
            rows = reader.execute(_files_sql(reader)).fetchall()
            documents = [
                Document(name, sha256, _second_name(media / name, held / str(number)))
                for number, (name, sha256) in enumerate(rows)
            ]
            gate.rollback()
        yield row[0], documents
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _files_sql(reader: psycopg.Connection) -> str:
    """Names and checksums of all files that rows name. A database from before pictures has documents alone."""
    documents = "SELECT file, sha256 FROM agents_document WHERE file <> ''"
    pictures = (
        "SELECT picture->>'file', picture->>'sha256' FROM agents_message, jsonb_array_elements(pictures) AS picture "
        "WHERE NOT pictures = '[]'"
    )
    has_pictures = "agents.0018_connections" in database.applied(reader)
    return f"{documents} UNION {pictures} ORDER BY 1" if has_pictures else f"{documents} GROUP BY 1, 2 ORDER BY 1"


def _second_name(file: Path, held: Path) -> Path | None:
    try:
        held.hardlink_to(file)
    except FileNotFoundError:
        return None
    except OSError:  # a file system without links
        shutil.copyfile(file, held)
    return held


def _write_rows(written: _Written, url: str, *, snapshot: str, schema: str) -> None:
    with bar("Rows") as progress, _new(written, DUMP, progress.update) as write:
        database.dump(url, write, snapshot=snapshot, only=schema)


def _write_documents(written: _Written, documents: list[Document]) -> None:
    total = sum(document.held.stat().st_size for document in documents if document.held)
    with bar("Documents", total) as progress:
        for document in documents:
            if document.held is None:
                written.missing.append(document.name)
            elif not _is_in_former(written, document):
                with _new(written, document.name, progress.update) as write:
                    for chunk in manifest.chunks(document.held):
                        write(chunk)
                if written.entries[document.name].sha256 != document.sha256:
                    written.damaged.append(document.name)


def _is_in_former(written: _Written, document: Document) -> bool:
    """True when the copy of the backup before could be taken: one file with two names. Read, so that it is sound."""
    if written.former is None:
        return False
    before, after = written.former / document.name, written.folder / document.name
    try:
        if manifest.digest_of(before) != document.sha256:
            return False
        _folders_of(after, written.folder)
        after.hardlink_to(before)
    except OSError:
        return False
    written.entries[document.name] = Entry(size=after.stat().st_size, sha256=document.sha256)
    return True


def whole_ones(into: Path, kind: str = "*") -> list[Path]:
    """The backups there, the oldest first: their names tell the time."""
    found = [path.parent for path in into.glob(f"memweb-{kind}-*/{NAME}")]
    whole = [folder for folder in found if not folder.name.endswith(PART)]
    return sorted(whole, key=lambda folder: folder.name.rsplit("-", 3)[1:])


@contextmanager
def _new(written: _Written, name: str, progress: Count = lambda _bytes: None) -> Iterator[Callable[[bytes], None]]:
    """What writes a file of the backup, piece by piece; then it stands in the manifest."""
    path, digest = written.folder / name, hashlib.sha256()
    _folders_of(path, written.folder)
    with _private(path) as file:

        def write(chunk: bytes) -> None:
            file.write(chunk)
            digest.update(chunk)
            progress(len(chunk))

        yield write
    written.entries[name] = Entry(size=path.stat().st_size, sha256=digest.hexdigest())


def _folders_of(path: Path, top: Path) -> None:
    for folder in reversed(path.parents):
        if folder.is_relative_to(top) and not folder.exists():
            folder.mkdir(mode=0o700)


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _key(env: Env, paths: StackPaths) -> bytes | None:
    if env.memweb_secret_key is not None:
        return env.memweb_secret_key.get_secret_value().encode()
    with suppress(FileNotFoundError):
        return paths.secret_key.read_bytes()
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        with FileLock(path, mode=0o600, timeout=0):
            yield
    except Timeout:
        raise BackupUnderWay(f"Another backup is being made ({path} is held). Wait until it is done.") from None
