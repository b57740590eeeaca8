"""What one message takes, in counts that do not depend on the machine: statements, compiled prompts, HTTP clients; and
where its CPU goes, layer by layer, as this machine has it.

    make bench-smoke

A private database, a scripted model behind HTTP; a message goes through the page's own view and a worker's own service
in this process. `tests/test_turn_counts.py` holds the figures.
"""

import os
import ssl
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import ScriptedServer, say
from benchmarks.database import database

if TYPE_CHECKING:
    from django.test import Client

    from agents.models import Agent

MESSAGES = 40  # that a layer's figure is the mean of


@dataclass(frozen=True)
class Counts:
    """Of one message with a one-step answer."""

    statements_of_the_request: int
    statements_of_the_run: int
    compiled_prompts: int
    tls_contexts: int


def count(agent: "Agent", browser: "Client", text: str = "How is the harbour today?") -> Counts:
    """Send a message to an agent that has answered one before, and work on its run, in this thread."""
    from django.db import connection

    from agents import queue_manager, services

    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "SAVEPOINT" not in sql:
            statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note), ExitStack() as stack:
        compiled = stack.enter_context(_counted(queue_manager, "compile"))
        contexts = stack.enter_context(_counted(ssl, "create_default_context"))
        answer = browser.post(_address(agent), {"text": text, "key": uuid.uuid4().hex})
        assert answer.status_code == 200, answer.content
        asked = len(statements)
        while services.run_next(agent_id=agent.pk):
            pass
    return Counts(asked, len(statements) - asked, compiled.call_count, contexts.call_count)


class Layers:
    """CPU of this thread by layer, in milliseconds, without the layers below each; waiting costs nothing."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}
        self._below = 0.0  # of the layer that is running, what others ran inside of it

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            outer, self._below = self._below, 0.0
            started = time.thread_time()
            try:
                return work(*arguments, **named)
            finally:
                whole = 1000 * (time.thread_time() - started)
                self.spent.setdefault(name, []).append(whole - self._below)
                self._below = outer + whole

        return wrapper


def layers(agent: "Agent", browser: "Client", times: int) -> dict[str, float]:
    """Milliseconds of CPU of one message by layer: the mean of `times` messages, each with a one-step answer."""
    from agents import agent_loop, queue_manager, runs, services
    from chat import frames

    measured = Layers()
    with ExitStack() as stack:
        for owner, function, name in (
            (runs, "claim", "claim"),
            (queue_manager, "admit", "compile"),
            (agent_loop._Attempt, "_stream", "gateway, drafts"),
            (agent_loop._Attempt, "_commit", "commit"),
        ):
            stack.enter_context(patch.object(owner, function, measured.timed(name, getattr(owner, function))))
        post = measured.timed("POST", browser.post)
        work = measured.timed("run, the rest", services.run_next)
        draw = measured.timed("frames", frames.rows_after)
        for _ in range(times):
            agent.refresh_from_db()
            post(_address(agent), {"text": "How is the harbour today?", "key": uuid.uuid4().hex})
            while work(agent_id=agent.pk):
                pass
            draw(agent, agent.next_seq - 1)
    return {name: sum(spent) / times for name, spent in measured.spent.items()}


def _address(agent: "Agent") -> str:
    from django.urls import reverse

    return reverse("message_send", args=[agent.pk])


@contextmanager
def _counted(owner: Any, name: str) -> Iterator[Any]:
    with patch.object(owner, name, wraps=getattr(owner, name)) as counted:
        yield counted


def main() -> None:
    with database(), ScriptedServer([say("Calm.")]) as server:
        os.environ["OPENAI_BASE_URL"] = server.url
        from dataclasses import replace

        from django.conf import settings
        from django.contrib.auth.models import User
        from django.test import Client

        from agents import services

        settings.LLM = replace(settings.LLM, base_url=server.url)
        settings.ALLOWED_HOSTS = ["testserver"]
        from celery import current_app

        current_app.conf.update(broker_url="memory://")
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        owner = User.objects.create_user("bench")
        draft = services.AgentDraft(name="Sam", persona="I keep the lamp.", human="Name: Ada.")
        agent = services.agent_create(owner=owner, draft=draft)
        browser = Client()
        browser.force_login(owner)
        count(agent, browser)  # the first makes the client, and the row of the prompt's prefix
        for name, value in asdict(count(agent, browser)).items():
            print(f"{name.replace('_', ' '):32}{value:6}")
        print()
        for name, milliseconds in layers(agent, browser, MESSAGES).items():
            print(f"{name:32}{milliseconds:6.1f} ms of CPU")


if __name__ == "__main__":
    main()
