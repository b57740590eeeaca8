from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AgentsConfig(AppConfig):
    name = "agents"
    verbose_name = _("Agents and their memory")

    def ready(self) -> None:
        post_migrate.connect(_ensure_vector_index, sender=self)


def _ensure_vector_index(**_: object) -> None:
    from agents.external_context import vector_index  # here: models are loaded by now

    vector_index.ensure()
