"""What memweb notes about a person."""

from typing import TYPE_CHECKING

from agents.models import Preferences

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def person_reads(*, person: "User", language: str) -> None:
    """Note the language the page speaks with them: workers write in it. One query while it stays the same."""
    if not Preferences.objects.filter(user=person, language=language).exists():
        Preferences.objects.update_or_create(user=person, defaults={"language": language})
