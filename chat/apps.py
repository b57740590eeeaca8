from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Chat and memory inspector")

    def ready(self) -> None:
        """Listen: only now may models be imported."""
        import_module("chat.signals")
