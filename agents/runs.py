"""A run's whole life: queued, claimed by one worker, held by its lease, finished or failed; and who looks after it.

    queue ──> claim ──> Lease.check, Lease.hold ... ──> finish
                │ └───────── go_on <── pause ┘           fail
                └─ a worker dies: the lease ends, `agents_to_wake` lists the run's agent, another worker claims it

All leases of a process are renewed together, in one statement twice a second at most, by whichever of its threads asks
first: a run that waits for its model costs a thread and nothing else. The same statement tells who pressed Stop.
"""

import contextlib
import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from agents import dispatch, outside_calls, queue_manager, quotas
from agents.broadcast import bus
from agents.broadcast.draft import draft_save
from agents.broadcast.events import CallsAsked, ContextChanged, RunChanged, WaitingChanged
from agents.exceptions import LeaseLost, RunCancelled
from agents.locks import TRANSIENT, release_connection, renew_connections
from agents.models import Agent, Message, Run
from agents.telemetry import metrics
from memweb.stack.signs import is_there, this_machine

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)  # for a queued run to be claimed: a task normally starts within one
CHECK_SECONDS = 0.5  # between two looks at the rows

# What every turn asks is written out: making the SQL took longer than carrying it out.
AGENT_WITH_RUNS_SQL = """
    SELECT agent.*, coalesce(known.language, '') AS owner_language,
        coalesce(nullif(known.chosen_zone, ''), known.browser_zone, '') AS owner_zone
    FROM agents_agent AS agent LEFT JOIN agents_preferences AS known ON known.user_id = agent.owner_id
    WHERE agent.id = %s
        AND EXISTS (SELECT FROM agents_run WHERE agent_id = agent.id AND status IN ('queued', 'running'))
    FOR NO KEY UPDATE OF agent
"""
NEXT_RUN_SQL = """
    SELECT *, (SELECT count(*) FROM agents_step WHERE run_id = agents_run.id) AS steps_taken
    FROM agents_run WHERE agent_id = %s AND status IN ('queued', 'running', 'waiting')
    ORDER BY status = 'queued', id LIMIT 1
"""
CLAIM_SQL = """
    UPDATE agents_run SET status = %s, lease_token = %s, lease_until = %s, started_at = %s, held_by = %s,
        claims = claims + 1
    WHERE id = %s
"""
FINISH_SQL = """
    UPDATE agents_run SET status = %s, error = %s, stop_reason = %s, finished_at = %s,
        lease_token = NULL, lease_until = NULL
    WHERE id = %s
    RETURNING EXISTS (SELECT FROM agents_run AS other WHERE other.agent_id = agents_run.agent_id AND status = 'queued')
"""
PAUSE_SQL = "UPDATE agents_run SET status = 'waiting', lease_token = NULL, lease_until = NULL WHERE id = %s"
HOLD_SQL = """
    SELECT * FROM agents_run WHERE id = %s AND lease_token = %s AND status = 'running' FOR NO KEY UPDATE
"""
TO_WAKE_SQL = """
    SELECT DISTINCT run.agent_id FROM agents_run AS run
    WHERE (run.status = 'queued' AND run.created_at < %s OR run.status = 'running' AND run.lease_until < %s)
        AND NOT EXISTS (
            SELECT FROM agents_run AS other WHERE other.agent_id = run.agent_id
                AND (other.status = 'running' AND other.lease_until >= %s OR other.status = 'waiting')
        )
"""
# Rows that their own worker is committing right now are locked: they are skipped, and stay held.
RENEW_SQL = """
    WITH held AS (
        SELECT * FROM unnest(%s::bigint[], %s::uuid[]) AS held (id, token)
    ), free AS (
        SELECT run.id FROM agents_run AS run JOIN held ON run.id = held.id AND run.lease_token = held.token
        WHERE run.status = 'running' FOR NO KEY UPDATE OF run SKIP LOCKED
    ), renewed AS (
        UPDATE agents_run SET lease_until = %s FROM free WHERE agents_run.id = free.id
    )
    SELECT held.id, run.id IS NOT NULL, run.cancel_requested_at IS NOT NULL
    FROM held LEFT JOIN agents_run AS run
        ON run.id = held.id AND run.lease_token = held.token AND run.status = 'running'
"""


def queue(agent: Agent, trigger: str, *, event: Message | None, key: str, max_steps: int | None = None) -> Run:
    """Make a run that waits for a worker, and call one, in the running transaction.

    Raises IntegrityError if the agent has a run with this key; QuotaReached.
    """
    run = Run.objects.create(agent=agent, trigger=trigger, event=event, idempotency_key=key, max_steps=max_steps)
    quotas.check_tokens(agent.owner_id)  # after it: what is sent a second time was taken
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, WaitingChanged())
    bus.publish_on_commit(group, RunChanged(run.pk, run.status))
    dispatch.run_agent(agent.pk)
    return run


