"""What the model is writing right now, on its way to open pages: coalesced, with offsets, kept for late comers."""

import time
from dataclasses import dataclass, field
from uuid import UUID

from agents import bus
from agents.events import DraftDelta, DraftDropped, DraftPart, StepStarted
from agents.llm.types import SEND_MESSAGE, ArgumentsDelta, CallStarted, Delta, ReplyDelta, Thinking

COALESCE_SECONDS = 0.05


@dataclass
class Draft:
    """The uncommitted answer of one step: inner monologue, calls as text, reply."""

    agent_id: UUID
    run_id: int
    step: int
    parts: dict[DraftPart, str] = field(default_factory=lambda: {"thinking": "", "call": "", "reply": ""})
    sent: dict[DraftPart, int] = field(default_factory=lambda: {"thinking": 0, "call": 0, "reply": 0})
    sent_at: float = 0.0  # monotonic seconds

    @property
    def empty(self) -> bool:
        return not any(self.parts.values())

    def open(self) -> None:
        self._publish(StepStarted(self.run_id, self.step))
        self._keep()

    def take(self, delta: Delta) -> None:
        """Add a piece; sent at most every 50 ms."""
        match delta:
            case Thinking(text):
                self.parts["thinking"] += text
            case ReplyDelta(text):
                self.parts["reply"] += text
            case ArgumentsDelta(_, text):
                self.parts["call"] += text
            case CallStarted(_, name) if name != SEND_MESSAGE:
                self.parts["call"] += f"\n{name} " if self.parts["call"] else f"{name} "
        if time.monotonic() - self.sent_at >= COALESCE_SECONDS:
            self.flush()

    def flush(self) -> None:
        self.sent_at = time.monotonic()
        for part, text in self.parts.items():
            offset = self.sent[part]
            if len(text) > offset:
                self._publish(DraftDelta(self.run_id, self.step, part, offset, text[offset:]))
                self.sent[part] = len(text)
        self._keep()

    def drop(self) -> None:
        bus.draft_keep(self.agent_id, None)
        self._publish(DraftDropped(self.run_id, self.step))

    def _keep(self) -> None:
        bus.draft_keep(self.agent_id, {"run": self.run_id, "step": self.step, "parts": self.parts})

    def _publish(self, event: StepStarted | DraftDelta | DraftDropped) -> None:
        bus.publish(bus.agent_group(self.agent_id), event)
