"""The line where a person writes: history, several lines, completion of commands, and questions."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, FormattedText, merge_formatted_text
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from memweb.client import Command
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line

PROMPT = "› "
REDRAW = 0.05  # seconds between two drawings, at least


class Commands(Completer):
    """Completes the name of a slash command."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text
        if not text.startswith("/") or " " in text or "\n" in text:
            return
        for command in self.commands:
            if command.name.startswith(text[1:].lower()):
                end = " " if command.needs_argument else ""
                shown = one_line(f"/{command.name} {command.usage}")
                yield Completion(
                    f"/{command.name}{end}", -len(text), display=shown, display_meta=one_line(command.help)
                )


class Composer:
    """Asks for what to send. `above` gives lines to be shown over it, `status` the line below; `stop` is Ctrl-C's."""

    def __init__(
        self,
        commands: Sequence[Command],
        history: Path,
        above: Callable[[], list[str]],
        status: Callable[[], str],
        stop: Callable[[], bool],
    ) -> None:
        self._above, self._status, self._stop = above, status, stop
        self._label = ""
        self._session: PromptSession[str] = PromptSession(
            self._message,
            multiline=True,
            completer=Commands(commands),
            complete_while_typing=True,
            history=_history(history),
            key_bindings=self._keys(),
            bottom_toolbar=lambda: [("", self._status())],
            prompt_continuation=lambda width, _line, _wrapped: " " * width,
            erase_when_done=True,
        )
        self._session.app.min_redraw_interval = REDRAW
        self._questions: PromptSession[str] = PromptSession(
            self._message, bottom_toolbar=lambda: [("", self._status())], erase_when_done=True
        )

    def _message(self) -> Any:
        above = self._above()
        lines: list[Any] = [ANSI("\n".join(above) + "\n")] if above else []
        return merge_formatted_text([*lines, FormattedText([("bold", self._label or PROMPT)])])

    async def line(self, begun: str = "") -> str:
        """What the person wrote. Raises EOFError when they leave."""
        self._label = ""
        return await self._session.prompt_async(default=begun)

    async def answer(self, question: str, default: str = "") -> str:
        """One line as the answer to a question. Raises EOFError or KeyboardInterrupt when they give none."""
        self._label = f"{question} "
        return (await self._questions.prompt_async(default=default)).strip()

    def redraw(self) -> None:
        """Something above or below changed."""
        for session in (self._session, self._questions):
            if session.app.is_running:
                session.app.invalidate()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _send(event: KeyPressEvent) -> None:
            """Sends; after a backslash it begins a line."""
            buffer = event.current_buffer
            if buffer.document.current_line_before_cursor.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def _begin_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _stop(event: KeyPressEvent) -> None:
            """Stops the answer; without one it empties the line."""
            if not self._stop():
                event.current_buffer.reset()

        return keys


def yes(answer: str) -> bool:
    """Whether an answer means yes, in either language."""
    return answer.strip().lower() in ("y", "yes", _("y"), _("yes"))


def _history(file: Path) -> History:
    """Kept for its owner alone; only in memory where it cannot be kept."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)