def is_at_work(agent: Agent) -> bool:
    """Whether one of the agent's runs is running, or waits for a person in the middle of a step.

    Ask with the agent's row locked if none may start meanwhile.
    """
    return agent.runs.filter(status__in=Run.BUSY).exists()


def claim(agent_id: UUID) -> Run | None:
    """Take the lease of the agent's next run: an abandoned one first, else the oldest queued one. Locks the agent.

    `agent`, with what is known of its owner, `event` and `steps_taken` of the run are loaded.

    One statement if there is nothing to do, six for a queued message.
    """
    now = timezone.now()
    with transaction.atomic():
        agent = next(iter(Agent.objects.raw(AGENT_WITH_RUNS_SQL, [agent_id])), None)
        run = next(iter(Run.objects.raw(NEXT_RUN_SQL, [agent_id])), None) if agent else None
        if agent is None or run is None or run.status == Run.Status.WAITING:
            return None
        if run.status == Run.Status.RUNNING and not _is_abandoned(run, now):
            return None
        if not quotas.may_run(agent):
            return None  # `finish` of another wakes it
        run.agent = agent
        if run.event_id:
            run.event = Message.objects.without_search_columns().get(pk=run.event_id)
        run.status, run.lease_token, run.lease_until = Run.Status.RUNNING, uuid.uuid4(), _expiry()
        run.started_at = run.started_at or now
        run.held_by, run.claims = _this_process(), run.claims + 1
        _execute(CLAIM_SQL, [run.status, run.lease_token, run.lease_until, run.started_at, run.held_by, run.pk])
        if run.event and run.event.seq is None:
            run.event.run = run
            queue_manager.append(agent, run.event)
            bus.publish_on_commit(bus.agent_group(agent_id), WaitingChanged())
        bus.publish_on_commit(bus.agent_group(agent_id), RunChanged(run.pk, run.status))
    if run.claims == 1:
        metrics.run_began(waited=(now - run.created_at).total_seconds())
    return run


def _is_abandoned(run: Run, now: datetime) -> bool:
    """A row that is locked is being committed by its worker, which wants the agent's row next: never wait for it."""
    rows = Run.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=run.pk, lease_until__lte=now)
    return rows.first() is not None


def finish(run: Run, status: Run.Status, *, error: str = "", stop_reason: str = "") -> bool:
    """End a run that is held, in the running transaction. `stop_reason` is a `Run.StopReason`.

    Whether another of the agent's runs waits. With the agent's row locked before, that is the last word: whoever sends
    one later has it claimed after this transaction.
    """
    run.status, run.error, run.stop_reason, run.finished_at = status, error, stop_reason, timezone.now()
    run.lease_token = run.lease_until = None
    with connection.cursor() as cursor:
        cursor.execute(FINISH_SQL, [run.status, run.error, run.stop_reason, run.finished_at, run.pk])
        (others_wait,) = cursor.fetchone()
    if waiting := quotas.next_to_run(run):
        dispatch.run_agent(waiting)
    bus.publish_on_commit(bus.agent_group(run.agent_id), RunChanged(run.pk, status))
    transaction.on_commit(lambda: metrics.run_ended(status=status, reason=stop_reason))
    return bool(others_wait)


def pause(run: Run) -> None:
    """Have a run that is held wait for a person, in the running transaction.

    No worker is at it then, and none of the agent's other runs begins.
    """
    _execute(PAUSE_SQL, [run.pk])
    if waiting := quotas.next_to_run(run):
        dispatch.run_agent(waiting)
    bus.publish_on_commit(bus.agent_group(run.agent_id), CallsAsked())
    bus.publish_on_commit(bus.agent_group(run.agent_id), RunChanged(run.pk, Run.Status.WAITING))


def go_on(run: Run) -> None:
    """Have a worker go on with a run that waited for a person. In a transaction."""
    waited = Run.objects.filter(pk=run.pk, status=Run.Status.WAITING)
    waited.update(status=Run.Status.QUEUED, claims=F("claims") - 1)  # that it waited was no interruption
    dispatch.run_agent(run.agent_id)
    bus.publish_on_commit(bus.agent_group(run.agent_id), RunChanged(run.pk, Run.Status.QUEUED))


