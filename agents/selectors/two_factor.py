"""Who logs in with a code."""

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def has_two_factor(person: "User") -> bool:
    """Whether a password alone is not enough for them. One query."""
    return bool(TOTPDevice.objects.filter(user=person, confirmed=True).exists())


def recovery_codes_left(person: "User") -> int:
    """How many were not used yet. One query."""
    return int(StaticToken.objects.filter(device__user=person).count())


def with_two_factor() -> Exists:
    """For a list of people: whether each has it."""
    return Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True))
