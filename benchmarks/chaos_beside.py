"""One person's background tasks hang at a silent endpoint: who else waits for them? `chaos.py --summaries N`."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from agents.llm.scripted import Answer, Request, ScriptedServer, say
from benchmarks.process_usage import processes_of
from benchmarks.product import Product
from memweb.stack.paths import StackPaths

SILENT = "SILENT"
SETTINGS = {"MEMWEB_EMBEDDINGS": "openai", "MEMWEB_CONTEXT_WINDOW": "8192", "MEMWEB_REQUEST_TIMEOUT": "120"}
LONGEST = 150.0  # seconds
RUN_SECONDS = 12.0  # longer than it takes until the worker is killed

# Agents with messages that left the window, so that a summary is due, and that have no vectors.
AGENTS = """
import json
from django.contrib.auth.models import User
from django.utils import timezone
from agents import dispatch, services
from agents.models import Agent, Message
user = User.objects.create_user("{name}")
agents = []
for number in range({agents}):
    draft = services.AgentDraft(name=f"{name} {{number}}", persona="I keep the lamp.", human="Name: Ada.")
    agent = services.agent_create(owner=user, draft=draft)
    for seq in range(101, 105):
        text = f"{word} message {{seq}} of {name}"
        Message.objects.create(agent=agent, seq=seq, kind="user_message", content=text, created_at=timezone.now())
    Agent.objects.filter(pk=agent.pk).update(next_seq=105, queue_start=105)
    agents.append(str(agent.pk))
    dispatch.embed_messages(agent.pk)
    dispatch.summarize(agent.pk, 105)
print(json.dumps(agents))
"""
SAY = """
import json
from agents import services
from agents.models import Agent
print(services.message_send(agent=Agent.objects.get(pk="{agent}"), text="Hello").pk)
"""


def _brain(request: Request) -> Answer:
    if "tools" in request:
        time.sleep(RUN_SECONDS)
        return say("Hello.")
    if SILENT in json.dumps(request["messages"]):
        time.sleep(3600)
    return Answer(content="They spoke of the harbour.")


def _before_embedding(texts: list[str]) -> None:
    if any(SILENT in text for text in texts):
        time.sleep(3600)


class Beside:
    """The product with one person's tasks hanging in it."""

    def __init__(self, product: Product, home: Path, managed: Callable[..., str]) -> None:
        self._product, self._managed = product, managed
        self._database = StackPaths(home).database_url

    def agents(self, name: str, count: int, word: str) -> list[str]:
        program = AGENTS.format(name=name, agents=count, word=word)
        agents: list[str] = json.loads(self._managed(self._product, "shell", "--no-imports", "-c", program))
        return agents

    def summary_of_another(self, name: str) -> float:
        """Seconds until another person's summary is there, a moment after it was asked for."""
        (agent,) = self.agents(name, 1, "plain")
        return self._until("SELECT count(*) FROM agents_summary WHERE agent_id = %s", agent)

    def embedding_of_another(self, name: str) -> float:
        """Seconds until another person's messages have their vectors, which memweb waits three seconds for."""
        (agent,) = self.agents(name, 1, "plain")
        return self._until(
            "SELECT count(*) = 4 FROM agents_message WHERE agent_id = %s AND context_embedding IS NOT NULL", agent
        )

    def killed_run(self, agent: str) -> float:
        """Seconds until a run whose worker is killed in the middle of it is taken up again."""
        program = SAY.format(agent=agent)
        run = self._managed(self._product, "shell", "--no-imports", "-c", program)
        began = self._until("SELECT count(*) FROM agents_run WHERE id = %s AND status = 'running' AND claims = 1", run)
        if began > LONGEST:
            return began
        os.kill(processes_of(self._product.process.pid)["worker-runs"], signal.SIGKILL)
        return self._until("SELECT count(*) FROM agents_run WHERE id = %s AND claims = 2", run)

    def _until(self, statement: str, key: Any) -> float:
        started = time.monotonic()
        while (passed := time.monotonic() - started) < LONGEST:
            with suppress(psycopg.OperationalError), psycopg.connect(self._database) as connection:
                row = connection.execute(statement, [key]).fetchone()
                if row and row[0]:
                    return passed
            time.sleep(0.1)
        return float("inf")


def beside(count: int, home: Path, managed: Callable[..., str]) -> Iterator[tuple[str, float, float]]:
    """What was measured, in seconds, and what it should not pass."""
    with ScriptedServer(_brain) as server:
        server.before_embedding = _before_embedding
        product = Product(home, {**SETTINGS, "OPENAI_BASE_URL": server.url})
        try:
            product.start()
            it = Beside(product, home, managed)
            (alone,) = it.agents("alone", 1, "plain")
            yield "another's summary, nothing hangs", it.summary_of_another("before"), 5
            it.agents("silent", count, SILENT)
            time.sleep(10)  # until all that can hang does
            for number in range(3):
                yield f"another's summary beside {count} tasks that hang", it.summary_of_another(f"beside-{number}"), 10
            yield f"another's vectors beside {count} tasks that hang", it.embedding_of_another("vectors"), 15
            for _number in range(3):
                yield f"a killed run beside {count} tasks that hang", it.killed_run(alone), 10
                time.sleep(RUN_SECONDS + 2)
        finally:
            product.stop()
