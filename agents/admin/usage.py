"""What agents and people have used, as columns of the admin's lists. The figures come from `agents.selectors.usage`."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import F, Model
from django.db.models.functions import NullIf
from django.utils.translation import gettext_lazy as _

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
