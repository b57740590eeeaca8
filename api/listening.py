"""How a request waits: it listens on the bus and reads the rows; it holds no thread and no connection meanwhile."""

import asyncio
import contextlib
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from channels.layers import get_channel_layer

from agents.broadcast import bus
from agents.models import Run
from api.answers import read

LOOK_SECONDS = 10.0  # without an event, the rows are read: delivery is at most once


class Listener:
    """What the engine tells of some groups of the bus, from when it is entered until it is left."""

    def __init__(self, *groups: str) -> None:
        self._groups = groups
        self._layer = get_channel_layer()
        self._heard: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._channel = await self._layer.new_channel()
        for group in self._groups:
            await self._layer.group_add(group, self._channel)
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._listening.cancel()  # the layer forgets the channel then
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._listening

    async def _listen(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            self._heard.put_nowait(message["events"])

    async def heard(self, timeout: float = LOOK_SECONDS) -> list[dict[str, Any]]:
        """The next events of one commit, as they are sent; none if there were none for `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                return await self._heard.get()
        except TimeoutError:
            return []


def agent_listener(agent_id: UUID) -> Listener:
    """What is told of one agent."""
    return Listener(bus.agent_group(agent_id))


def ends(event: dict[str, Any], runs: Collection[int]) -> bool:
    """Whether an event says that one of these runs ended."""
    return event["event"] == "RunChanged" and event["run"] in runs and event["status"] not in Run.OPEN


async def until_ended(listener: Listener, runs: Collection[int]) -> None:
    """Wait until none of these runs is queued or running."""
    while await read(some_open, runs):
        while (events := await listener.heard()) and not any(ends(event, runs) for event in events):
            pass


def some_open(runs: Collection[int]) -> bool:
    """Whether one of these runs is queued or running."""
    return Run.objects.filter(pk__in=runs, status__in=Run.OPEN).exists()
