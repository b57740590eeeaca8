"""Agents and the texts they start from."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

MIN_CONTEXT_WINDOW = 4096  # tokens; below it instructions, functions and core memory may fill the window


class Preset(models.Model):
    """A starting text for a core memory block; without an owner it is offered to everybody."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    name = models.CharField(max_length=80)
    text = models.TextField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], name="%(class)s_name_once_per_owner", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class Persona(Preset):
    """Who the agent is."""

    class Meta(Preset.Meta):
        verbose_name, verbose_name_plural = _("persona"), _("personas")


class Human(Preset):
    """What the agent knows at the start about whom it talks with."""

    class Meta(Preset.Meta):
        verbose_name, verbose_name_plural = _("human"), _("humans")


class Agent(models.Model):
    """One agent. `queue_start` is the seq of the first message still in its FIFO queue; eviction moves it.

    `next_seq`, `queue_start`, `summary` and `pressure_alerted` change only under a lock on this row.
    """

    owner_language: str  # no columns: `runs.claim` reads these two of the owner's preferences with the row
    owner_zone: str

    class FunctionMode(models.TextChoices):
        AUTO = "auto", _("as configured")
        TOOLS = "tools", _("tools")
        JSON_SCHEMA = "json_schema", _("JSON schema")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="agents")
    name = models.CharField(max_length=80)
    # The server that is asked; none is the configured one.
    connection = models.ForeignKey(
        "agents.Connection", models.SET_NULL, null=True, blank=True, related_name="agents", verbose_name=_("connection")
    )
    model = models.CharField(max_length=120, blank=True, help_text=_("Empty: the configured default model."))
    function_mode = models.CharField(max_length=12, choices=FunctionMode.choices, default=FunctionMode.AUTO)
    system_instructions = models.TextField()
    context_window = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(MIN_CONTEXT_WINDOW), MaxValueValidator(2_000_000)],
        help_text=_("In tokens. Empty: the model's own."),
    )
    temperature = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(2)],
        help_text=_("Empty: the server's own."),
    )
    reasoning_effort = models.CharField(max_length=12, blank=True, db_default="", default="")
    reply_tokens = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(64)])
    # Who writes the summaries, where it is another model than the agent's own.
    summary_connection = models.ForeignKey(
        "agents.Connection", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    summary_model = models.CharField(max_length=120, blank=True, db_default="", default="")
    archive = models.OneToOneField("agents.Archive", models.RESTRICT, related_name="writer")
    description = models.TextField(blank=True, db_default="", default="")
    tags = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)  # of texts
    # What programs keep here for themselves: nothing of memweb reads it.
    metadata = models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, blank=True)
    # What a program asked for and this installation decides otherwise: given back to it, as `embedding` is.
    asked_for = models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, blank=True)
    # Names of functions that this agent is not offered.
    detached_functions = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)
    # Names of installed functions that it may call besides; one that is not installed now is kept for when it is again.
    attached_functions = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)
    # Names of those of them that are called only when a person has said yes.
    ask_first = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)
    attached_archives = models.ManyToManyField("agents.Archive", related_name="readers", blank=True)
    blocks = models.ManyToManyField("agents.Block", through="agents.AgentBlock", related_name="agents")

    next_seq = models.PositiveBigIntegerField(default=1, editable=False)
    queue_start = models.PositiveBigIntegerField(default=1, editable=False)
    summary = models.ForeignKey(
        "agents.Summary", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    pressure_alerted = models.BooleanField(default=False, editable=False)
    timeline_version = models.PositiveIntegerField(
        default=0, editable=False
    )  # grows when rows are taken back or edited
    heartbeat_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Wake the agent after so many quiet minutes. Empty: never.")
    )
    heartbeats_paused_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_active_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("agent"), _("agents")
        ordering = ["-last_active_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="agent_name_once_per_owner")]

    def __str__(self) -> str:
        return self.name
