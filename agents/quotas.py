"""What a person may still have and use, by the quota that an operator set. Where none is set, nothing is counted."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.exceptions import QuotaReached
from agents.models import Agent, Document, Passage, Quota, Run, Step

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MEGABYTE = 2**20
KEPT_SECONDS = 10.0  # a process looks for changed quotas this often
RUNS_LOCK = "SELECT pg_advisory_xact_lock(hashtext(%s))"

_kept: tuple[float, dict[int | None, Quota]] = (0.0, {})


def quota_of(owner_id: int) -> Quota:
    """Their own, or everybody's; one without limits if none is set. One query every 10 s at most."""
    quotas = _quotas()
    return quotas.get(owner_id) or quotas.get(None) or Quota()


def _quotas() -> dict[int | None, Quota]:
    global _kept
    read_at, quotas = _kept
    if time.monotonic() - read_at > KEPT_SECONDS or not read_at:
        quotas = {quota.user_id: quota for quota in Quota.objects.all()}
        _kept = time.monotonic(), quotas
    return quotas


def forget() -> None:
    """Read them anew the next time: one was changed in this process."""
    global _kept
    _kept = 0.0, {}


def check_agents(owner_id: int) -> None:
    """Room for one more agent. Raises QuotaReached."""
    most = quota_of(owner_id).agents
    if most is not None and _agents(owner_id) >= most:
        sentence = ngettext(
            "You may have %(most)s agent and have it. Delete it first, or ask whoever runs this memweb for more.",
            "You may have %(most)s agents and have them. Delete one first, or ask whoever runs this memweb for more.",
            most,
        )
        raise QuotaReached(sentence % {"most": f"{most:,}"})


def check_passages(owner_id: int, more: int) -> None:
    """Room for that many more passages. Raises QuotaReached."""
    most = quota_of(owner_id).passages
    if most is not None and _passages(owner_id) + more > most:
        sentence = ngettext(
            "Your archival storage may hold %(most)s passage. Delete what is no longer needed first.",
            "Your archival storage may hold %(most)s passages. Delete what is no longer needed first.",
            most,
        )
        raise QuotaReached(sentence % {"most": f"{most:,}"})


def check_bytes(owner_id: int, more: int) -> None:
    """Room for a document of that size. Raises QuotaReached."""
    most = quota_of(owner_id).megabytes
    if most is not None and _bytes(owner_id) + more > most * MEGABYTE:
        sentence = _("Your documents may have %(most)s MB together. Delete one that is no longer needed first.")
        raise QuotaReached(sentence % {"most": f"{most:,}"})


def check_tokens(owner_id: int) -> None:
    """Whether another run may begin today. Raises QuotaReached."""
    most = quota_of(owner_id).tokens_a_day
    if most is not None and _tokens(owner_id, _midnight()) >= most:
        sentence = _("You have used the %(most)s tokens that you have for a day. There are new ones from midnight on.")
        raise QuotaReached(sentence % {"most": f"{most:,}"})


def may_run(agent: Agent) -> bool:
    """Whether one more of its owner's runs may run now. Ask in the transaction that begins it: claims take turns."""
    most = quota_of(agent.owner_id).runs_at_once
    if most is None:
        return True
    with connection.cursor() as cursor:
        cursor.execute(RUNS_LOCK, [f"runs of person {agent.owner_id}"])
    others: int = _runs(agent.owner_id).exclude(agent=agent).count()
    return others < most


def next_to_run(ended: Run) -> UUID | None:
    """Of the same person, the agent whose run may begin now that this one ended; None where none had to wait."""
    if not _quotas() or quota_of(ended.agent.owner_id).runs_at_once is None:
        return None
    waiting = Run.objects.filter(agent__owner=ended.agent.owner_id, status=Run.Status.QUEUED).order_by("pk")
    busy = Run.objects.filter(agent=OuterRef("agent"), status__in=Run.BUSY)
    return waiting.exclude(Exists(busy)).values_list("agent", flat=True).first()


@dataclass(frozen=True)
class Share:
    """`used` of `most`, which is None where there is no limit."""

    name: Any
    used: int
    most: int | None

    @property
    def percent(self) -> int:
        """Of the limit, at most 100."""
        return min(100, 100 * self.used // self.most) if self.most else 100 if self.most == 0 else 0


def shares(owner: "User") -> list[Share]:
    """What a person has and uses now, of what they may. Six queries."""
    quota = quota_of(owner.pk)
    return [
        Share(gettext_lazy("Agents"), _agents(owner.pk), quota.agents),
        Share(gettext_lazy("Passages"), _passages(owner.pk), quota.passages),
        Share(gettext_lazy("MB of documents"), -(-_bytes(owner.pk) // MEGABYTE), quota.megabytes),
        Share(gettext_lazy("Runs at this moment"), _runs(owner.pk).count(), quota.runs_at_once),
        Share(gettext_lazy("Tokens today"), _tokens(owner.pk, _midnight()), quota.tokens_a_day),
    ]


def _agents(owner_id: int) -> int:
    return Agent.objects.filter(owner=owner_id).count()


def _passages(owner_id: int) -> int:
    return Passage.objects.filter(archive__owner=owner_id, retracted_at=None).count()


def _bytes(owner_id: int) -> int:
    return Document.objects.filter(archive__owner=owner_id).aggregate(sum=Sum("size"))["sum"] or 0


def _runs(owner_id: int) -> Any:
    return Run.objects.filter(agent__owner=owner_id, status=Run.Status.RUNNING)


def _tokens(owner_id: int, since: datetime) -> int:
    steps = Step.objects.filter(run__agent__owner=owner_id, created_at__gte=since)
    spent = F("prompt_tokens") + F("completion_tokens")
    return steps.aggregate(sum=Sum(spent))["sum"] or 0


def _midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
