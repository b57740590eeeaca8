"""From the engine to open pages: one group per agent, one per person.

Sending is done by one background thread per process, in order, so that a slow or absent broker can delay no run.
Delivery is at most once: a listener that needs certainty reads the database.
"""

import asyncio
import logging
import os
import threading
import uuid
from itertools import groupby
from operator import itemgetter

from channels.layers import get_channel_layer
from django.db import transaction

from agents.broadcast.events import Event, newest

logger = logging.getLogger(__name__)

BACKLOG = 5000  # events held while the broker is away; more are dropped
GATHER_SECONDS = 0.003  # that an event waits for others of the same commit


def agent_group(agent_id: uuid.UUID) -> str:
    """Who has a page of this agent open."""
    return f"agent.{agent_id}"


def owner_group(user_id: int) -> str:
    """Whoever has any page of this person open."""
    return f"owner.{user_id}"


def publish(group: str, event: Event) -> None:
    """Send now, without waiting for it."""
    _publisher().put(group, event)


def publish_on_commit(group: str, event: Event) -> None:
    """Send when the transaction commits; never if it rolls back."""
    transaction.on_commit(lambda: publish(group, event))


class _Publisher:
    """An event loop in a thread of its own: the channel layer is async, the engine is not.

    What is published within some milliseconds goes out as one message for each group: `{"type", "batch", "events"}`.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.queue: asyncio.Queue[tuple[str, Event]] = asyncio.Queue(BACKLOG)
        threading.Thread(target=self._run, name="bus", daemon=True).start()

    def put(self, group: str, event: Event) -> None:
        self.loop.call_soon_threadsafe(self._enqueue, group, event)

    def _enqueue(self, group: str, event: Event) -> None:
        try:
            self.queue.put_nowait((group, event))
        except asyncio.QueueFull:
            logger.warning("The broker has been away for long: an event for %s was dropped.", group)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._send_all())

    async def _send_all(self) -> None:
        while True:
            batch = [await self.queue.get()]
            await asyncio.sleep(GATHER_SECONDS)
            while not self.queue.empty():
                batch.append(self.queue.get_nowait())
            for group, entries in groupby(batch, key=itemgetter(0)):  # in their order, also between groups
                await self._send(group, newest(event for _group, event in entries))

    async def _send(self, group: str, events: list[Event]) -> None:
        message = {
            "type": "agent.events",
            "batch": uuid.uuid4().hex,  # so that what a batch makes pages show is drawn once for all of them
            "events": [event.payload() for event in events],
        }
        try:
            await get_channel_layer().group_send(group, message)
        except Exception as error:  # noqa: BLE001 - any client library's error: pages catch up from the database
            logger.warning("An event could not be sent: %s", error)


_lock = threading.Lock()
_current: _Publisher | None = None


def _publisher() -> _Publisher:
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():  # threads do not survive a fork
            _current = _Publisher()
        return _current
