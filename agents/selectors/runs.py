"""Runs and the prompts of their steps."""

from django.db.models import Prefetch, QuerySet

from agents.models import Agent, Message, Run, Step


def running(agent: Agent) -> Run | None:
    """The run that a worker is at."""
    return agent.runs.filter(status=Run.Status.RUNNING).first()


def runs_of(agent: Agent, status: str = "") -> "QuerySet[Run]":
    """Runs with the message that set each off, their steps and the steps' messages; of one status, if it is one."""
    messages = Prefetch("steps__messages", agent.messages.filter(retracted_at=None).without_search_columns())
    rows = agent.runs.select_related("event").prefetch_related("steps", messages)
    rows = rows.defer(*(f"event__{column}" for column in Message.SEARCH_COLUMNS))
    return rows.filter(status=status) if status in Run.Status.values else rows


def newest_prompts(agent: Agent, runs: int) -> list[tuple[int, int]]:
    """The last prompt of each of the newest runs, oldest first: (run id, tokens). Two queries."""
    newest = agent.runs.filter(steps__isnull=False).distinct().order_by("-id").values("id")[:runs]
    steps = Step.objects.filter(run__in=list(newest.values_list("id", flat=True))).order_by("run", "number")
    return sorted({step.run_id: step.prompt_tokens or step.counted_tokens for step in steps}.items())
