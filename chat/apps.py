import sys
from typing import Any

from django.apps import AppConfig
from django.core.signals import got_request_exception
from django.utils.translation import gettext_lazy as _

from agents.locks import TRANSIENT, renew_connections


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Chat and memory inspector")

    def ready(self) -> None:
        """After the database restarted every connection is broken: throw all of them away at the first."""
        got_request_exception.connect(_renew)


def _renew(**_signal: Any) -> None:
    if isinstance(sys.exc_info()[1], TRANSIENT):
        renew_connections()
