"""The doors for programs."""

from django.apps import AppConfig


class APIConfig(AppConfig):
    """No models of its own: it is doors over `agents`."""

    name = "api"
