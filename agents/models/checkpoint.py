"""Named snapshots of an agent."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Checkpoint(models.Model):
    """How an agent was at one moment, to be restored as a new agent.

    `blocks` is a list of `{"label", "value", "limit", "description", "read_only"}` in the order of the prompt.
    Messages and passages are not copied: `last_seq` and `created_at` tell which of the agent's belong to it.
    """

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="checkpoints")
    name = models.CharField(max_length=80)
    system_instructions = models.TextField()
    blocks = models.JSONField(default=list)
    last_seq = models.PositiveBigIntegerField()
    queue_start = models.PositiveBigIntegerField()
    summary = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("checkpoint"), _("checkpoints")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="checkpoint_name_once_per_agent")]

    def __str__(self) -> str:
        return self.name
