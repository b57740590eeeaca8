"""What agents and people have used, as columns of a list.

Each figure is a subquery of its own: joins would multiply one another, three runs and five messages making fifteen.
"""

from typing import Any

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from agents.models import Agent, Document, Message, Passage, Run, Step


def by_agent() -> dict[str, Combinable]:
    """Annotations of a list of agents."""
    return _figures(agent="", archive="archive__writer")


def by_person() -> dict[str, Combinable]:
    """Annotations of a list of people."""
    return {
        **_figures(agent="__owner", archive="archive__owner"),
        "used_agents": _sum(Agent.objects.all(), "owner", Count("pk")),
        "used_last": _of(Agent.objects.all(), "owner", Max("last_active_at")),
    }


def of_archive() -> dict[str, Combinable]:
    """Annotations of a list of archives."""
    return {
        "used_passages": _sum(Passage.objects.filter(retracted_at=None), "archive", Count("pk")),
        "used_documents": _sum(Document.objects.all(), "archive", Count("pk")),
    }


def _figures(*, agent: str, archive: str) -> dict[str, Combinable]:
    """`agent` is added to a row's path to its agent; `archive` is the path of what lies in an archive."""
    runs, steps = f"agent{agent}", f"run__agent{agent}"
    return {
        "used_runs": _sum(Run.objects.all(), runs, Count("pk")),
        "used_steps": _sum(Step.objects.all(), steps, Count("pk")),
        "used_prompt": _sum(Step.objects.all(), steps, Sum("prompt_tokens")),
        "used_cached": _sum(Step.objects.all(), steps, Sum("cached_tokens")),
        "used_completion": _sum(Step.objects.all(), steps, Sum("completion_tokens")),
        "used_messages": _sum(Message.objects.filter(retracted_at=None), runs, Count("pk")),
        "used_passages": _sum(Passage.objects.filter(retracted_at=None), archive, Count("pk")),
        "used_documents": _sum(Document.objects.all(), archive, Count("pk")),
    }


def _sum(rows: "QuerySet[Any, Any]", path: str, figure: Combinable) -> Combinable:
    return Coalesce(_of(rows, path, figure), 0)


def _of(rows: "QuerySet[Any, Any]", path: str, figure: Combinable) -> Combinable:
    mine = rows.filter(**{path: OuterRef("pk")}).order_by().values(path)
    return Subquery(mine.annotate(figure=figure).values("figure"))
