"""Which language a person reads and in which time zone they are. What a worker writes for them is in that language, and
days are those of their zone; what the model is told is English."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from datetime import timezone as fixed_offset
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.utils import timezone, translation

from agents.models import Message, Preferences

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NO_PLACES = {"Factory", "localtime"}  # among the names of zones


@dataclass(frozen=True)
class Person:
    """As their preferences have it; empty is what is not known."""

    language: str = ""
    zone: str = ""


def person_of(owner_id: int) -> Person:
    """One query."""
    known = Preferences.objects.filter(user=owner_id).first()
    return Person(known.language, known.zone) if known else Person()


@contextmanager
def works_for(person: Person) -> Iterator[None]:
    """A worker's language and days are the person's meanwhile."""
    language = person.language or settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(zone_or_default(person.zone)):
        yield


def person_reads(*, person: "User", language: str) -> None:
    """Note the language the page speaks with a person: workers write in it. One query while it stays the same."""
    if not Preferences.objects.filter(user=person, language=language).exists():
        Preferences.objects.update_or_create(user=person, defaults={"language": language})


@cache
def zone_names() -> frozenset[str]:
    """Names such as Europe/Berlin. Nothing else is looked for among the files of zones."""
    return frozenset(available_timezones() - NO_PLACES)


def zone_or_default(name: str | None) -> tzinfo:
    """The zone of that name; the server's, which is UTC, for anything else."""
    return ZoneInfo(name) if name and name in zone_names() else timezone.get_default_timezone()


def own_time(message: Message) -> datetime:
    """When it was said, by the person's clock of then; by the one of now for messages from before offsets were kept."""
    offset = message.utc_offset
    zone = timezone.get_current_timezone() if offset is None else fixed_offset(offset)
    try:
        return message.created_at.astimezone(zone)
    except OverflowError:  # of an imported file: the first hours that there are, or the last
        return message.created_at
