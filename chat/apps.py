import sys
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import got_request_exception
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _

from agents.locks import TRANSIENT, renew_connections
from chat.sessions import tell_of_change


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Chat and memory inspector")

    def ready(self) -> None:
        """Connect the signals below."""
        got_request_exception.connect(_renew)
        post_save.connect(_account_changed, sender=settings.AUTH_USER_MODEL)


def _account_changed(instance: Any, *, created: bool, **_signal: Any) -> None:
    if not created:
        tell_of_change(instance.pk)


def _renew(**_signal: Any) -> None:
    """After the database restarted every connection is broken: throw all of them away at the first."""
    if isinstance(sys.exc_info()[1], TRANSIENT):
        renew_connections()
