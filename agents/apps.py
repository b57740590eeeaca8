"""The engine as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AgentsConfig(AppConfig):
    """Its models and admin are here; the pages are in `chat`."""

    name = "agents"
    verbose_name = _("Agents and their memory")
