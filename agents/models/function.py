"""Functions that reach outside the database: which there are, and the calls of them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class FunctionSource(models.Model):
    """A module with functions, as a worker last found it. `place` is that of `memweb.functions.sources.Source`."""

    name = models.CharField(max_length=200, unique=True)
    place = models.JSONField(default=dict)
    error = models.TextField(blank=True)  # why it has none, for whoever can mend it
    looked_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("source of functions"), _("sources of functions")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class InstalledFunction(models.Model):
    """A function that agents can be given. `parameters` is a JSON schema (an object), `time_limit` in seconds."""

    source = models.ForeignKey(FunctionSource, models.CASCADE, related_name="functions")
    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    idempotent = models.BooleanField(default=False)  # may be called again where nobody knows whether a call ended
    time_limit = models.FloatField(default=60)
    ask_first = models.BooleanField(default=False)  # for agents that are given it, until the person says otherwise

    class Meta:
        verbose_name, verbose_name_plural = _("function"), _("functions")
        ordering = ["name"]

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
