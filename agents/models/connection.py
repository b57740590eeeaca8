"""Model servers that people connect, beside the one that the settings name."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models.looked_at import LookedAt
from memweb.stack.env import env


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model at a server. None and empty are not known.

    `mode` is the function mode that works, `window` in tokens, `sees` whether it takes pictures, `embeds` whether it is
    there for embeddings alone. `tried` says that a worker had it answer; `error` is why that failed.
    """

    name: str
    mode: str = ""
    window: int | None = None
    sees: bool | None = None
    streams: bool | None = None
    counts: bool | None = None
    embeds: bool = False
    tried: bool = False
    error: str = ""


class _WithOwner(models.Manager["Connection"]):
    """Who owns a connection decides where it may lead, so the owner always comes with it."""

    def get_queryset(self) -> "models.QuerySet[Connection]":
        return super().get_queryset().select_related("owner")


class Connection(LookedAt):
    """A model server. Without an owner it is everybody's.

    `secrets` is sealed (`agents.sealing`): {"key": ..., "headers": {...}}. `offered` are the `ModelFacts` of its models
    as its own list has them, `tried` those that a worker tried, by name.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="connections", null=True, blank=True
    )
    name = models.CharField(max_length=40)
    base_url = models.CharField(max_length=2000)
    secrets = models.TextField(blank=True)
    timeout = models.FloatField(default=120)  # seconds of silence
    offered = models.JSONField(default=list)
    tried = models.JSONField(default=dict)

    objects = _WithOwner()

    class Meta:
        verbose_name, verbose_name_plural = _("connection"), _("connections")
        ordering = ["name"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="connection_once_per_owner"),
            models.UniqueConstraint(fields=["name"], name="connection_of_all_once", condition=Q(owner=None)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_only(self) -> bool:
        """Whether it may not lead into private networks."""
        return not (self.owner is None or self.owner.is_staff or env().memweb_models_allow_private)

    @property
    def all_models(self) -> list[ModelFacts]:
        """All that it offers, and those that were tried besides, what was found out before what is said."""
        said = {facts["name"]: ModelFacts(**facts) for facts in self.offered}
        return [self.facts_of(name) for name in {**said, **self.tried}]

    @property
    def tried_models(self) -> list[ModelFacts]:
        """Those that a worker tried."""
        return [self.facts_of(name) for name in self.tried]

    def facts_of(self, model: str) -> ModelFacts:
        """Of a model there, known or not."""
        said = next((ModelFacts(**facts) for facts in self.offered if facts["name"] == model), ModelFacts(model))
        found = self.tried.get(model)
        return said if found is None else _both(said, ModelFacts(**found))

    def note(self, facts: ModelFacts) -> None:
        """Keep what a trial found; not saved."""
        self.tried = {**self.tried, facts.name: asdict(facts)}


def _both(said: ModelFacts, found: ModelFacts) -> ModelFacts:
    known: dict[str, Any] = {name: value for name, value in asdict(found).items() if value not in (None, "")}
    return replace(said, **known)
