"""Runs: an agent's work on one message."""

import time

from memweb.client.results import Run
from memweb.client.steps import Pause, Steps, ask, get, path, post, read_as

SOONEST, LATEST = 0.2, 2.0  # seconds between two looks at a run


def list_runs(agent_id: str, *, limit: int = 20) -> Steps[list[Run]]:
    """The last runs of an agent, the newest first."""
    return read_as(list[Run], (yield from ask(get(path("runs") + "/", agent_id=agent_id, limit=limit))))


def get_run(run_id: str) -> Steps[Run]:
    """A run as it is now."""
    return read_as(Run, (yield from ask(get(path("runs", run_id)))))


def wait_for_run(run_id: str, *, timeout: float | None = None) -> Steps[Run]:
    """Wait until a run is over. Raises TimeoutError if it is not after so many seconds; the run goes on."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = SOONEST
    while not (run := (yield from get_run(run_id))).is_over:
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError(f"The run {run_id} is not over after {timeout:g} seconds; it goes on.")
        yield Pause(pause)
        pause = min(pause * 1.5, LATEST)
    return run


def stop_run(run_id: str) -> Steps[None]:
    """Stop a run; what it did before is kept."""
    run = yield from get_run(run_id)
    yield from ask(post(path("agents", run.agent_id, "messages", "cancel"), {"run_ids": [run_id]}))