def fail(run: Run, lease: "Lease", reason: str, stop_reason: Run.StopReason) -> None:
    """End a run as failed, with a notice in the timeline. Nothing happens if another worker took it over."""
    with contextlib.suppress(LeaseLost), transaction.atomic():
        finish(lease.hold(), Run.Status.FAILED, error=reason, stop_reason=stop_reason)
        results = outside_calls.give_up(outside_calls.left_of(run))
        notice = Message(kind=Message.Kind.NOTICE, content=reason, failed=True, run=run, created_at=timezone.now())
        queue_manager.append(run.agent, *results, notice)
        bus.publish_on_commit(bus.agent_group(run.agent_id), ContextChanged())
    draft_save(run.agent_id, None)


def let_go(run_id: int, token: UUID) -> None:
    """Free a run that its worker could not go on with, through no fault of the run: the next who looks takes it up."""
    freed = Run.objects.filter(pk=run_id, lease_token=token, status=Run.Status.RUNNING)
    freed.update(lease_until=timezone.now())


def let_go_of_the_dead() -> Iterable[UUID]:
    """Free what processes of this machine held that are no more; the agents whose runs it were. One query or two."""
    here = f"{this_machine()}/"
    held = Run.objects.filter(status=Run.Status.RUNNING, held_by__startswith=here)
    dead = [run for run in held if not is_there(int(run.held_by.removeprefix(here)))]
    if dead:
        Run.objects.filter(pk__in=[run.pk for run in dead]).update(lease_until=timezone.now())
    return {run.agent_id for run in dead}


def _this_process() -> str:
    return f"{this_machine()}/{os.getpid()}"


def agents_to_wake(now: datetime, *, patience: timedelta = PATIENCE) -> Iterable[UUID]:
    """Agents with a run that no worker is at: abandoned, or queued and not picked up in `patience`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(TO_WAKE_SQL, [now - patience, now, now])
        return [agent_id for (agent_id,) in cursor.fetchall()]


@dataclass(eq=False)
class Lease:
    """The hold on one running run. `lost` and `cancelled` are as the last look at the rows found them.

    `others_wait` says, once the run is over, whether another of the agent's may have to be worked on.
    """

    run_id: int
    token: UUID
    checked_at: float = field(default=0.0)  # monotonic seconds
    lost: bool = False
    cancelled: bool = False
    others_wait: bool = True

    def __post_init__(self) -> None:
        _keeper.add(self)

    def check(self) -> None:
        """Renew, with all others of this process, if nobody did for half a second. Raises LeaseLost, RunCancelled."""
        if time.monotonic() - self.checked_at >= CHECK_SECONDS:
            _keeper.renew(self)
        if self.lost:
            raise LeaseLost(f"Run {self.run_id} was taken over.")
        if self.cancelled:
            raise RunCancelled(f"Run {self.run_id} was stopped.")

    def hold(self) -> Run:
        """The run's row, locked until the transaction ends. One statement. Raises LeaseLost."""
        for run in Run.objects.raw(HOLD_SQL, [self.run_id, self.token]):
            return run
        raise LeaseLost(f"Run {self.run_id} was taken over.")

    def close(self) -> None:
        """Renew it no more."""
        _keeper.remove(self)


class _Keeper:
    """The leases of this process. One whose run was dropped without closing it goes by itself."""

    def __init__(self) -> None:
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._changing, self._looking = threading.Lock(), threading.Lock()

    def add(self, lease: Lease) -> None:
        with self._changing:
            self._leases.add(lease)

    def remove(self, lease: Lease) -> None:
        with self._changing:
            self._leases.discard(lease)

    def renew(self, asking: Lease) -> None:
        """Look at all of them; at once, unless another thread is at it."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            if time.monotonic() - asking.checked_at < CHECK_SECONDS:
                return
            with self._changing:
                leases = {lease.run_id: lease for lease in (*self._leases, asking)}
            for run_id, mine, cancelled in self._found(leases):
                lease = leases[run_id]
                lease.lost, lease.cancelled = not mine, cancelled
            now = time.monotonic()
            for lease in leases.values():
                lease.checked_at = now
        finally:
            self._looking.release()

    def _found(self, leases: dict[int, Lease]) -> list[tuple[int, bool, bool]]:
        """What the rows say; nothing while the database is away. Whoever took a run over meanwhile is heard of when it
        is back, and nothing is committed without the row."""
        try:
            return _look(leases)
        except TRANSIENT as error:
            logger.warning("The database is away: %d runs go on without renewing their leases. %s", len(leases), error)
            renew_connections()
            return []


_keeper = _Keeper()


def _execute(sql: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def _look(leases: dict[int, Lease]) -> list[tuple[int, bool, bool]]:
    with connection.cursor() as cursor:
        tokens = [lease.token for lease in leases.values()]
        cursor.execute(RENEW_SQL, [list(leases), tokens, _expiry()])
        rows: list[tuple[int, bool, bool]] = cursor.fetchall()
    release_connection()
    return rows


def _expiry() -> datetime:
    """Until when a lease that is renewed now lasts."""
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
