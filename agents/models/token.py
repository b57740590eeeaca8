"""Access tokens: how programs come in."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Token(models.Model):
    """What a program shows to come in as `owner`. Only its SHA-256 is kept; `hint` is its last characters.

    `last_used_at` is right to the minute. A revoked token stays in the list and opens nothing.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=8, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("access token"), _("access tokens")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
