"""Which language a person reads: what a worker writes for them is written in it; what the model is told is English."""

from django.conf import settings

from agents.models import Preferences


def language_of(owner_id: int) -> str:
    """A language code of `settings.LANGUAGES`. One query."""
    known = Preferences.objects.filter(user=owner_id).values_list("language", flat=True).first()
    return known or settings.LANGUAGE_CODE
