"""Runs, as a worker and a person move them: the next one worked on, the running one stopped."""

import contextlib
import logging
import time
import uuid
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from agents import agent_loop, dispatch, runs
from agents.broadcast import bus
from agents.broadcast.events import CallsAsked
from agents.exceptions import LeaseLost, LLMError
from agents.locks import TRANSIENT, renew_connections
from agents.models import Agent, Run
from agents.person import Person, works_for
from agents.runs import Lease
from agents.telemetry import traces
from agents.telemetry.marks import marked

logger = logging.getLogger(__name__)

MOST_CLAIMS = 20  # of one run, of which all but one are interruptions
PASSING = (*TRANSIENT, RedisError)  # faults of what is around it
PAUSES = (0.2, 0.5, 1, 2, 4)  # seconds


def run_next(*, agent_id: uuid.UUID) -> bool:
    """Work on the agent's next queued or abandoned run, if no other worker is. False if there is nothing more to do.

    Raises what our own faults raise; the run is then marked failed first. What is written for the person is in their
    language, and days are theirs.
    """
    run = runs.claim(agent_id)
    if run is None or run.lease_token is None:
        return False
    cancelled = run.cancel_requested_at is not None
    lease = Lease(run.pk, run.lease_token, checked_at=time.monotonic(), cancelled=cancelled)
    told: dict[str, str | int] = {"agent": str(agent_id), "run": run.pk}
    person = Person(run.agent.owner_language, run.agent.owner_zone)
    with marked(**told), traces.span("run", **told), works_for(person), contextlib.closing(lease):
        return _work(run, lease)


def _work(run: Run, lease: Lease) -> bool:
    try:
        if run.claims > MOST_CLAIMS:
            text = _("This was interrupted %(times)d times; it may be what it is about.")
            raise LLMError(text % {"times": MOST_CLAIMS})
        for _step in agent_loop.run(run, lease=lease):
            pass
        dispatch.embed_messages(run.agent_id)
    except LeaseLost:
        return False
    except LLMError as error:
        runs.fail(run, lease, str(error), Run.StopReason.ENDPOINT)
    except PASSING as error:  # no fault of the run: it goes on at the step that was not committed
        logger.warning("Run %s was interrupted and is taken up again: %s", run.pk, error)
        return _leave(run, lease)
    except Exception as error:  # our own fault: told to the person, then raised for the log
        fault = _("memweb itself failed: %(error)s. The log says more.") % {"error": type(error).__name__}
        runs.fail(run, lease, fault, Run.StopReason.FAULT)
        raise
    return lease.others_wait


def _leave(run: Run, lease: Lease) -> bool:
    """Free the run as soon as the database lets it; else the lease ends by itself. False: look no further."""
    for pause in PAUSES:
        renew_connections()
        try:
            runs.let_go(run.pk, lease.token)
            dispatch.run_agent(run.agent_id)
            return False
        except TRANSIENT:
            time.sleep(pause)
    return False


def run_cancel(*, agent: Agent) -> None:
    """Stop the running run; the worker keeps what was written so far."""
    _cancel(agent.runs.filter(status__in=Run.BUSY))


def runs_cancel(*, agent: Agent, runs: Collection[int] | None = None) -> list[int]:
    """Stop those of the agent's runs, or all, that are not over; one that waits ends when it begins."""
    rows = agent.runs.filter(status__in=Run.UNFINISHED)
    rows = rows if runs is None else rows.filter(pk__in=runs)
    ids = list(rows.values_list("pk", flat=True))
    _cancel(agent.runs.filter(pk__in=ids))
    return ids


def _cancel(rows: QuerySet[Run]) -> None:
    """One that waits for a person goes on, so that a worker ends it."""
    waiting = list(rows.filter(status=Run.Status.WAITING))
    rows.update(cancel_requested_at=timezone.now())
    with transaction.atomic():
        for run in waiting:
            runs.go_on(run)
            bus.publish_on_commit(bus.agent_group(run.agent_id), CallsAsked())
