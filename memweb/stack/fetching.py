"""Local models are fetched and deleted as the page wishes, one after another, by the local model's process."""

import time
from collections.abc import Callable
from contextlib import suppress

from memweb.stack import catalogue, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.exceptions import WeightsError
from memweb.stack.model_state import ModelState, write_fetches
from memweb.stack.paths import StackPaths
from memweb.stack.wishes import Wishes, change_wishes, read_wishes

RETRY_PAUSE = 60.0  # seconds before a download that failed is tried again
STATE_INTERVAL = 0.5  # seconds between two writes of the progress, and two looks at the wishes

Tell = Callable[[ModelState], None]


class Interrupted(Exception):
    """Something else is wished than the download that is under way."""


class Progress:
    """Of one download: tells how far it is, a few times a second, and ends it with `Interrupted` when it is no longer
    wished (`wished`)."""

    def __init__(self, model: LocalModel, tell: Tell, wished: Callable[[Wishes], bool], paths: StackPaths) -> None:
        self._model = model
        self._tell = tell
        self._wished = wished
        self._paths = paths
        self._bar = weights.TerminalBar(model.name)
        self._told_at = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._bar(stage, done, total)
        now = time.monotonic()
        if now - self._told_at < STATE_INTERVAL:
            return
        self._told_at = now
        name = self._model.name
        if stage == "verifying":
            self._tell(ModelState("verifying", done, total, f"Checking the local model {name}.", name))
        else:
            amount = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            self._tell(ModelState("downloading", done, total, f"Downloading the local model {name}: {amount}.", name))
        if not self._wished(read_wishes(self._paths)):
            raise Interrupted


class Fetches:
    """What is done beside serving. `served` is never deleted, and `go_on` says whether there is time for it still."""

    def __init__(self, paths: StackPaths, served: str, go_on: Callable[[Wishes], bool]) -> None:
        self._paths = paths
        self._served = served
        self._go_on = go_on
        self._states: dict[str, ModelState] = {}
        self._again_at: dict[str, float] = {}
        self._write()  # what is there speaks of an earlier process

    def look(self) -> None:
        """Do what is wished now: delete what is to go, then fetch one model. Call from the main thread, often."""
        wishes = read_wishes(self._paths)
        for model in catalogue.MODELS:
            wish = wishes.models.get(model.name)
            if wish != "fetch":
                self._forget(model.name)
            if wish == "delete" and self._served != model.name != wishes.serve:
                weights.delete(model, self._paths.models)
                self._fulfilled(model.name, "delete")
        now, known = time.monotonic(), {model.name for model in catalogue.MODELS}
        for name, wish in wishes.models.items():
            if name not in known:  # to a catalogue of another memweb
                continue
            if wish == "fetch" and name != self._served and self._again_at.get(name, 0.0) <= now:
                self._fetch(catalogue.find(name))
                return

    def _fetch(self, model: LocalModel) -> None:
        def wished(wishes: Wishes) -> bool:
            return wishes.models.get(model.name) == "fetch" and self._go_on(wishes)

        self._tell(ModelState("downloading", weights.arrived(model, self._paths.models), model.bytes, "", model.name))
        progress = Progress(model, self._tell, wished, self._paths)
        try:
            weights.resolve(model, self._paths.models, users_file=None, progress=progress)
        except Interrupted:
            self._forget(model.name)
        except (WeightsError, OSError) as error:
            self._again_at[model.name] = time.monotonic() + RETRY_PAUSE
            print(error, flush=True)
            self._tell(ModelState("failed", message=str(error), model=model.name))
        else:
            self._fulfilled(model.name, "fetch")
            self._forget(model.name)

    def _tell(self, state: ModelState) -> None:
        self._states[state.model] = state
        self._write()

    def _write(self) -> None:
        """What cannot be written, on a full disk say, must not end the model that is served."""
        with suppress(OSError):
            write_fetches(self._paths, self._states)

    def _forget(self, name: str) -> None:
        self._again_at.pop(name, None)
        if self._states.pop(name, None):
            self._write()

    def _fulfilled(self, name: str, wish: str) -> None:
        """Unless something else is wished of it by now."""
        change_wishes(self._paths, lambda now: now.without(name) if now.models.get(name) == wish else now)
