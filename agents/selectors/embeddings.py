"""Which embedding model is in use, which could be, and how far a change is."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from agents.llm import embeddings
from agents.models import Connection, EmbeddingChoice


@dataclass(frozen=True)
class EmbeddingsState:
    """`used` is the name of the model in use. `asked` and `coming` are choices, where there are such; `offered` are the
    embedding models of everybody's connections."""

    used: str
    asked: EmbeddingChoice | None
    coming: EmbeddingChoice | None
    offered: Sequence[tuple[Connection, str]]
    looking: bool  # whether a worker asks one of those connections what it has

    @property
    def working(self) -> bool:
        """Whether a worker measures or makes vectors."""
        asked = self.asked
        return self.coming is not None or (asked is not None and not asked.error and not asked.name)

    @property
    def moving(self) -> bool:
        """Whether to look again soon."""
        return self.working or self.looking


def shared_connections() -> "QuerySet[Connection]":
    """Those for everybody."""
    return Connection.objects.filter(owner=None)


def embeddings_state() -> EmbeddingsState:
    """As it is now. Three queries."""
    choices = {choice.state: choice for choice in EmbeddingChoice.objects.select_related("connection")}
    used = choices.get(EmbeddingChoice.State.USED)
    connections = list(shared_connections())
    return EmbeddingsState(
        used=used.name if used else embeddings.configured().name,
        asked=choices.get(EmbeddingChoice.State.ASKED),
        coming=choices.get(EmbeddingChoice.State.COMING),
        offered=[(row, facts.name) for row in connections for facts in row.all_models if facts.embeds],
        looking=any(row.looking for row in connections),
    )
