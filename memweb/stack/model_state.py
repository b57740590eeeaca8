"""How far the local model is, and others that are fetched: written by its process, read by the page."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from memweb.stack.paths import StackPaths, write_whole

Stage = Literal["waiting", "downloading", "verifying", "starting", "warming", "ready", "failed", "paused"]


@dataclass(frozen=True)
class ModelState:
    """`done` and `total` are bytes; `message` is a plain sentence for the page."""

    stage: Stage = "waiting"
    done: int = 0
    total: int = 0
    message: str = "The local model has not been started yet."
    model: str = ""

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


def read_state(paths: StackPaths) -> ModelState:
    """The state as last written; "waiting" where there is none."""
    try:
        return ModelState(**json.loads(paths.model_state.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return ModelState()


def write_state(paths: StackPaths, state: ModelState) -> None:
    write_whole(paths.model_state, json.dumps(asdict(state)))


def state_of(paths: StackPaths, model: str) -> ModelState:
    """How far the model is that is to speak. While another one still speaks, it is starting."""
    state = read_state(paths)
    if state.model in ("", model):
        return state
    return ModelState("starting", message=f"Loading the local model {model}.", model=model)


def read_fetches(paths: StackPaths) -> dict[str, ModelState]:
    """By name, how far models are that are fetched while another one is served."""
    try:
        return {name: ModelState(**state) for name, state in json.loads(paths.model_fetches.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write_fetches(paths: StackPaths, states: dict[str, ModelState]) -> None:
    write_whole(paths.model_fetches, json.dumps({name: asdict(state) for name, state in states.items()}))
