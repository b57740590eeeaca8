"""Working context: core memory blocks and their history."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from agents.models.agent import Agent

DEFAULT_LIMIT = 2000  # characters


class Block(models.Model):
    """A stretch of working context, owned by a person and attached to one or more agents.

    `revision` is the number of the revision that `value` is. Both change together, under a lock on this row.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="blocks")
    label = models.CharField(max_length=40)
    value = models.TextField(blank=True)
    limit = models.PositiveIntegerField(default=DEFAULT_LIMIT, help_text=_("In characters."))
    description = models.CharField(max_length=300, blank=True, help_text=_("Tells the agent what belongs here."))
    read_only = models.BooleanField(default=False, help_text=_("The agent cannot change it; people can."))
    tags = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)  # of texts
    metadata = models.JSONField(
        db_default=models.Value({}, models.JSONField()), default=dict, blank=True
    )  # programs' own
    revision = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("block"), _("blocks")
        ordering = ["label", "id"]
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("value"), models.F("limit")), name="block_within_limit"
            )
        ]

    def __str__(self) -> str:
        return self.label


class AgentBlock(models.Model):
    """A block's place in an agent's working context."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE)
    block = models.ForeignKey(Block, models.CASCADE)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("block of an agent"), _("blocks of an agent")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["agent", "block"], name="block_once_per_agent")]

    def __str__(self) -> str:
        return f"{self.agent} / {self.block}"


class BlockRevision(models.Model):
    """What a block said from one edit to the next, and whose edit it was."""

    class Editor(models.TextChoices):
        AGENT = "agent", _("agent")
        USER = "user", _("person")
        IMPORT = "import", _("import")
        ROLLBACK = "rollback", _("taken back")  # with the turn that made it; `user` asked for that

    block = models.ForeignKey(Block, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    value = models.TextField(blank=True)
    editor = models.CharField(max_length=8, choices=Editor.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    agent = models.ForeignKey("agents.Agent", models.SET_NULL, null=True, blank=True, related_name="+")
    step = models.ForeignKey("agents.Step", models.SET_NULL, null=True, blank=True, related_name="block_revisions")
    restores = models.PositiveIntegerField(null=True, blank=True)  # the number of the revision whose text came back
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("revision"), _("revisions")
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["block", "number"], name="revision_once_per_block")]

    def __str__(self) -> str:
        return f"{self.block} #{self.number}"

    @property
    def editor_name(self) -> str:
        """The agent or person who made the edit; the kind of editor if that one is gone."""
        who: Agent | object | None = self.agent if self.editor == self.Editor.AGENT else self.user
        return str(who) if who else self.get_editor_display()
