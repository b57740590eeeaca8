"""Runs (what one event sets off) and their steps (one model call each)."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """The agent's work on one event. The row is the queue: Redis only tells a worker to look.

    A worker holds a running run by `lease_token` until `lease_until`, which it renews.
    """

    steps_taken: int  # no column: `runs.claim` counts them with the row

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        WAITING = "waiting", _("waiting for a person")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")
        FAILED = "failed", _("failed")

    OPEN = (Status.QUEUED, Status.RUNNING)  # a worker is or will be at it
    BUSY = (Status.RUNNING, Status.WAITING)  # no other run of the agent may begin
    UNFINISHED = (*OPEN, Status.WAITING)

    class Trigger(models.TextChoices):
        USER_MESSAGE = "user_message", _("message")
        HEARTBEAT = "heartbeat", _("heartbeat")
        SYSTEM_ALERT = "system_alert", _("system alert")
        LOGIN = "login", _("login")
        RETRY = "retry", _("retry")

    class StopReason(models.TextChoices):
        """Why a run ended that is neither simply done nor stopped by a person."""

        MAX_STEPS = "max_steps", _("too many steps")
        SAME_CALLS = "same_calls", _("the same call again and again")
        NO_CALL = "no_call", _("no function call")
        ENDPOINT = "endpoint", _("the model's endpoint")
        FAULT = "fault", _("memweb's own fault")

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="runs")
    trigger = models.CharField(max_length=12, choices=Trigger.choices)
    event = models.ForeignKey(
        "agents.Message",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="triggered",
        help_text=_("What set it off."),
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    idempotency_key = models.CharField(max_length=64)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    held_by = models.CharField(max_length=80, blank=True, editable=False, db_default="", default="")  # machine/process
    claims = models.PositiveSmallIntegerField(editable=False, db_default=0, default=0)  # one more for each interruption
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    stop_reason = models.CharField(max_length=12, choices=StopReason.choices, blank=True, db_default="", default="")
    max_steps = models.PositiveSmallIntegerField(null=True, blank=True)  # fewer than the setting allows
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("run"), _("runs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["agent"], condition=Q(status="running"), name="one_running_run_per_agent"),
            models.UniqueConstraint(fields=["agent", "idempotency_key"], name="run_once_per_key"),
        ]
        indexes = [
            models.Index(
                fields=["agent", "id"],
                name="run_unfinished",
                condition=Q(status__in=["queued", "running", "waiting"]),
            ),
            models.Index(fields=["agent", "-id"], name="run_newest"),
            BrinIndex(fields=["created_at"], name="run_by_time", autosummarize=True, pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class PromptPrefix(models.Model):
    """What stands before the queue in a prompt; one row for all steps that were shown the same.

    `functions` is a list of `{"name", "description", "parameters"}`.
    """

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="prompt_prefixes")
    sha256 = models.CharField(max_length=64)
    system_instructions = models.TextField()
    functions = models.JSONField(default=list)
    core_memory = models.TextField(blank=True)
    summary = models.TextField(blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("prompt prefix"), _("prompt prefixes")
        constraints = [models.UniqueConstraint(fields=["agent", "sha256"], name="prompt_prefix_once_per_agent")]

    def __str__(self) -> str:
        return f"prefix {self.sha256[:8]}"


class Step(models.Model):
    """One model call, kept with enough to show its exact prompt again: `prefix`, `queue_start`, `last_seq`.

    Times are in seconds, `window` and `flush_mark` in tokens. `sections` is `[[name, tokens], ...]`.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=120)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    time_to_first_token = models.FloatField(default=0)
    latency = models.FloatField(default=0)
    finish_reason = models.CharField(max_length=40, blank=True)
    sections = models.JSONField(default=list)
    queue_start = models.PositiveBigIntegerField()
    last_seq = models.PositiveBigIntegerField()
    prefix = models.ForeignKey(PromptPrefix, models.SET_NULL, null=True, related_name="steps")
    window = models.PositiveIntegerField(default=0)
    flush_mark = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("step"), _("steps")
        ordering = ["run", "number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="step_once_per_run")]
        indexes = [BrinIndex(fields=["created_at"], name="step_by_time", autosummarize=True, pages_per_range=32)]

    def __str__(self) -> str:
        return f"step {self.number} of run {self.run_id}"

    @property
    def counted_tokens(self) -> int:
        """The prompt as memweb counted it; `prompt_tokens` is the server's own figure."""
        return sum(tokens for _, tokens in self.sections)

    @property
    def fresh_tokens(self) -> int:
        """The part of the prompt that no cache served."""
        return max(self.prompt_tokens - self.cached_tokens, 0)

    @property
    def cached_percent(self) -> float:
        """The part of the prompt that a cache served, to one decimal; 0 for an empty prompt."""
        return round(100 * self.cached_tokens / self.prompt_tokens, 1) if self.prompt_tokens else 0
