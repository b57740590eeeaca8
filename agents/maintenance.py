"""The reaper: finds in the rows what no worker is at, and enqueues it again."""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, Value
from django.utils import timezone
from redis.exceptions import RedisError

from agents import dispatch, health, runs, services
from agents.exceptions import QuotaReached
from agents.external_context import archival_storage, recall_storage
from agents.ingest import turns
from agents.models import Agent, Checkpoint, Document, EmbeddingChoice, Passage, Run

SUMMARY_PAUSE, WAKE_PAUSE = 60, 10  # seconds
REGRET = timedelta(hours=1)  # for which a passage that was deleted can be brought back
EXCHANGE_PAUSE = timedelta(seconds=60)  # a slice of work on new vectors takes a third of it
INGEST_PATIENCE = timedelta(seconds=60)  # a batch of passages takes a few


def look_after_runs() -> None:
    """Wake the agents with runs that nobody is at. One query.

    Each worker looks: one of them wakes an agent, and not at every look while all are busy.
    """
    for agent_id in runs.agents_to_wake(timezone.now()):
        if _first_in_a_while(f"woken:{agent_id}", WAKE_PAUSE):
            dispatch.run_agent(agent_id)


def reap() -> None:
    """Runs and documents that nobody is at, missing summaries, timed heartbeats, passages that can go for good. Nine
    queries when there is nothing to do.
    """
    now = timezone.now()
    health.note_look()
    look_after_runs()
    for _ in range(_documents_to_take_up(now)):
        dispatch.ingest()
    services.calls_expire(before=now - settings.APPROVAL_TIME)
    _forget_passages(now)
    _embed_what_was_dropped()
    for agent_id, queue_start in _unsummarised():
        if _first_in_a_while(f"summary-asked:{agent_id}:{queue_start}"):
            dispatch.summarize(agent_id, queue_start)
    for agent in _quiet(now):
        with suppress(QuotaReached, IntegrityError):  # another reaper sent the heartbeat of this silence
            reason = "Timed heartbeat: nothing has happened for a while."
            services.heartbeat_send(agent=agent, reason=reason, key=f"silence since {agent.last_active_at.isoformat()}")


def take_over() -> None:
    """A worker that finds its broker, at its start or again, takes up at once what processes of this machine held that
    are no more, and what was sent while there was no broker."""
    for agent_id in {*runs.let_go_of_the_dead(), *runs.agents_to_wake(timezone.now(), patience=timedelta())}:
        dispatch.run_agent(agent_id)


def _documents_to_take_up(now: datetime) -> int:
    """How many workers to wake for documents whose worker died, and for those whose turn it is and that nobody came to.
    Asked for once in a while: they wait from now on."""
    stale = Document.objects.filter(worked_at__lt=now - INGEST_PATIENCE)
    stale.filter(status__in=turns.BEING_READ).update(status=Document.Status.QUEUED)
    found = list(turns.waiting().filter(worked_at__lt=now - INGEST_PATIENCE).values_list("pk", flat=True))
    if found:
        Document.objects.filter(pk__in=found, status=Document.Status.QUEUED).update(worked_at=now)
    return min(len(found), turns.AT_ONCE + 1)


def _forget_passages(now: datetime) -> None:
    """Delete what was taken out of the archives for good; not what a checkpoint from before still holds."""
    held = Checkpoint.objects.filter(agent__archive=OuterRef("archive"), created_at__lt=OuterRef("retracted_at"))
    Passage.objects.filter(~Exists(held), retracted_at__lt=now - REGRET).delete()


def _embed_what_was_dropped() -> None:
    """What has no vector: an import's, say, whose worker died. And a change of the model that no worker is at, or whose
    last step, a minute after the rest, may have been lost with its worker."""
    now = timezone.now()
    stalled = Q(state=EmbeddingChoice.State.COMING, worked_at__lt=now - EXCHANGE_PAUSE)
    settling = Q(
        state=EmbeddingChoice.State.USED, worked_at__range=(now - 6 * EXCHANGE_PAUSE, now - 2 * EXCHANGE_PAUSE)
    )
    if EmbeddingChoice.objects.filter(stalled | settling).exists() and _first_in_a_while("exchange-asked"):
        dispatch.change_embeddings()
    if archival_storage.not_embedded().exists() and _first_in_a_while("passages-asked"):
        dispatch.embed_passages()
    for agent_id in recall_storage.agents_not_embedded():
        if _first_in_a_while(f"messages-asked:{agent_id}"):
            dispatch.embed_messages(agent_id)


def _first_in_a_while(what: str, pause: int = SUMMARY_PAUSE) -> bool:
    """False for `pause` seconds after it was true for `what`: an endpoint that refuses must not be asked at every
    look."""
    try:
        return cache.add(what, 1, pause)
    except RedisError:
        return True


def _unsummarised() -> "QuerySet[Agent, tuple[UUID, int]]":
    """Agents whose evicted messages no summary covers yet, each with its `queue_start`."""
    agents = Agent.objects.filter(queue_start__gt=1).annotate(covered=Max("summaries__covers_to"))
    agents = agents.filter(Q(covered__isnull=True) | Q(covered__lt=F("queue_start")))
    return agents.order_by().values_list("pk", "queue_start")


def _quiet(now: datetime) -> "QuerySet[Agent]":
    """Agents whose timed heartbeat is due and that have no run waiting."""
    due_at = F("last_active_at") + F("heartbeat_minutes") * Value(timedelta(minutes=1))
    agents = Agent.objects.annotate(due_at=ExpressionWrapper(due_at, output_field=DateTimeField()))
    due = agents.filter(Q(heartbeats_paused_until=None) | Q(heartbeats_paused_until__lte=now), due_at__lt=now)
    unfinished = Run.objects.filter(agent=OuterRef("pk"), status__in=(Run.Status.QUEUED, Run.Status.WAITING))
    return due.exclude(Exists(unfinished))
