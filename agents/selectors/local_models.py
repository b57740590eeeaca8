"""The models that can be served on this machine: how far each is, and what can be done with it now."""

from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from agents.llm.gateway import configured
from memweb.stack import catalogue, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import env
from memweb.stack.memory import memory_here
from memweb.stack.model_state import ModelState, read_fetches, state_of
from memweb.stack.wishes import Wishes, own_file, read_wishes

Act = Literal["fetch", "pause", "delete", "use"]
MOVING = {"waiting", "downloading", "verifying", "starting", "warming", "deleting"}
ACTS: dict[str, tuple[Act, ...]] = {
    "away": ("fetch",),
    "waiting": ("pause",),
    "downloading": ("pause",),
    "verifying": ("pause",),
    "paused": ("fetch", "delete"),
    "failed": ("pause", "delete"),
    "here": ("use", "delete"),
}
ACTS_WHERE_CHOSEN: dict[str, tuple[Act, ...]] = {"downloading": ("pause",), "paused": ("fetch",)}


@dataclass(frozen=True)
class LocalModelRow:
    """`stage` is one of `ModelState`'s, or "away", "here", "deleting". The one that is to speak is `chosen`."""

    model: LocalModel
    stage: str
    state: ModelState
    chosen: bool
    own_file: bool  # the person's, which is neither fetched nor deleted

    @property
    def moving(self) -> bool:
        """Whether it will soon be otherwise."""
        return self.stage in MOVING

    @property
    def acts(self) -> tuple[Act, ...]:
        """What can be done with it now."""
        if self.chosen:
            return ACTS_WHERE_CHOSEN.get(self.stage, ())
        acts = ACTS.get(self.stage, ())
        return tuple(act for act in acts if act == "use") if self.own_file else acts


@dataclass(frozen=True)
class LocalModels:
    """`memory` is this machine's, in bytes."""

    rows: list[LocalModelRow]
    memory: int

    @property
    def moving(self) -> bool:
        """Whether to look again soon."""
        return any(row.moving for row in self.rows)


def local_models() -> LocalModels | None:
    """None where the model of this installation is elsewhere."""
    llm = configured()
    if not llm.local:
        return None
    wishes, fetches = read_wishes(settings.PATHS), read_fetches(settings.PATHS)
    rows = []
    for model in catalogue.MODELS:
        own, chosen = own_file(model, env()) is not None, model.name == llm.model
        if chosen:
            state = state_of(settings.PATHS, model.name)
        else:
            state = fetches.get(model.name) or _not_fetched(model)
        stage = _stage(model, wishes, state, chosen)
        rows.append(LocalModelRow(model, stage, state, chosen, own))
    return LocalModels(rows, memory_here())


def _not_fetched(model: LocalModel) -> ModelState:
    done = weights.arrived(model, settings.PATHS.models)
    return ModelState("paused" if done else "waiting", done, model.bytes, "", model.name)


def _stage(model: LocalModel, wishes: Wishes, state: ModelState, chosen: bool) -> str:
    """What is wished counts, also before the local model's process has seen it."""
    wish = wishes.models.get(model.name)
    if wish == "fetch":
        return "waiting" if state.stage == "paused" else state.stage
    if chosen:
        return "paused" if wish == "pause" else state.stage
    if wish == "delete":
        return "deleting"
    file = own_file(model, env()) or settings.PATHS.models / model.file
    if wish is None and file.exists():
        return "here"
    return "paused" if wish == "pause" or state.done else "away"
