"""The words of an answer while they come: shown above the line where the person writes, until they are kept."""

from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from memweb.client import Delta, Dropped
from memweb.terminal.safe import one_line, safe
from memweb.terminal.screen import folded, said, speaker, thought

MOST = 4000  # characters of a part that are drawn; more is not seen


@dataclass
class Draft:
    """What a step has brought so far, part by part."""

    parts: dict[str, str] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    of: tuple[str, int] | None = None

    def add(self, delta: Delta) -> None:
        """Words that came. Where some before them were missed, the part begins with these."""
        if self.of != (delta.run_id, delta.step):
            self.clear()
            self.of = (delta.run_id, delta.step)
        text, start = self.parts.get(delta.part, ""), self.starts.get(delta.part, 0)
        at = delta.offset - start
        if 0 <= at <= len(text):
            self.parts[delta.part] = text[:at] + delta.text
        else:
            self.parts[delta.part], self.starts[delta.part] = delta.text, delta.offset

    def drop(self, dropped: Dropped) -> None:
        """That step's words are void."""
        if self.of == (dropped.run_id, dropped.step):
            self.clear()

    def clear(self) -> None:
        """Nothing is on its way."""
        self.parts, self.starts, self.of = {}, {}, None

    def drawn(self, agent: str, waiting: list[str]) -> RenderableType | None:
        """As it is to be shown; None if there is nothing. `waiting` are messages that the agent has not begun with."""
        rows: list[RenderableType] = []
        if thinking := self.parts.get("thinking"):
            rows.append(thought(thinking[-MOST:]))
        if call := self.parts.get("call"):
            rows.append(folded(f"→ {one_line(call[-MOST:])}", "dim"))
        if reply := self.parts.get("reply"):
            rows += [speaker(agent), Text(safe(reply[-MOST:]))]
        rows += [said(f"{text} …", "dim cyan") for text in waiting]
        return Group(*rows) if rows else None
