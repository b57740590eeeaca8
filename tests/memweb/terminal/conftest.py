"""A memweb of a few lines, which says over HTTP what a test wants: for what a whole one would rarely do."""

import json
import os
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.memweb.client.conftest import TOKEN, Asked, Given, SmallServer

AGENT_ID = "agent-00000000-0000-4000-8000-000000000001"
COMMANDS = [
    {"name": "memory", "usage": "", "help": "show core memory", "argument": "none", "needs_argument": False},
    {"name": "pop", "usage": "[n]", "help": "take back the last n", "argument": "count", "needs_argument": False},
    {"name": "exit", "usage": "", "help": "leave", "argument": "none", "needs_argument": False},
]


class FewLines:
    """One person's agents, the events of the first, and what commands come to."""

    def __init__(self, server: SmallServer) -> None:
        self.server = server
        server.answer = self.answer
        self.agents: list[dict[str, Any]] = [{"id": AGENT_ID, "name": "Sam", "memory": {"blocks": []}}]
        self.kept: list[dict[str, Any]] = []  # events with a seq
        self.version = 0
        self.listeners: list[queue.Queue[dict[str, Any] | None]] = []
        self.outcomes: list[Any] = []
        self.reply: dict[str, Any] = {"messages": [], "stop_reason": {"stop_reason": "end_turn"}, "usage": {}}
        self.said: list[str] = []
        self.stopped: list[str] = []
        self.is_down = False

    def happen(self, event: str, **fields: Any) -> None:
        """To all who listen; what has a seq is kept."""
        whole = {"event": event, **fields}
        if event in ("message", "memory_edit", "notice"):
            whole["seq"] = len(self.kept) + 1
            self.kept.append(whole)
        for listener in list(self.listeners):
            listener.put(whole)

    def message(self, kind: str, **fields: Any) -> None:
        number = len(self.kept) + 1
        self.happen("message", message={"message_type": kind, "id": f"message-{number}", **fields})

    def lose(self) -> None:
        """Every connection, until `is_down` is false."""
        self.is_down = True
        for listener in list(self.listeners):
            listener.put(None)

    def answer(self, asked: Asked) -> Any:
        if self.is_down:
            return Given(cut=True)
        if asked.path.endswith("/events"):
            return Given(events=self._events(asked.params.get("after")), cut=True)  # type: ignore[arg-type]
        return self._posted(asked) if asked.method != "GET" else self._looked_at(asked)

    def _events(self, after: str | None) -> Iterator[dict[str, Any]]:
        listener: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.listeners.append(listener)
        first = len(self.kept) if after is None else int(after)
        yield {"event": "state", "last_seq": len(self.kept), "version": self.version, "running": False, "waiting": []}
        yield from self.kept[first:]
        while (event := listener.get()) is not None:
            yield event
        self.listeners.remove(listener)

    def _looked_at(self, asked: Asked) -> Any:
        if asked.path.endswith("/asked"):
            return []
        if asked.path.endswith("/commands"):
            return COMMANDS
        if asked.path.endswith("/presets"):
            persona = [{"name": "plain", "text": "I am plain."}, {"name": "odd", "text": "I am odd."}]
            return {"personas": persona, "humans": [{"name": "stranger", "text": "We have just met."}]}
        if asked.path.endswith("/messages"):
            return [event["message"] for event in reversed(self.kept) if event["event"] == "message"]
        if asked.path.startswith("/v1/runs/"):
            return {"id": asked.path.rsplit("/", 1)[1], "agent_id": AGENT_ID, "status": "running"}
        if asked.path == "/v1/agents/":
            wanted = asked.params.get("name")
            return (
                [] if "after" in asked.params else [agent for agent in self.agents if wanted in (None, agent["name"])]
            )
        return self.agents[0]

    def _posted(self, asked: Asked) -> Any:
        if asked.method == "DELETE":
            return None
        if asked.path.endswith("/commands/match"):
            text = asked.body["text"]
            named = text.split()[0].lstrip("/") in [command["name"] for command in COMMANDS]
            return {"command": named and not text.startswith("//"), "message": text.removeprefix("/")}
        if asked.path.endswith("/commands"):
            outcome = self.outcomes.pop(0)
            return outcome if isinstance(outcome, Given) else {"sentence": "", **outcome}
        if asked.path.endswith("/cancel"):
            self.stopped += asked.body["run_ids"]
            return {}
        if asked.path.endswith("/messages/async"):
            text = asked.body["messages"][0]["content"]
            self.said.append(text)
            self.message("user_message", content=text)
            return {"id": "run-1", "agent_id": AGENT_ID, "status": "created"}
        if asked.path.endswith("/messages"):
            self.said.append(asked.body["messages"][0]["content"])
            return self.reply
        self.agents.insert(0, {"id": AGENT_ID, "memory": {"blocks": asked.body["memory_blocks"]}, **asked.body})
        return self.agents[0]


@pytest.fixture
def memweb() -> Iterator[FewLines]:
    server = SmallServer()
    few = FewLines(server)
    yield few
    few.lose()
    server.close()


@pytest.fixture
def home(memweb: FewLines, tmp_path: Path) -> Path:
    told = {"url": memweb.server.url, "token": TOKEN, "pid": os.getpid()}
    (tmp_path / "local.json").write_text(json.dumps(told))
    return tmp_path
