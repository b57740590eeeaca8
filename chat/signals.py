"""What the web face does when something happens to an account, or to the database."""

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core.signals import got_request_exception
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from agents.locks import TRANSIENT, renew_connections
from chat.sessions import session_begin, tell_of_change


@receiver(user_logged_in)
def _logged_in(request: HttpRequest, user: Any, **_signal: Any) -> None:
    session_begin(request, user)


@receiver(post_save, sender=settings.AUTH_USER_MODEL)
def _account_changed(instance: Any, *, created: bool, **_signal: Any) -> None:
    if not created:
        tell_of_change(instance.pk)


@receiver(got_request_exception)
def _renew(**_signal: Any) -> None:
    """After the database restarted every connection is broken: throw all of them away at the first."""
    if isinstance(sys.exc_info()[1], TRANSIENT):
        renew_connections()
