"""Which language a person reads: what a worker writes for them is written in it; what the model is told is English."""

from typing import TYPE_CHECKING

from django.conf import settings

from agents.models import Preferences

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def language_of(owner_id: int) -> str:
    """A language code of `settings.LANGUAGES`. One query."""
    noted = Preferences.objects.filter(user=owner_id).values_list("language", flat=True).first()
    return noted or settings.LANGUAGE_CODE


def person_reads(*, person: "User", language: str) -> None:
    """Note the language the page speaks with a person: workers write in it. One query while it stays the same."""
    if not Preferences.objects.filter(user=person, language=language).exists():
        Preferences.objects.update_or_create(user=person, defaults={"language": language})
