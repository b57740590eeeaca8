"""The person's time zone: set by them, or as their browser tells it."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from agents.broadcast import bus
from agents.broadcast.events import ContextChanged
from agents.exceptions import InvalidInput
from agents.models import Preferences
from agents.person import zone_names

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def zone_set(*, person: "User", zone: str) -> None:
    """The person says where they are; empty: as the browser tells. Raises InvalidInput for what is no zone's name."""
    zone = zone.strip()
    if zone and zone not in zone_names():
        raise InvalidInput(
            _("“%(zone)s” is not the name of a time zone. Write it as in the list: Europe/Berlin, for example.")
            % {"zone": zone[:64]}
        )
    _keep(person, chosen_zone=zone)


def zone_told(*, person: "User", zone: str) -> None:
    """The browser says where the person is; what is no zone's name says nothing."""
    if zone in zone_names():
        _keep(person, browser_zone=zone)


def _keep(person: "User", **zones: str) -> None:
    """The zone stands in the prompts of all their agents."""
    with transaction.atomic():
        Preferences.objects.update_or_create(user=person, defaults=zones)
        bus.publish_on_commit(bus.owner_group(person.pk), ContextChanged())
