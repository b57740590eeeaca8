"""What is wished of local models: written by the page, read by the local model's process and whoever asks the model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from memweb.stack import catalogue
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import Env, LLMSettings
from memweb.stack.paths import StackPaths, write_whole

Wish = Literal["fetch", "pause", "delete"]


@dataclass(frozen=True)
class Wishes:
    """`serve` is the name of the model that is to speak, empty for MEMWEB_LOCAL_MODEL; `models` what is wished of
    others, by name, in the order in which it was said."""

    serve: str = ""
    models: Mapping[str, Wish] = field(default_factory=dict)

    @property
    def chosen(self) -> LocalModel | None:
        """None where none was, or one that the catalogue has no more."""
        return next((model for model in catalogue.MODELS if model.name == self.serve), None)

    def with_wish(self, name: str, wish: Wish) -> "Wishes":
        return replace(self, models={**self.without(name).models, name: wish})

    def without(self, name: str) -> "Wishes":
        return replace(self, models={other: wish for other, wish in self.models.items() if other != name})


def read_wishes(paths: StackPaths) -> Wishes:
    """As last written; none where there is no file, or one that cannot be read."""
    try:
        wishes = Wishes(**json.loads(paths.model_wishes.read_text()))
        return replace(wishes, models=dict(wishes.models))
    except (FileNotFoundError, ValueError, TypeError):
        return Wishes()


def change_wishes(paths: StackPaths, change: Callable[[Wishes], Wishes]) -> None:
    """Several processes may do so at once: each change is made to what is written then."""
    with FileLock(paths.model_wishes.with_suffix(".lock")):
        write_whole(paths.model_wishes, json.dumps(asdict(change(read_wishes(paths)))))


def to_serve(wishes: Wishes, settings: Env) -> LocalModel:
    """The one that was chosen, else that of the settings. Raises WeightsError for one that is not in the catalogue."""
    return wishes.chosen or catalogue.find(settings.memweb_local_model)


def own_file(model: LocalModel, settings: Env) -> Path | None:
    """A file of the person's with the model's weights: MEMWEB_LOCAL_MODEL_FILE is of MEMWEB_LOCAL_MODEL alone."""
    return settings.memweb_local_model_file if model.name == settings.memweb_local_model else None


def followed(llm: LLMSettings, paths: StackPaths, settings: Env) -> LLMSettings:
    """The endpoint as configured; where it is the local model, with the one that was chosen. What a person has set
    about mode and window counts for that one too."""
    model = read_wishes(paths).chosen if llm.local else None
    if model is None:
        return llm
    return replace(
        llm,
        model=model.name,
        mode=model.function_mode if settings.memweb_function_mode == "auto" else settings.memweb_function_mode,
        context_window=settings.memweb_context_window or model.window,
    )
