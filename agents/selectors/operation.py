"""What whoever runs an installation watches: what waits now and for how long, and how the last day went."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef
from django.utils import timezone

from agents.external_context import archival_storage, recall_storage
from agents.ingest import turns
from agents.models import Agent, Document, Run

HOURS = 24
MOST_REASONS = 10
# The hours are those of the database's clock in UTC. Both tables have an index by time that is a few pages small.
HOURS_SQL = """
    WITH hours AS (
        SELECT generate_series(%(first)s, %(last)s, interval '1 hour') AS hour
    ), run AS (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, count(*) FILTER (WHERE status = 'done') AS done,
            count(*) FILTER (WHERE status = 'stopped') AS stopped, count(*) FILTER (WHERE status = 'failed') AS failed,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at)) AS wait
        FROM agents_run WHERE created_at >= %(first)s GROUP BY 1
    ), step AS (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, sum(prompt_tokens) AS prompt,
            sum(completion_tokens) AS completion, percentile_cont(0.5) WITHIN GROUP (ORDER BY latency) AS usual,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY latency) AS slow
        FROM agents_step WHERE created_at >= %(first)s GROUP BY 1
    )
    SELECT hour, coalesce(done, 0), coalesce(stopped, 0), coalesce(failed, 0), coalesce(wait, 0), coalesce(usual, 0),
        coalesce(slow, 0), coalesce(prompt, 0), coalesce(completion, 0)
    FROM hours LEFT JOIN run USING (hour) LEFT JOIN step USING (hour) ORDER BY hour
"""


@dataclass(frozen=True)
class Figure:
    """`name` as Prometheus writes it; `values` by what `label` may be, one alone where there is none."""

    name: str
    tells: str
    values: Mapping[str, float]
    label: str = ""


def figures_now() -> list[Figure]:
    """What waits. Six queries, none of which reads what is done."""
    behind = {
        "passages": archival_storage.not_embedded().count(),
        "messages": recall_storage.everybodys_not_embedded().count(),
    }
    documents = _by_status(Document, (Document.Status.QUEUED, *turns.BEING_READ))
    return [
        Figure("memweb_agents", "Agents that there are.", {"": Agent.objects.count()}),
        Figure("memweb_runs_open", "Runs that are not over.", _by_status(Run, Run.UNFINISHED), "status"),
        Figure("memweb_run_queue_age_seconds", "How long the oldest run waits that could run.", {"": _queue_age()}),
        Figure("memweb_documents_open", "Documents to be read.", documents, "status"),
        Figure("memweb_not_embedded", "What has no vector yet, and is found by its words alone.", behind, "kind"),
    ]


def _by_status(model: type[Run] | type[Document], open_ones: Sequence[str]) -> dict[str, float]:
    rows = model._default_manager.filter(status__in=open_ones).order_by()
    return {**dict.fromkeys(map(str, open_ones), 0), **dict(rows.values_list("status").annotate(Count("pk")))}


def _queue_age() -> float:
    """Seconds; 0 if none waits. One that waits for an earlier run of its agent is not late."""
    running = Run.objects.filter(agent=OuterRef("agent"), status__in=Run.BUSY)
    waiting = Run.objects.filter(~Exists(running), status=Run.Status.QUEUED)
    since = waiting.aggregate(since=Min("created_at"))["since"]
    return max((timezone.now() - since).total_seconds(), 0.0) if since else 0.0


@dataclass(frozen=True)
class Hour:
    """Runs that were sent in it, by how they ended, and the steps taken in it. `wait`, `usual` and `slow` in seconds:
    what 95 of 100 runs waited at most for a worker, the median of steps, and what 95 of 100 of them took at most."""

    start: datetime
    done: int
    stopped: int
    failed: int
    wait: float
    usual: float
    slow: float
    prompt_tokens: int
    completion_tokens: int


def last_day() -> list[Hour]:
    """The last 24 hours, the present one last. One query."""
    last = timezone.now().replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(HOURS_SQL, {"first": last - timedelta(hours=HOURS - 1), "last": last})
        return [Hour(*row) for row in cursor.fetchall()]


def reasons_of_failure() -> list[tuple[str, int]]:
    """Why runs of the last day failed, the most frequent reason first."""
    since = timezone.now() - timedelta(hours=HOURS)
    rows = Run.objects.filter(created_at__gte=since, status=Run.Status.FAILED).order_by("-id")
    return Counter(rows.values_list("error", flat=True)[:10_000]).most_common(MOST_REASONS)
