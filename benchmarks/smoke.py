"""What one message takes, in counts that do not depend on the machine: statements, compiled prompts, HTTP clients.

    make bench-smoke

A private database, a scripted model behind HTTP; a message goes through the page's own view and a worker's own service
in this process. `tests/test_turn_counts.py` holds the figures.
"""

import os
import ssl
import sys
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
    from django.urls import reverse

    from agents import queue_manager, services

    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "SAVEPOINT" not in sql:
            statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note), ExitStack() as stack:
        compiled = stack.enter_context(_counted(queue_manager, "compile"))
        contexts = stack.enter_context(_counted(ssl, "create_default_context"))
        url = reverse("message_send", args=[agent.pk])
        answer = browser.post(url, {"text": text, "key": uuid.uuid4().hex})
        assert answer.status_code == 200, answer.content
        asked = len(statements)
        while services.run_next(agent_id=agent.pk):
            pass
    return Counts(asked, len(statements) - asked, compiled.call_count, contexts.call_count)


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
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        owner = User.objects.create_user("bench")
        draft = services.AgentDraft(name="Sam", persona="I keep the lamp.", human="Name: Ada.")
        agent = services.agent_create(owner=owner, draft=draft)
        browser = Client()
        browser.force_login(owner)
        count(agent, browser)  # the first makes the client, and the row of the prompt's prefix
        for name, value in asdict(count(agent, browser)).items():
            print(f"{name.replace('_', ' '):32}{value:6}")


if __name__ == "__main__":
    main()
