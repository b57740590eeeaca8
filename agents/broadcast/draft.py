"""What the model is writing right now, on its way to open pages: coalesced, with offsets, saved for late comers."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

from agents.broadcast import bus
from agents.broadcast.events import DraftDelta, DraftDropped, DraftPart, StepStarted
from agents.llm.types import SEND_MESSAGE, ArgumentsDelta, CallStarted, Delta, ReplyDelta, Thinking

logger = logging.getLogger(__name__)

COALESCE_SECONDS = 0.05
DRAFT_SECONDS = 600  # that a saved draft lives; a step takes less


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
        """Whether the model has written nothing yet."""
        return not any(self.parts.values())

    def open(self) -> None:
        """Tell the pages that the step begins."""
        self._publish(StepStarted(self.run_id, self.step))
        self._save()

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
        """Send what was added since the last time."""
        self.sent_at = time.monotonic()
        grown = [part for part, text in self.parts.items() if len(text) > self.sent[part]]
        for part in grown:
            offset, text = self.sent[part], self.parts[part]
            self._publish(DraftDelta(self.run_id, self.step, part, offset, text[offset:]))
            self.sent[part] = len(text)
        if grown:
            self._save()

    def drop(self) -> None:
        """Tell the pages that the draft is void: the step was committed, or is tried again."""
        draft_save(self.agent_id, None)
        self._publish(DraftDropped(self.run_id, self.step))

    def _save(self) -> None:
        draft_save(self.agent_id, {"run": self.run_id, "step": self.step, "parts": self.parts})

    def _publish(self, event: StepStarted | DraftDelta | DraftDropped) -> None:
        bus.publish(bus.agent_group(self.agent_id), event)


def draft_save(agent_id: UUID, draft: dict[str, Any] | None) -> None:
    """Save what the model has written of the running step, for a page that opens in the middle. None deletes it."""
    key = f"draft:{agent_id}"
    try:
        cache.delete(key) if draft is None else cache.set(key, draft, DRAFT_SECONDS)
    except RedisError as error:  # a draft is a convenience: a broker that is away must not fail a run
        logger.warning("The draft could not be saved: %s", error)


def draft_read(agent_id: UUID) -> dict[str, Any] | None:
    """`{"run", "step", "parts"}`; None while nothing is being written, or if the broker is away."""
    try:
        draft: dict[str, Any] | None = cache.get(f"draft:{agent_id}")
    except RedisError:
        return None
    return draft
