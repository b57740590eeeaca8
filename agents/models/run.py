"""Runs (what one event sets off) and their steps (one model call each)."""

from django.db import models
from django.db.models import Q


class Run(models.Model):
    """The agent's work on one event. The row is the queue: Redis only tells a worker to look.

    A worker holds a running run by `lease_token` until `lease_until`, which it renews.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        STOPPED = "stopped", "stopped"
        FAILED = "failed", "failed"

    class Trigger(models.TextChoices):
        USER_MESSAGE = "user_message", "message"
        HEARTBEAT = "heartbeat", "heartbeat"
        SYSTEM_ALERT = "system_alert", "system alert"
        LOGIN = "login", "login"
        RETRY = "retry", "retry"

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="runs")
    trigger = models.CharField(max_length=12, choices=Trigger.choices)
    event = models.ForeignKey(
        "agents.Message", models.SET_NULL, null=True, blank=True, related_name="triggered", help_text="What set it off."
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    idempotency_key = models.CharField(max_length=64)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["agent"], condition=Q(status="running"), name="one_running_run_per_agent"),
            models.UniqueConstraint(fields=["agent", "idempotency_key"], name="run_once_per_key"),
        ]
        indexes = [
            models.Index(fields=["status", "id"], name="run_open", condition=Q(status__in=["queued", "running"]))
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class Step(models.Model):
    """One model call, kept with enough to show its exact prompt again: `queue_start`, `last_seq`, `summary`, `blocks`.

    Times are in seconds. `sections` is `[[name, tokens], ...]`; `blocks` maps block id to revision number.
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
    summary = models.ForeignKey("agents.Summary", models.SET_NULL, null=True, related_name="+")
    blocks = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="step_once_per_run")]

    def __str__(self) -> str:
        return f"step {self.number} of run {self.run_id}"

    @property
    def counted_tokens(self) -> int:
        """The prompt as memweb counted it; `prompt_tokens` is the server's own figure."""
        return sum(tokens for _, tokens in self.sections)
