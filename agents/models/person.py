"""What memweb remembers of a person beside their account."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preferences(models.Model):
    """`language` is what the page spoke with them last: workers write what is meant for them in it. `browser_zone` is
    the time zone that their browser told last, `chosen_zone` the one they set, which counts; empty is not known."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="preferences")
    language = models.CharField(max_length=12)
    browser_zone = models.CharField(max_length=64, blank=True, db_default="", default="")
    chosen_zone = models.CharField(max_length=64, blank=True, db_default="", default="")

    class Meta:
        verbose_name, verbose_name_plural = _("preferences"), _("preferences")

    def __str__(self) -> str:
        return f"preferences of {self.user}"

    @property
    def zone(self) -> str:
        """The name of the zone whose days are theirs."""
        return self.chosen_zone or self.browser_zone
