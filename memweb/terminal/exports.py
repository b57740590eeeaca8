"""Exports of other services' chats among the files to be loaded: too large to be sent whole, so they go in parts."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from memweb import history
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line


@contextmanager
def split(paths: Iterable[Path]) -> Iterator[tuple[list[Path], int]]:
    """The paths with the parts of each export in its place, and how many conversations are in these. An export that
    is broken says so before anything is sent."""
    with tempfile.TemporaryDirectory(prefix="memweb-") as folder:
        files: list[Path] = []
        conversations = 0
        for number, path in enumerate(paths):
            if not _is_export(path):
                files.append(path)
                continue
            own = Path(folder, str(number))
            own.mkdir()
            try:
                parts, count = history.split(path, own)
            except history.BadExport as error:
                sentence = f"{one_line(str(path))}: {_(error.sentence) % error.values}"
                raise click.ClickException(sentence) from error
            except OSError as error:
                raise click.ClickException(f"{error.filename or path}: {error.strerror or error}") from error
            files += parts
            conversations += count
        yield files, conversations


def _is_export(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return history.is_export(file)
    except OSError:  # a folder, or nothing: whoever sends it says so
        return False
