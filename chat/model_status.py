"""Which model speaks and how far it is: what the banner over the chat says."""

from dataclasses import dataclass

from django.conf import settings

from memweb.stack.model_state import ModelState, read_state


@dataclass(frozen=True)
class ModelStatus:
    """`state` is None when a person's own endpoint is configured."""

    name: str
    local: bool
    state: ModelState | None

    @property
    def ready(self) -> bool:
        return self.state is None or self.state.stage == "ready"


def model_status() -> ModelStatus:
    """Reads one small file when the local model is used."""
    local = bool(settings.LLM["local"])
    return ModelStatus(settings.LLM["model"], local, read_state(settings.PATHS) if local else None)
