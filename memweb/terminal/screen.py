"""How a conversation looks in a terminal: what was said, thought, called and noted, line by line."""

import json
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from memweb.client import (
    AgentMessage,
    Change,
    Conflict,
    Entry,
    FunctionCall,
    FunctionResult,
    Message,
    SystemMessage,
    Thought,
    UserMessage,
)
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line, safe

INDENT = 2
KEPT = 40  # characters of an unchanged stretch that are shown beside what changed
STYLES = {"insert": "green underline", "delete": "red strike", "equal": "dim"}
MARKS = {"insert": ("{+", "+}"), "delete": ("[-", "-]"), "equal": ("", "")}  # where nothing can be coloured


class Screen:
    """Draws on a console. Nothing of what it is given can leave its line or its colour."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._call: FunctionCall | None = None  # waits for its result, to be drawn with it
        self._edits: list[tuple[str, Change]] = []  # of core memory, by that call

    def draw(self, renderable: RenderableType) -> None:
        """Put something onto the screen."""
        self.console.print(renderable, highlight=False, markup=False, emoji=False)

    def lines(self, renderable: RenderableType, most: int) -> list[str]:
        """The last lines of what would be drawn, with their colours as escape sequences."""
        with self.console.capture() as captured:
            self.draw(renderable)
        return captured.get().rstrip("\n").split("\n")[-most:] if most > 0 else []

    def note(self, text: str, style: str = "dim") -> None:
        """A line of the terminal's own."""
        self._end_call()
        self.draw(Text(safe(text), style))

    def fault(self, text: str) -> None:
        """Something went wrong."""
        self.note(text, "red")

    def message(self, message: Message, agent: str) -> None:
        """A message that was kept."""
        if not isinstance(message, FunctionResult):
            self._end_call()
        if isinstance(message, FunctionCall):
            self._call = message
        elif isinstance(message, FunctionResult):
            self._result(message)
        elif isinstance(message, UserMessage):
            self.draw(said(message.text))
        elif isinstance(message, Thought):
            self.draw(thought(message.text))
        elif isinstance(message, AgentMessage):
            self.draw(speaker(agent))
            self.draw(markdown(message.text))
            self.draw(Text())
        elif isinstance(message, SystemMessage):
            self.draw(folded(f"· {one_line(message.text)}", "dim yellow"))

    def _result(self, result: FunctionResult) -> None:
        call, self._call = self._call, None
        if call is not None and call.call_id not in ("", result.call_id):
            self.draw(folded(call_line(call), "dim"))
            call = None
        good = result.status == "success"
        shown = f"{call_line(call) if call else '→'} {'✓' if good else '✗'} {one_line(result.text)}"
        self.draw(folded(shown, "dim" if good else "red"))
        self._draw_edits()

    def _end_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            self.draw(folded(call_line(call), "dim"))
        self._draw_edits()

    def memory_edit(self, label: str, change: Change) -> None:
        """What the agent changed in its core memory."""
        self._edits.append((label, change))
        if self._call is None:
            self._draw_edits()

    def _draw_edits(self) -> None:
        for label, change in self._edits:
            line = Text("✎ ", "bold") + Text(one_line(label), "bold") + Text(": ") + self.difference(change)
            self.draw(Padding(line, (0, 0, 0, INDENT)))
        self._edits = []

    def difference(self, change: Change) -> Text:
        """Words that came and went, between some of those that stayed."""
        marked = self.console.no_color or not self.console.color_system
        text = Text()
        for number, (operation, words) in enumerate(change):
            shown = safe(words)
            if operation == "equal":
                shown = _shortened(shown, number == 0, number == len(change) - 1)
            before, after = MARKS[operation] if marked and shown.strip() else ("", "")
            text.append(f"{before}{shown}{after}", STYLES[operation])
        return text

    def listing(self, title: str, entries: Sequence[Entry]) -> None:
        """What a command lists."""
        self._end_call()
        if title:
            self.draw(Text(safe(title), "bold"))
        for entry in entries:
            self.draw(Padding(Text(one_line(entry.head), "cyan"), (0, 0, 0, INDENT)))
            if entry.body:
                self.draw(Padding(Text(safe(entry.body)), (0, 0, 0, 2 * INDENT)))

    def conflict(self, conflict: Conflict) -> None:
        """The two texts between which a person is to choose."""
        about = _("“%(label)s” was edited since. It says now:") % {"label": one_line(conflict.label)}
        self.note(about, "yellow")
        self.draw(Padding(Text(safe(conflict.current)), (0, 0, 0, INDENT)))
        self.note(_("It said before:"), "yellow")
        self.draw(Padding(Text(safe(conflict.before)), (0, 0, 0, INDENT)))


def said(text: str, style: str = "bold cyan") -> RenderableType:
    """What a person says."""
    return Padding(Text(f"› {safe(text)}", style), (0, 0, 0, 0))


def speaker(name: str) -> Text:
    """Who speaks next."""
    return Text(one_line(name), "bold green")


def thought(text: str) -> RenderableType:
    """Inner monologue."""
    return Padding(Text(safe(text), "dim italic"), (0, 0, 0, INDENT))


def folded(text: str, style: str) -> RenderableType:
    """One line, cut where the terminal ends."""
    return Padding(Text(one_line(text), style, no_wrap=True, overflow="ellipsis"), (0, 0, 0, INDENT))


def call_line(call: FunctionCall) -> str:
    """A call in one line."""
    shown = ", ".join(
        f"{one_line(name)}={one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
        for name, value in call.given.items()
    )
    return f"→ {one_line(call.name)}({shown})"


def markdown(text: str) -> Markdown:
    """A reply as Markdown: its lines stay lines, its HTML is text, and it holds no links that a terminal would open."""
    shown = Markdown("", code_theme="ansi_dark", hyperlinks=False)
    shown.parsed = _with_lines(_PARSER.parse(safe(text)))
    return shown


_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


def _with_lines(tokens: list[Token]) -> list[Token]:
    for token in tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return tokens


def _shortened(text: str, first: bool, last: bool) -> str:
    """An unchanged stretch: what stands next to a change."""
    head, tail = text[:KEPT] if not first else "", text[-KEPT:] if not last else ""
    if len(text) <= len(head) + len(tail) + 3:
        return text
    return f"{head}…{tail}"
