"""Runs, as a worker and a person move them: the next one worked on, the running one stopped."""

import contextlib
import time
import uuid
from collections.abc import Collection

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import agent_loop, dispatch, runs
from agents.exceptions import LeaseLost, LLMError
from agents.models import Agent, Run
from agents.person import Person, works_for
from agents.runs import Lease


def run_next(*, agent_id: uuid.UUID) -> bool:
    """Work on the agent's next queued or abandoned run, if no other worker is. True if there was one.

    Raises what our own faults raise; the run is then marked failed first. What is written for the person is in their
    language, and days are theirs.
    """
    run = runs.claim(agent_id)
    if run is None or run.lease_token is None:
        return False
    cancelled = run.cancel_requested_at is not None
    lease = Lease(run.pk, run.lease_token, checked_at=time.monotonic(), cancelled=cancelled)
    with works_for(Person(run.agent.owner_language, run.agent.owner_zone)), contextlib.closing(lease):
        return _work(run, lease)


def _work(run: Run, lease: Lease) -> bool:
    try:
        for _step in agent_loop.run(run, lease=lease):
            pass
        dispatch.embed_messages(run.agent_id)
    except LeaseLost:
        return False
    except LLMError as error:
        runs.fail(run, lease, str(error), Run.StopReason.ENDPOINT)
    except Exception as error:  # our own fault: told to the person, then raised for the log
        fault = _("memweb itself failed: %(error)s. The log says more.") % {"error": type(error).__name__}
        runs.fail(run, lease, fault, Run.StopReason.FAULT)
        raise
    return True


def run_cancel(*, agent: Agent) -> None:
    """Stop the running run; the worker keeps what was written so far."""
    _cancel(agent.runs.filter(status=Run.Status.RUNNING))


def runs_cancel(*, agent: Agent, runs: Collection[int] | None = None) -> list[int]:
    """Stop those of the agent's runs, or all, that are not over; one that waits ends when it begins."""
    rows = agent.runs.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING])
    rows = rows if runs is None else rows.filter(pk__in=runs)
    ids = list(rows.values_list("pk", flat=True))
    _cancel(agent.runs.filter(pk__in=ids))
    return ids


def _cancel(rows: QuerySet[Run]) -> None:
    rows.update(cancel_requested_at=timezone.now())
