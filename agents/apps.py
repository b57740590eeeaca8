"""The engine as a Django app."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class AgentsConfig(AppConfig):
    """Its models and admin are here; the pages are in `chat`."""

    name = "agents"
    verbose_name = _("Agents and their memory")

    def ready(self) -> None:
        """Quotas that are changed in this process count in it at once."""
        for signal in (post_save, post_delete):
            signal.connect(_quota_changed, sender="agents.Quota")


def _quota_changed(**_signal: Any) -> None:
    from agents import quotas  # noqa: PLC0415 - models cannot be imported before apps are ready

    quotas.forget()
