"""Between the password and the code: who has given the first, kept in a session in which nobody is logged in yet."""

from time import time
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

PENDING = "second_step"
PATIENCE = 5 * 60  # seconds for the code


def second_step_begin(request: HttpRequest, person: User, wanted: str) -> None:
    """The password was right; `wanted` is the page to go to afterwards."""
    request.session[PENDING] = {
        "person": person.pk,
        "password": person.get_session_auth_hash(),
        "until": time() + PATIENCE,
        "wanted": wanted,
    }


def awaited(request: HttpRequest) -> tuple[User, str] | None:
    """Whose code is waited for, and where they go then. None if it is too late, or the password is another by now."""
    known: dict[str, Any] = request.session.get(PENDING, {})
    if known.get("until", 0) < time():
        return None
    person = User.objects.filter(pk=known["person"], is_active=True).first()
    if person is None or not constant_time_compare(known["password"], person.get_session_auth_hash()):
        return None
    return person, known["wanted"]


def second_step_end(request: HttpRequest) -> None:
    """The code was right, too."""
    request.session.pop(PENDING, None)
