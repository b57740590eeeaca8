"""Where a person is logged in."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OpenSession(models.Model):
    """What is told of a login session: it goes with Django's own. `seen_at` is right to some minutes."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="open_sessions")
    session = models.OneToOneField("sessions.Session", models.CASCADE, related_name="described", editable=False)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=300, blank=True)  # as it calls itself
    begun_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("open session"), _("open sessions")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.owner} at {self.address}"
