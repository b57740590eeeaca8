"""The reaper: finds in the rows what no worker is at, and enqueues it again."""

from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Exists, F, Max, OuterRef, Q
from django.utils import timezone
from redis.exceptions import RedisError

from agents import dispatch, services
from agents.models import Agent, Checkpoint, Document, Passage, Run

PATIENCE = timedelta(seconds=10)  # a task normally starts within one
SUMMARY_PAUSE = 60  # seconds
REGRET = timedelta(hours=1)  # for which a passage that was deleted can be brought back
INGEST_PATIENCE = timedelta(seconds=60)  # a batch of passages takes a few


def reap() -> None:
    """Three or four queries when there is nothing to do."""
    now = timezone.now()
    waiting = Q(status=Run.Status.QUEUED, created_at__lt=now - PATIENCE)
    abandoned = Q(status=Run.Status.RUNNING, lease_until__lt=now)
    busy = Run.objects.filter(status=Run.Status.RUNNING, lease_until__gte=now).values("agent")
    for agent_id in (
        Run.objects.filter(waiting | abandoned).exclude(agent__in=busy).values_list("agent", flat=True).distinct()
    ):
        dispatch.run_agent(agent_id)
    stale = Document.objects.filter(worked_at__lt=now - INGEST_PATIENCE)
    for document in stale.exclude(status__in=[Document.Status.READY, Document.Status.FAILED]):
        dispatch.ingest(document.pk)
    _forget_passages(now)
    for agent in _unsummarised():
        if _first_in_a_while(f"summary-asked:{agent.pk}:{agent.queue_start}"):
            dispatch.summarize(agent.pk, agent.queue_start)
    for agent in _quiet(now):
        services.heartbeat_send(agent=agent, reason="Timed heartbeat: nothing has happened for a while.")


def _forget_passages(now: datetime) -> None:
    """Delete what was taken out of the archives for good; not what a checkpoint from before still holds."""
    keeping = Checkpoint.objects.filter(agent__archive=OuterRef("archive"), created_at__lt=OuterRef("retracted_at"))
    Passage.objects.filter(~Exists(keeping), retracted_at__lt=now - REGRET).delete()


def _first_in_a_while(what: str) -> bool:
    """False for a minute after it was true for `what`: an endpoint that refuses must not be asked at every look."""
    try:
        return cache.add(what, 1, SUMMARY_PAUSE)
    except RedisError:
        return True


def _unsummarised() -> list[Agent]:
    """Agents whose evicted messages no summary covers yet."""
    agents = Agent.objects.filter(queue_start__gt=1).annotate(covered=Max("summaries__covers_to"))
    return list(agents.filter(Q(covered__isnull=True) | Q(covered__lt=F("queue_start"))))


def _quiet(now: datetime) -> list[Agent]:
    """Agents whose timed heartbeat is due."""
    due = []
    for agent in Agent.objects.filter(heartbeat_minutes__isnull=False):
        paused = agent.heartbeats_paused_until and agent.heartbeats_paused_until > now
        quiet_since = now - timedelta(minutes=agent.heartbeat_minutes or 0)
        if (
            not paused
            and agent.last_active_at < quiet_since
            and not agent.runs.filter(status=Run.Status.QUEUED).exists()
        ):
            due.append(agent)
    return due
