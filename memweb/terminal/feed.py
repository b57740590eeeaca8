"""What happens to an agent, without a gap: a lost connection is said, mended, and gone on with after the last seq."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from memweb.client import (
    AsyncClient,
    ConnectionLost,
    Cut,
    Event,
    Gone,
    MemoryEdited,
    MessageAdded,
    NoServer,
    NotFound,
    Notice,
    ServerFault,
    State,
)

FIRST, LONGEST = 0.5, 10.0  # seconds between two attempts


@dataclass(frozen=True)
class Lost:
    """The connection is gone; it is tried again."""

    why: str


@dataclass(frozen=True)
class Back:
    """It is there again."""


async def feed(client: AsyncClient, agent_id: str) -> AsyncIterator[Event | Lost | Back]:
    """Events from now on, each once, until the agent is gone."""
    seq: int | None = None
    lost, pause = False, FIRST
    while True:
        try:
            async for event in client.events(agent_id, after=seq):
                if lost:
                    lost, pause = False, FIRST
                    yield Back()
                seq = _newest(seq, event)
                yield event
            return
        except NotFound:
            yield Gone()
            return
        except (ConnectionLost, NoServer, ServerFault) as error:
            if not lost:
                lost = True
                yield Lost(str(error))
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST)


def _newest(seq: int | None, event: Event) -> int | None:
    if isinstance(event, State):
        return event.last_seq if seq is None else seq
    if isinstance(event, MessageAdded | MemoryEdited | Notice):
        return max(seq or 0, event.seq)
    if isinstance(event, Cut):
        return min(seq or 0, event.from_seq - 1) if seq is not None else None
    return seq
