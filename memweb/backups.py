"""`memweb backup` and `memweb restore`: for whoever runs it and may lose a disk."""

import os
import pkgutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from memweb.stack.backup import kept, making, restoring
from memweb.stack.backup.manifest import Manifest
from memweb.stack.env import COMMAND, PACKAGE_FOLDER, env
from memweb.stack.exceptions import StackError
from memweb.stack.paths import StackPaths

NICENESS = 10  # people go first


@click.command()
@click.option("--to", "into", metavar="DIR", type=click.Path(path_type=Path), help="Where to make it, as another disk.")
@click.option("--no-keys", is_flag=True, help="Leave the secret key out; after a restore everybody logs in anew.")
@click.option("--daily", is_flag=True, hidden=True)
def backup(into: Path | None, no_keys: bool, daily: bool) -> None:
    """Copy rows, documents and keys, while memweb runs or not.

    Makes a folder named for the time in DIR (by default MEMWEB_BACKUP_DIR, or `backups` in the data folder), reads it
    back and prints its name. Who reads it can read everything: keep it as you would the original.
    """
    os.nice(NICENESS)
    if daily:
        with _plain_words("The daily backup failed: "):
            click.echo(f"The daily backup is {kept.keep_one(env(), kept.DAILY)}.")
        return
    with _plain_words():
        target = into or kept.folder(env())
        made, manifest = making.make(env(), target, kind="manual", keys=not no_keys)
        if target == kept.folder(env()):
            kept.made(StackPaths(env().memweb_home), made)
    _say_what_is_wrong(manifest)
    click.echo(f"Backed up and read back: {_size(manifest)}. Put it back with `{COMMAND} restore {made}`.", err=True)
    click.echo(made)


@click.command()
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
def restore(source: Path) -> None:
    """Put a backup back into an empty home or database.

    FROM is the folder that `backup` printed. It goes into MEMWEB_HOME and, where it is set, DATABASE_URL. One of an
    older memweb is migrated. What fails leaves nothing behind.
    """
    modules = pkgutil.iter_modules([str(PACKAGE_FOLDER.parent / "agents" / "migrations")])
    with _plain_words():
        manifest = restoring.restore(env(), source, known={f"agents.{module.name}" for module in modules})
    _say_what_is_wrong(manifest)
    click.echo(f"Restored into {env().memweb_home}: {_size(manifest)}, as of {manifest.made_at:%Y-%m-%d %H:%M} UTC.")
    if not manifest.keys:
        click.echo("The secret key was not in the backup: a new one is made, and everybody logs in anew.")
    click.echo(f"Start it with `{COMMAND} up`.")


def _size(manifest: Manifest) -> str:
    rows, documents = sum(manifest.rows.values()), len(manifest.documents)
    keys = "with the secret key" if manifest.keys else "without the secret key"
    return f"{rows:,} rows, {documents:,} documents, {manifest.size / 1e6:,.1f} MB, {keys}"


def _say_what_is_wrong(manifest: Manifest) -> None:
    for names, what in (
        (manifest.missing, "were gone before the backup was made"),
        (manifest.damaged, "had changed on the disk before the backup was made, and are in it as they were found"),
    ):
        if names:
            click.echo(f"Documents that {what}: {len(names)}, the first {names[0]}.", err=True)


@contextmanager
def _plain_words(before: str = "") -> Iterator[None]:
    """A sentence for what fails; what is half done is cleared away also when the terminal goes or the system stops."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        yield
    except StackError as error:
        raise click.ClickException(f"{before}{error}") from error


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
