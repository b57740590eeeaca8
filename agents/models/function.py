"""Functions that reach outside the database: which there are, and the calls of them."""

import shlex

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models.looked_at import LookedAt


class FunctionSource(LookedAt):
    """Where functions come from, as a worker last found it: a module of the installation, or an MCP server.

    `place` is that of `memweb.functions.sources.Source`, or of a server {"url": ...} or {"command": [...]}. `secrets`
    is sealed (`agents.sealing`): the server's {"headers": {...}} or {"env": {...}}. Without an owner it is everybody's.
    """

    class Kind(models.TextChoices):
        MODULE = "module", _("module")
        SERVER = "server", _("MCP server")

    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.MODULE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="function_sources", null=True, blank=True
    )
    name = models.CharField(max_length=200)
    place = models.JSONField(default=dict)
    secrets = models.TextField(blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("source of functions"), _("sources of functions")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "kind", "name"], name="function_source_once_per_owner"),
            models.UniqueConstraint(
                fields=["kind", "name"], name="function_source_of_all_once", condition=Q(owner=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Of a server, as a person wrote it."""
        return str(self.place.get("url") or shlex.join(self.place.get("command", ())))


class InstalledFunction(models.Model):
    """A function that agents can be given. `parameters` is a JSON schema (an object), `time_limit` in seconds."""

    source = models.ForeignKey(FunctionSource, models.CASCADE, related_name="functions")
    name = models.CharField(max_length=64)
    remote_name = models.CharField(max_length=200, blank=True)  # what its server calls it
    description = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    idempotent = models.BooleanField(default=False)  # may be called again where nobody knows whether a call ended
    time_limit = models.FloatField(default=60)
    ask_first = models.BooleanField(default=False)  # for agents that are given it, until the person says otherwise

    class Meta:
        verbose_name, verbose_name_plural = _("function"), _("functions")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="function_once_per_source")]
        indexes = [models.Index(fields=["name"], name="function_by_name")]

    def __str__(self) -> str:
        return self.name


class OutsideCall(models.Model):
    """A call of such a function: committed with the step that asks for it, and ended with its one result.

    One that was begun and not ended may have happened or not: nobody knows. `goes_on` says that another step follows,
    whatever this call brings. A call that a person is asked about has `asked_at`, and waits until it has a `decision`.
    """

    class Decision(models.TextChoices):
        APPROVED = "approved", _("approved")
        DENIED = "denied", _("denied")
        EXPIRED = "expired", _("expired")

    step = models.ForeignKey("agents.Step", models.CASCADE, related_name="outside_calls")
    position = models.PositiveSmallIntegerField()  # within the answer
    call_id = models.CharField(max_length=120, blank=True)
    function = models.CharField(max_length=80)
    arguments = models.TextField(blank=True)  # JSON, as the model wrote it
    goes_on = models.BooleanField(default=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=8, choices=Decision.choices, blank=True)
    reason = models.TextField(blank=True)  # of a denial, for the model
    begun_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ok = models.BooleanField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("call"), _("calls")
        ordering = ["step", "position"]
        constraints = [models.UniqueConstraint(fields=["step", "position"], name="outside_call_once_per_position")]
        indexes = [
            models.Index(fields=["step"], name="outside_call_open", condition=Q(ended_at=None)),
            models.Index(fields=["function", "-id"], name="outside_call_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.function} ({self.pk})"
