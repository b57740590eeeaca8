"""One websocket per open page: events of the engine in, frames out. All that it sends can be read from the database."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation

from agents.access import owned_by
from agents.broadcast import bus
from agents.broadcast.events import (
    AgentsChanged,
    BlockChanged,
    BlocksChanged,
    CallsAsked,
    ContextChanged,
    DocumentChanged,
    DraftDelta,
    DraftDropped,
    Event,
    MessageEdited,
    MessagesAdded,
    PassagesChanged,
    PersonChanged,
    RunChanged,
    StepStarted,
    TimelineCut,
    WaitingChanged,
    event_of,
)
from agents.models import Agent, Run
from agents.person import person_of
from chat import frames
from chat.crowding import Place
from chat.sessions import is_logged_in
from chat.shared_frames import drawn_once

Parts = tuple[str, ...]

GONE, LOGGED_OUT = 4404, 4401  # why a socket is closed
TOO_FAST, TOO_MANY = 4429, 4430  # of what a page that behaves never does; `conversation.js` has the sentences


class AgentConsumer(AsyncWebsocketConsumer):
    """The socket of one page.

    `seq` is the last timeline entry that this page has, None until the page has said it: every event leads to "send
    what came after it". `language` is what the page was opened in, `batch` names the events that are being answered.
    """

    agent: Agent
    language: str
    seq: int | None = None
    batch: str | None = None
    place: Place | None = None

    async def __call__(self, *arguments: Any) -> None:
        """However it ends, its place is another's then."""
        try:
            await super().__call__(*arguments)
        finally:
            if self.place:
                self.place.leave()

    async def connect(self) -> None:
        """Accept the owner of the agent; close with 4404 for anybody else."""
        user = self.scope["user"]
        agent_id = self.scope["url_route"]["kwargs"]["agent_id"]
        agent = await _read(lambda: owned_by(Agent, user).filter(pk=agent_id).first() if user.pk else None)
        if agent is None:
            await self.close(GONE)
            return
        self.place = Place.taken_by(user.pk)
        if self.place is None:
            await self.accept()  # without it a browser does not learn the code
            await self.close(TOO_MANY, reason="Too many pages of yours are open.")
            return
        self.agent = agent
        self.language = (await _read(person_of, user.pk)).language or settings.LANGUAGE_CODE
        # left again by Channels when the socket closes
        self.groups = [bus.agent_group(agent.pk), bus.owner_group(user.pk)]
        for group in self.groups:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """`{"type": "resume", "seq": 12, "version": 0}` on connecting; `{"type": "draft"}` after a gap.

        Anything else is ignored.
        """
        if self.place is None or not self.place.may_speak():
            await self.close(TOO_FAST, reason="The page sends too much at once.")
            return
        try:
            frame = json.loads(text_data or "")
            kind = frame["type"]
            if kind == "resume":
                self.seq, version = int(frame["seq"]), int(frame["version"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return
        self.batch = None
        if kind == "resume":
            await _read(self.agent.refresh_from_db)
            if version != self.agent.timeline_version:  # rows it shows were taken back or edited
                await self.send(frames.as_json("reload"))
                return
            await self._catch_up()
            await self._send_drawn(frames.waiting)
            await self._send_drawn(frames.asked)
            await self._send_drawn(frames.status)
        if kind in ("resume", "draft"):
            await self._send_drawn(frames.draft)

    async def agent_events(self, message: dict[str, Any]) -> None:
        """Events of the engine, from the bus: Channels calls this for messages of type `agent.events`."""
        self.batch = message["batch"]
        named: set[str] = set()  # parts of the page, once however many events they follow from
        for payload in message["events"]:
            event = event_of(payload)
            parts = [part for part in await ANSWERS[type(event)](self, event) if part not in named]
            if parts:
                named.update(parts)
                await self.send(frames.changed(*parts))

    async def _messages_added(self, _event: MessagesAdded) -> Parts:
        await self._catch_up()
        return ()

    async def _waiting_changed(self, _event: WaitingChanged) -> Parts:
        await self._send_drawn(frames.waiting)
        return ()

    async def _calls_asked(self, _event: CallsAsked) -> Parts:
        await self._send_drawn(frames.asked)
        return ()

    async def _run_changed(self, event: RunChanged) -> Parts:
        if event.status == Run.Status.QUEUED:  # what goes on is what went on before
            return ()
        running = event.status == Run.Status.RUNNING
        await self.send(frames.as_json("status", running=running, run=event.run))
        return () if running else ("runs",)

    async def _timeline_cut(self, event: TimelineCut) -> Parts:
        self.agent.timeline_version = event.version
        await self.send(frames.as_json("cut", **asdict(event)))
        return ()

    async def _message_edited(self, event: MessageEdited) -> Parts:
        self.agent.timeline_version = event.version
        if html := await self._draw(frames.edited, event.message):
            await self.send(html)
        await self.send(frames.as_json("version", version=event.version))
        return ()

    async def _context_changed(self, event: ContextChanged) -> Parts:
        if event.gauge is None:
            return ("context",)
        with translation.override(self.language):
            await self.send(frames.gauge(event.gauge))
        return ("context",)

    async def _agents_changed(self, _event: AgentsChanged) -> Parts:
        if not await _read(Agent.objects.filter(pk=self.agent.pk).exists):
            await self.close(GONE)
            return ()
        return ("agents",)

    async def _person_changed(self, _event: PersonChanged) -> Parts:
        if not await _read(is_logged_in, self.scope):
            await self.close(LOGGED_OUT)
        return ()

    async def _block_changed(self, event: BlockChanged) -> Parts:
        return (f"block-{event.block}",)

    async def _catch_up(self) -> None:
        """Send the timeline rows that this page does not have yet."""
        if self.seq is None:
            return
        html, self.seq = await self._draw(frames.rows_after, self.seq)
        if html:
            await self.send(html)

    async def _send_drawn(self, frame: Any) -> None:
        await self.send(await self._draw(frame))

    async def _draw(self, frame: Any, *arguments: Any) -> Any:
        """A frame about the agent, in the page's language; for events, drawn once for all pages that show the same."""

        def draw() -> Any:
            with translation.override(self.language):
                return frame(self.agent, *arguments)

        if self.batch is None:
            return await _read(draw)
        key = (self.batch, self.agent.pk, frame.__name__, self.language, arguments)
        return await drawn_once(key, lambda: _read(draw))


Answer = Callable[[AgentConsumer, Any], Awaitable[Parts]]


def _passed_on(name: str) -> Answer:
    """Send the event itself, as a JSON frame of this name."""

    async def answer(consumer: AgentConsumer, event: Event) -> Parts:
        await consumer.send(frames.as_json(name, **asdict(event)))
        return ()

    return answer


def _to_refresh(*parts: str) -> Answer:
    """Nothing is sent but the names of the parts."""

    async def answer(_consumer: AgentConsumer, _event: Event) -> Parts:
        return parts

    return answer


ANSWERS: dict[type[Event], Answer] = {
    MessagesAdded: AgentConsumer._messages_added,
    WaitingChanged: AgentConsumer._waiting_changed,
    RunChanged: AgentConsumer._run_changed,
    CallsAsked: AgentConsumer._calls_asked,
    StepStarted: _passed_on("step"),
    DraftDelta: _passed_on("delta"),
    DraftDropped: _passed_on("dropped"),
    TimelineCut: AgentConsumer._timeline_cut,
    MessageEdited: AgentConsumer._message_edited,
    BlockChanged: AgentConsumer._block_changed,
    BlocksChanged: _to_refresh("blocks"),
    ContextChanged: AgentConsumer._context_changed,
    PassagesChanged: _to_refresh("archival", "archives"),
    DocumentChanged: _to_refresh("documents"),
    AgentsChanged: AgentConsumer._agents_changed,
    PersonChanged: AgentConsumer._person_changed,
}
"""What the page is sent for each class of event; each answer names the parts of the page that should ask for their new
state, and those that somebody looks at do."""


async def _read(read: Any, *arguments: Any) -> Any:
    """The database from a thread of its own: the shared one would make every page wait for every other."""
    return await database_sync_to_async(read, thread_sensitive=False)(*arguments)
