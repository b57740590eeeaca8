"""Which embedding model is in use, which could be, and how far a change is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from agents.llm import embeddings
from agents.models import Connection, EmbeddingChoice

PATIENCE = timedelta(minutes=3)  # for a measurement


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
        if self.coming is not None or asked is None or asked.error or asked.name:
            return self.coming is not None
        return timezone.now() - asked.worked_at < PATIENCE  # else its worker is no more

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
