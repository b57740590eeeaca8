"""Which models a server has, and how large their windows are: servers tell it in many shapes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm import connection, errors
from agents.llm.connection import Endpoint, Said
from agents.llm.gateway import ModelConfig, endpoint_of
from agents.llm.problems import Kind, Problem
from agents.models.connection import ModelFacts

MOST_MODELS = 2000
LONGEST_NAME = 120  # characters
SECONDS_LOCAL = 3.0  # for a question about its window
LISTS = ("data", "models")
NAMES = ("id", "name", "model")
WINDOWS = (
    "context_window",
    "context_length",
    "max_model_len",
    "max_context_length",
    "max_input_tokens",
    "inputTokenLimit",
)
SEEN = re.compile(r"vision|image|vlm")
FOR_EMBEDDINGS = re.compile(r"embed|\bbge-|\be5-|\bgte-|minilm", re.IGNORECASE)
NO_CHAT = re.compile(
    r"whisper|\btts\b|-tts|dall-e|gpt-image|moderation|rerank|transcribe|realtime|\bsora|imagen|\bveo|stable-diffusion|flux|"
    r"davinci-002|babbage-002|^ft:babbage|speech",
    re.IGNORECASE,
)
OTHER_KINDS = {"image", "audio", "rerank", "moderation", "video", "transcription", "speech"}


def models_at(config: ModelConfig, *, seconds: float = connection.FETCH_SECONDS) -> list[ModelFacts]:
    """What the server lists. Empty where it answers and has no list.

    Raises LLMError: it is not there, refuses the key, or is no model server.
    """
    endpoint = endpoint_of(config)
    try:
        said = connection.fetch(endpoint, f"{config.url}/models", seconds=seconds)
    except errors.FAULTS as error:
        raise errors.explain(error, config) from error
    if said.status == 200 and (entries := _entries(said.value)) is not None:
        return list(_facts(entries))
    if said.status >= 400:
        problem = Problem.of(said.status, said.text, said.headers)
        if problem.kind is Kind.KEY or said.status in (401, 403) or said.status >= 500:
            raise errors.of_problem(problem, config)
    if said.value is None:
        sentence = _(
            "%(where)s is no model server: it does not answer with JSON. With most servers the URL ends in /v1."
        )
        raise LLMError(sentence % {"where": config.base_url})
    return []


def window_at(config: ModelConfig) -> tuple[int | None, bool | None]:
    """The window that a server on this machine has given the model, in tokens, and whether it takes pictures, where it
    tells so in ways of its own."""
    endpoint = endpoint_of(config)
    parts = urlsplit(config.url)
    root = f"{parts.scheme}://{parts.netloc}"
    answers = [
        _asked(endpoint, f"{root}/props"),  # llama.cpp
        _asked(endpoint, f"{root}/api/v0/models"),  # LM Studio
        _asked(endpoint, f"{root}/api/ps"),  # Ollama, of what is loaded
        _asked(endpoint, f"{root}/api/show", {"model": config.name}),  # Ollama: capabilities
    ]
    windows = [window for value in answers for window in _loaded_windows(value, config.name)]
    sees = [seen for value in answers if (seen := _told_sight(value, config.name)) is not None]
    return (windows[0] if windows else None), (sees[0] if sees else None)


def _asked(endpoint: Endpoint, url: str, body: dict[str, Any] | None = None) -> Any:
    try:
        said: Said = connection.fetch(endpoint, url, body, seconds=SECONDS_LOCAL)
    except errors.FAULTS:
        return None
    return said.value if said.status == 200 else None


def _loaded_windows(value: Any, model: str) -> Iterator[int]:
    if not isinstance(value, dict):
        return
    settings = value.get("default_generation_settings")
    if isinstance(settings, dict) and (window := _number(settings.get("n_ctx"))):
        yield window
    for entry in _entries(value) or ():
        if isinstance(entry, dict) and model in {entry.get(name) for name in NAMES}:
            for name in ("loaded_context_length", "context_length"):
                if window := _number(entry.get(name)):
                    yield window


def _told_sight(value: Any, model: str) -> bool | None:
    if not isinstance(value, dict):
        return None
    if isinstance(modalities := value.get("modalities"), dict):  # llama.cpp
        return bool(modalities.get("vision"))
    if isinstance(capabilities := value.get("capabilities"), list):  # Ollama
        return "vision" in capabilities
    for entry in _entries(value) or ():
        if isinstance(entry, dict) and entry.get("id") == model and entry.get("type") in ("vlm", "llm"):  # LM Studio
            return bool(entry["type"] == "vlm")
    return None


def _entries(value: Any) -> list[Any] | None:
    """The list in an answer; None if there is none."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in LISTS:
            if isinstance(value.get(name), list):
                entries: list[Any] = value[name]
                return entries
            if name == "data" and name in value and value[name] is None:  # nothing is loaded
                return []
    return None


def _facts(entries: list[Any]) -> Iterator[ModelFacts]:
    known: set[str] = set()
    for entry in entries[:MOST_MODELS]:
        entry = {"id": entry} if isinstance(entry, str) else entry
        if not isinstance(entry, dict):
            continue
        name = next((entry[field] for field in NAMES if isinstance(entry.get(field), str) and entry[field]), "")
        name = name.replace("\x00", "")
        kind = str(entry.get("type") or "").lower()
        if not name or len(name) > LONGEST_NAME or name in known or kind in OTHER_KINDS or NO_CHAT.search(name):
            continue
        known.add(name)
        embeds = kind.startswith("embedding") or FOR_EMBEDDINGS.search(name) is not None
        yield ModelFacts(name, window=_window(entry), sees=_sight(entry), embeds=embeds)


def _window(entry: Mapping[str, Any]) -> int | None:
    places = [place for place in (entry, entry.get("top_provider"), entry.get("limits")) if isinstance(place, dict)]
    found = (_number(place.get(name)) for place in places for name in WINDOWS)
    return next((window for window in found if window), None)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9 else None


def _sight(entry: Mapping[str, Any]) -> bool | None:
    """Whether its list says that it takes pictures; None if it says nothing."""
    architecture = entry.get("architecture")
    for told in (
        architecture.get("input_modalities") if isinstance(architecture, dict) else None,
        entry.get("input_modalities"),
        entry.get("capabilities"),
    ):
        if isinstance(told, dict):  # {"vision": true}
            if "vision" in told:
                return bool(told["vision"])
        elif isinstance(told, list) and told:
            return any(SEEN.search(str(word)) for word in told)
    return None
