"""A run's whole life: queued, claimed by one worker, held by its lease, finished or failed; and who looks after it.

queue ──> claim ──> Lease.check, Lease.hold ... ──> finish
            │                                        fail
            └─ a worker dies: the lease ends, `agents_to_wake` lists the run's agent, another worker claims it
"""

import contextlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents import dispatch, queue_manager
from agents.broadcast import bus
from agents.broadcast.draft import draft_save
from agents.broadcast.events import RunChanged, WaitingChanged
from agents.exceptions import LeaseLost, RunCancelled
from agents.models import Agent, Message, Run

CHECK_SECONDS = 0.5  # between two looks at the lease
PATIENCE = timedelta(seconds=10)  # for a queued run to be claimed: a task normally starts within one


@dataclass
class Lease:
    """One worker's hold on one running run, renewed while it works. Not shared between threads."""

    run_id: int
    token: UUID
    checked_at: float = field(default=0.0)  # monotonic seconds

    def check(self) -> None:
        """Renew, at most twice a second (one or two short queries). Raises LeaseLost, RunCancelled."""
        if time.monotonic() - self.checked_at < CHECK_SECONDS:
            return
        self.checked_at = time.monotonic()
        mine = Run.objects.filter(pk=self.run_id, lease_token=self.token, status=Run.Status.RUNNING)
        if not mine.update(lease_until=_expiry()):
            raise LeaseLost(f"Run {self.run_id} was taken over.")
        if mine.filter(cancel_requested_at__isnull=False).exists():
            raise RunCancelled(f"Run {self.run_id} was stopped.")

    def hold(self) -> Run:
        """The run's row, locked until the transaction ends. Raises LeaseLost."""
        try:
            return Run.objects.select_for_update(no_key=True).get(
                pk=self.run_id, lease_token=self.token, status=Run.Status.RUNNING
            )
        except Run.DoesNotExist as error:
            raise LeaseLost(f"Run {self.run_id} was taken over.") from error


def queue(agent: Agent, trigger: str, *, event: Message | None, key: str) -> Run:
    """Make a run that waits for a worker, and call one. Raises IntegrityError if the agent has a run with this key."""
    run = Run.objects.create(agent=agent, trigger=trigger, event=event, idempotency_key=key)
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, WaitingChanged())
    bus.publish_on_commit(group, RunChanged(run.pk, run.status))
    dispatch.run_agent(agent.pk)
    return run


def is_at_work(agent: Agent) -> bool:
    """Whether one of the agent's runs is running. Ask with the agent's row locked if none may start meanwhile."""
    return agent.runs.filter(status=Run.Status.RUNNING).exists()


def claim(agent_id: UUID) -> Run | None:
    """Take the lease of the agent's next run: an abandoned one first, else the oldest queued one. Locks the agent."""
    now = timezone.now()
    with transaction.atomic():
        agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
        if agent is None:
            return None
        running = agent.runs.filter(status=Run.Status.RUNNING).first()
        # A row that is locked is being committed by its worker, which wants the agent's row next: never wait for it.
        abandoned = agent.runs.select_for_update(skip_locked=True, no_key=True).filter(lease_until__lte=now)
        if running and not abandoned.filter(pk=running.pk).exists():
            return None
        run = running or agent.runs.filter(status=Run.Status.QUEUED).order_by("id").first()
        if run is None:
            return None
        run.status, run.lease_token, run.lease_until = Run.Status.RUNNING, uuid.uuid4(), _expiry()
        run.started_at = run.started_at or now
        run.save(update_fields=["status", "lease_token", "lease_until", "started_at"])
        if run.event and run.event.seq is None:
            run.event.run = run
            queue_manager.append(agent, run.event)
            bus.publish_on_commit(bus.agent_group(agent_id), WaitingChanged())
        bus.publish_on_commit(bus.agent_group(agent_id), RunChanged(run.pk, run.status))
    return run


def finish(run: Run, status: Run.Status, *, error: str = "") -> None:
    """End a run that is held, in the running transaction."""
    run.status, run.error, run.finished_at = status, error, timezone.now()
    run.lease_token = run.lease_until = None
    run.save(update_fields=["status", "error", "finished_at", "lease_token", "lease_until"])
    bus.publish_on_commit(bus.agent_group(run.agent_id), RunChanged(run.pk, status))


def fail(run: Run, lease: Lease, reason: str) -> None:
    """End a run as failed, with a notice in the timeline. Nothing happens if another worker took it over."""
    with contextlib.suppress(LeaseLost), transaction.atomic():
        finish(lease.hold(), Run.Status.FAILED, error=reason)
        notice = Message(kind=Message.Kind.NOTICE, content=reason, failed=True, run=run, created_at=timezone.now())
        queue_manager.append(run.agent, notice)
    draft_save(run.agent_id, None)


def agents_to_wake(now: datetime) -> Iterable[UUID]:
    """Agents with a run that no worker is at: abandoned, or queued and not picked up. One query."""
    waiting = Q(status=Run.Status.QUEUED, created_at__lt=now - PATIENCE)
    abandoned = Q(status=Run.Status.RUNNING, lease_until__lt=now)
    busy = Run.objects.filter(status=Run.Status.RUNNING, lease_until__gte=now).values("agent")
    rows = Run.objects.filter(waiting | abandoned).exclude(agent__in=busy)
    return rows.values_list("agent", flat=True).distinct()


def _expiry() -> datetime:
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
