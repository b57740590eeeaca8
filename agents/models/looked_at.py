"""Rows about servers of others, at which a worker looks."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

LOOK = timedelta(minutes=3)  # after which nobody waits for a look any more


class LookedAt(models.Model):
    """What a worker found there last is in the row; `error` says why it is less than it should be."""

    error = models.TextField(blank=True)  # for whoever can mend it
    asked_at = models.DateTimeField(null=True, blank=True)  # when a look was wanted
    looked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def looking(self) -> bool:
        """Whether a worker is to look, or looks."""
        if self.asked_at is None or timezone.now() - self.asked_at > LOOK:
            return False
        return self.looked_at is None or self.looked_at < self.asked_at
