"""Which model speaks and how far it is: what the banner over the chat says."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from agents.llm.gateway import configured
from memweb.stack.model_state import ModelState, state_of

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ModelStatus:
    """`state` is None when a person's own endpoint is configured."""

    name: str
    local: bool
    state: ModelState | None

    @property
    def ready(self) -> bool:
        return self.state is None or self.state.stage == "ready"

    @property
    def message(self) -> str:
        """How far the local model is, in the person's language; why it failed, in the words of what failed."""
        if self.state is None or self.state.stage == "failed":
            return self.state.message if self.state else ""
        texts = {
            "waiting": _("The local model has not been started yet."),
            "downloading": _("Downloading the local model %(name)s: %(done)d of %(total)d MB."),
            "verifying": _("Checking the local model %(name)s."),
            "starting": _("Loading the local model %(name)s."),
            "warming": _("The local model %(name)s reads its instructions."),
            "ready": _("The local model %(name)s is ready."),
            "paused": _("The download of the local model %(name)s is paused. Go on with it under Connections."),
        }
        amounts = {"done": self.state.done // MEGABYTE, "total": self.state.total // MEGABYTE}
        return texts[self.state.stage] % {"name": self.state.model or self.name, **amounts}


def model_status() -> ModelStatus:
    """Reads two small files when the local model is used."""
    llm = configured()
    return ModelStatus(llm.model, llm.local, state_of(settings.PATHS, llm.model) if llm.local else None)
