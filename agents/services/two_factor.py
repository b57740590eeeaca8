"""The second step of a person's login: codes of an app on their phone, and recovery codes for when it is lost."""

import secrets
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from agents.exceptions import InvalidInput

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RECOVERY_CODES = 10
RECOVERY_LENGTH = 10  # characters, 50 bits
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


def two_factor_begin(*, owner: "User") -> TOTPDevice:
    """A new key, which counts once a code of it was given. Raises InvalidInput where there is one that counts."""
    with transaction.atomic():
        _refuse_a_second(owner)
        TOTPDevice.objects.filter(user=owner, confirmed=False).delete()
        return TOTPDevice.objects.create(user=owner, name="app", confirmed=False)


def two_factor_confirm(*, owner: "User", code: str) -> list[str]:
    """Switch it on; returns the recovery codes. Raises InvalidInput for a code that is not of the new key."""
    with transaction.atomic():
        _refuse_a_second(owner)
        device = TOTPDevice.objects.select_for_update().filter(user=owner, confirmed=False).first()
        if device is None or not device.verify_token(_typed(code)):
            raise InvalidInput(_("That code is not right. Is the clock of the device right? Type the newest code."))
        device.confirmed = True
        device.save()
        return _recovery_codes(owner)


def two_factor_check(*, owner: "User", code: str) -> bool:
    """Whether it is a code of the app, or a recovery code, that was not used before. It is used up by this."""
    code = _typed(code)
    model = StaticDevice if len(code) == RECOVERY_LENGTH else TOTPDevice
    with transaction.atomic():
        device = model.objects.select_for_update().filter(user=owner, confirmed=True).first()
        return device is not None and bool(device.verify_token(code))


def two_factor_renew(*, owner: "User") -> list[str]:
    """New recovery codes; the old ones are good no longer. Raises InvalidInput where it is not switched on."""
    with transaction.atomic():
        if not TOTPDevice.objects.filter(user=owner, confirmed=True).exists():
            raise InvalidInput(_("Logging in with a code is not switched on."))
        return _recovery_codes(owner)


def two_factor_remove(*, owner: "User") -> None:
    """The password alone is enough from now on."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=owner).delete()
        StaticDevice.objects.filter(user=owner).delete()


def _refuse_a_second(owner: "User") -> None:
    if TOTPDevice.objects.filter(user=owner, confirmed=True).exists():
        raise InvalidInput(_("Logging in with a code is switched on already."))


def _recovery_codes(owner: "User") -> list[str]:
    StaticDevice.objects.filter(user=owner).delete()
    device = StaticDevice.objects.create(user=owner, name="recovery")
    codes = ["".join(secrets.choice(LETTERS) for _letter in range(RECOVERY_LENGTH)) for _code in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    half = RECOVERY_LENGTH // 2
    return [f"{code[:half]}-{code[half:]}" for code in codes]


def _typed(code: str) -> str:
    """As people copy codes: with spaces, a dash, capital letters."""
    return "".join(code.replace("-", "").split()).lower()[:32]
