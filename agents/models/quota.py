"""How much a person may have and use."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Quota(models.Model):
    """Set by the operator, for one person or, without `user`, for all who have none of their own. None: no limit.

    `megabytes` are of documents as uploaded. `tokens_a_day` are of prompts and answers, from midnight of their clock.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="quota",
        null=True,
        blank=True,
        verbose_name=_("person"),
        help_text=_("Empty: for everybody who has no quota of their own."),
    )
    agents = models.PositiveIntegerField(_("agents"), null=True, blank=True)
    passages = models.PositiveIntegerField(_("passages"), null=True, blank=True)
    megabytes = models.PositiveIntegerField(_("MB of documents"), null=True, blank=True)
    runs_at_once = models.PositiveIntegerField(_("runs at once"), null=True, blank=True)
    tokens_a_day = models.PositiveBigIntegerField(_("tokens a day"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("quota"), _("quotas")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                name="quota_once",
                nulls_distinct=False,
                violation_error_message=_("There is a quota for everybody already: change that one."),
            ),
            models.CheckConstraint(
                condition=models.Q(runs_at_once=None) | models.Q(runs_at_once__gt=0),
                name="quota_of_a_run",
                violation_error_message=_("With no run at once nobody would ever get an answer."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.user) if self.user else str(_("everybody else"))
