"""What a message costs, in counts: they may fall, not grow. `make bench-smoke` prints them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from agents import services
from agents.llm.scripted import Answer, Request, say
from agents.models import Agent, Run
from benchmarks.smoke import count
from tests.conftest import ServeModel, make_agent

IN_FLIGHT = 64
PATIENCE = 60  # seconds; far more than it takes


def test_what_one_message_takes(agent: Agent, client: Client, alice: User, serve_model: ServeModel) -> None:
    serve_model([say("Calm.")])
    client.force_login(alice)
    count(agent, client)
    counts = count(agent, client)
    assert counts.statements_of_the_request + counts.statements_of_the_run <= 22
    assert counts.compiled_prompts == 1
    assert counts.tls_contexts == 0


@pytest.mark.django_db(transaction=True)
def test_runs_that_wait_for_their_model_hold_no_connection(serve_model: ServeModel) -> None:
    """More of them than the pool has connections are all in flight at once."""
    options: Any = settings.DATABASES["default"]["OPTIONS"]
    assert options["pool"]["max_size"] < IN_FLIGHT
    all_asked, left = threading.Event(), threading.Semaphore(IN_FLIGHT - 1)

    def brain(request: Request) -> Answer:
        if not left.acquire(blocking=False):
            all_asked.set()
        return say("Here.") if all_asked.wait(PATIENCE) else Answer(status=400, body="they did not all come")

    serve_model(brain)
    owner = User.objects.create_user("crowd")
    agents = [make_agent(owner, f"Sam {number}") for number in range(IN_FLIGHT)]
    for agent in agents:
        services.message_send(agent=agent, text="Are you there?")

    def work(agent: Agent) -> None:
        try:
            services.run_next(agent_id=agent.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        list(threads.map(work, agents))
    assert Run.objects.filter(status=Run.Status.DONE).count() == IN_FLIGHT
