"""A bar for files on their way into an archive."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from memweb.client import Progress as Told
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line


class Bar:
    """Drawn only where the output is a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("", total=None)

    def told(self, told: Told) -> None:
        """How far it is now."""
        stages = {
            "sending": _("sending"),
            "reading": _("reading"),
            "embedding": _("embedding"),
            "done": _("done"),
            "refused": _("not taken"),
        }
        description = f"{one_line(told.path)[-40:]}: {stages[told.stage]}"
        if told.passages and told.stage == "embedding":
            description += f" {told.embedded}/{told.passages}"
        self._progress.update(self._task, description=description, completed=told.files_done, total=told.files)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
