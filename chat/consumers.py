"""One websocket per open page. It listens; everything it says can be read from the database again."""

import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from agents import bus
from agents.language import language_of
from agents.models import Agent
from chat import frames

# What the page should ask for anew after an event that is not sent whole.
CHANGES = {
    "ContextChanged": ("context",),
    "PassagesChanged": ("archival", "archives"),
    "DocumentChanged": ("documents",),
    "AgentsChanged": ("agents",),
    "BlocksChanged": ("blocks",),
}
PASSED_ON = {"StepStarted": "step", "DraftDelta": "delta", "DraftDropped": "dropped", "TimelineCut": "cut"}


class AgentConsumer(AsyncWebsocketConsumer):
    """`seq` is the last timeline entry this page has: every event leads to "send what came after it"."""

    agent: Agent
    language: str  # of the page, which noted it when it was opened
    seq: int | None = None  # until the page has said what it has

    async def connect(self) -> None:
        user = self.scope["user"]
        found = await _read(
            Agent.objects.filter(pk=self.scope["url_route"]["kwargs"]["agent_id"], owner_id=user.pk).first
        )
        if found is None:
            await self.close(4404)
            return
        self.agent = found
        self.language = await _read(language_of, user.pk)
        # left again by Channels when the socket closes
        self.groups = [bus.agent_group(found.pk), bus.owner_group(user.pk)]
        for group in self.groups:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """`{"type": "resume", "seq": 12, "version": 0}` on connecting; `{"type": "draft"}` after a gap.

        Anything else is ignored.
        """
        try:
            frame = json.loads(text_data or "")
            kind = frame["type"]
            if kind == "resume":
                self.seq, version = int(frame["seq"]), int(frame["version"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return
        if kind == "resume":
            await _read(self.agent.refresh_from_db)
            if version != self.agent.timeline_version:  # rows it shows were taken back or edited
                await self.send(frames.as_json("reload"))
                return
            await self._catch_up()
            await self._send(frames.waiting)
            await self._send(frames.status)
        if kind in ("resume", "draft"):
            await self._send(frames.draft)

    async def agent_event(self, message: dict[str, Any]) -> None:
        """An event of the engine, from the bus."""
        event = message.pop("event")
        message.pop("type")
        if "version" in message:
            self.agent.timeline_version = message["version"]
        if event in PASSED_ON:
            await self.send(frames.as_json(PASSED_ON[event], **message))
        elif event == "MessagesAdded":
            await self._catch_up()
        elif event == "WaitingChanged":
            await self._send(frames.waiting)
        elif event == "RunChanged":
            await self._send(frames.status)
            await self.send(frames.changed("runs"))
        elif event == "MessageEdited":
            if html := await self._draw(frames.edited, message["message"]):
                await self.send(html)
            await self.send(frames.as_json("version", version=message["version"]))
        elif event == "BlockChanged":
            await self.send(frames.changed(f"block-{message['block']}"))
        else:
            await self.send(frames.changed(*CHANGES[event]))

    async def _catch_up(self) -> None:
        if self.seq is None:
            return
        html, self.seq = await self._draw(frames.rows_after, self.seq)
        if html:
            await self.send(html)

    async def _send(self, frame: Any) -> None:
        await self.send(await self._draw(frame))

    async def _draw(self, frame: Any, *arguments: Any) -> Any:
        """A frame about the agent, in the page's language."""

        def draw() -> Any:
            with translation.override(self.language):
                return frame(self.agent, *arguments)

        return await _read(draw)


async def _read(read: Any, *arguments: Any) -> Any:
    """The database from a thread of its own: the shared one would make every page wait for every other."""
    return await database_sync_to_async(read, thread_sensitive=False)(*arguments)
