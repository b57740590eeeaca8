"""What agents and people have used, as columns of a list.

Each figure is a subquery of its own: joins would multiply one another, three runs and five messages making fifteen.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Count, F, Max, Model, OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Document, Message, Passage, Run, Step

Column = Callable[[Any], str]

FIGURES = {
    "used_runs": _("runs"),
    "used_steps": _("steps"),
    "used_prompt": _("prompt tokens"),
    "used_completion": _("completion tokens"),
    "used_messages": _("messages"),
    "used_passages": _("passages"),
    "used_documents": _("documents"),
}


def by_agent() -> dict[str, Combinable]:
    return _figures(agent="", archive="archive__writer")


def by_person() -> dict[str, Combinable]:
    return {
        **_figures(agent="__owner", archive="archive__owner"),
        "used_agents": _sum(Agent.objects.all(), "owner", Count("pk")),
        "used_last": _of(Agent.objects.all(), "owner", Max("last_active_at")),
    }


def of_archive() -> dict[str, Combinable]:
    return {
        "used_passages": _sum(Passage.objects.filter(retracted_at=None), "archive", Count("pk")),
        "used_documents": _sum(Document.objects.all(), "archive", Count("pk")),
    }


def _figures(*, agent: str, archive: str) -> dict[str, Combinable]:
    """`agent` is added to a row's way to its agent; `archive` is the way of what lies in an archive."""
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


def _sum(rows: "QuerySet[Any, Any]", way: str, figure: Combinable) -> Combinable:
    return Coalesce(_of(rows, way, figure), 0)


def _of(rows: "QuerySet[Any, Any]", way: str, figure: Combinable) -> Combinable:
    mine = rows.filter(**{way: OuterRef("pk")}).order_by().values(way)
    return Subquery(mine.annotate(figure=figure).values("figure"))


def _column(name: str, label: Any) -> Column:
    @admin.display(description=label, ordering=name)
    def shown(row: Model) -> str:
        return f"{getattr(row, name):,}"

    shown.__name__ = name  # the class of its cells
    return shown


@admin.display(description=_("cached"), ordering=F("used_cached") * 1.0 / NullIf(F("used_prompt"), 0))
def used_cached(row: Any) -> str:
    """The share of the prompts that a cache served."""
    return f"{100 * row.used_cached / row.used_prompt:.0f} %" if row.used_prompt else "–"


COLUMNS: dict[str, Column] = {name: _column(name, label) for name, label in FIGURES.items()}
RUNS, STEPS, PROMPT, COMPLETION, MESSAGES, PASSAGES, DOCUMENTS = COLUMNS.values()
LISTED = (RUNS, STEPS, PROMPT, used_cached, COMPLETION, MESSAGES, PASSAGES, DOCUMENTS)
