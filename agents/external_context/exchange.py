"""Another embedding model takes the place of the one in use, while search goes on with the old one.

New vectors are made beside the old ones (`models/embedding.py`), row by row, at any pace. When every row has its own,
all of them take their places in one transaction: a search sees either all old vectors or all new ones.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.external_context import recall_storage
from agents.external_context.archival_storage import EMBED_BATCH
from agents.llm import embeddings
from agents.llm.embeddings import Embedder
from agents.locks import try_lock
from agents.models import Agent, ComingMessageVector, ComingPassageVector, EmbeddingChoice, Message, Passage
from agents.models.embedding import ComingVector
from agents.person import person_of, works_for
from agents.text.clean import storable

logger = logging.getLogger(__name__)

NO_AGENT = UUID(int=0)  # comes before all others
SLICE_SECONDS = 20  # of work at a time: summaries and the reaper wait in the same queue
MOST_NUMBERS = 4000  # in a vector that an index can hold
SAMPLE = ["The keeper of the lighthouse writes into the log what the weather was and which ships went by. " * 4] * 4
EXCHANGE_SQL = (
    """
    UPDATE agents_passage AS row SET embedding = coming.embedding, embedding_model = %(name)s
    FROM agents_comingpassagevector AS coming WHERE coming.row = row.id AND coming.text = md5(row.text)
    """,
    """
    UPDATE agents_message AS row SET embedding = coming.embedding, context_embedding = coming.context_embedding,
        embedding_model = %(name)s
    FROM agents_comingmessagevector AS coming WHERE coming.row = row.id AND coming.text = md5(row.content)
    """,
    # What came or changed since is found by its words until it has a vector of the new model.
    "UPDATE agents_passage SET embedding = NULL, embedding_model = '' WHERE embedding_model NOT IN ('', %(name)s)",
    """
    UPDATE agents_message SET embedding = NULL, context_embedding = NULL, embedding_model = ''
    WHERE embedding_model NOT IN ('', %(name)s)
    """,
)
# Rows without a coming vector of what they say now, from `after` on.
MISSING_PASSAGES_SQL = """
    SELECT row.id, row.text FROM agents_passage AS row
    LEFT JOIN agents_comingpassagevector AS coming ON coming.row = row.id AND coming.text = md5(row.text)
    WHERE row.id > %(after)s AND coming.row IS NULL ORDER BY row.id LIMIT %(most)s
"""
MISSING_MESSAGES_SQL = """
    SELECT row.id FROM agents_message AS row
    LEFT JOIN agents_comingmessagevector AS coming ON coming.row = row.id AND coming.text = md5(row.content)
    WHERE row.agent_id = %(agent)s AND row.context_embedding IS NOT NULL AND row.seq > %(after)s AND coming.row IS NULL
    ORDER BY row.seq LIMIT %(most)s
"""


def measure(choice: EmbeddingChoice) -> None:
    """Find out what its vectors are like and what it would cost; what is wrong with it is in `error`. Not saved."""
    embedder = embeddings.of_choice(choice)
    choice.error = ""
    try:
        embedder.embed_passages(SAMPLE[:1])  # a model is loaded with the first
        began = time.monotonic()
        vectors = embedder.embed_passages(SAMPLE)
    except LLMError as error:
        choice.error = storable(str(error))
        return
    except Exception as error:  # noqa: BLE001 - of a model that cannot be loaded, say: who waits must hear of it
        choice.error = storable(f"{type(error).__name__}: {error}")
        return
    choice.dimension = len(vectors[0])
    if choice.dimension > MOST_NUMBERS:
        sizes = {"model": choice.model, "given": choice.dimension, "most": MOST_NUMBERS}
        choice.error = _("%(model)s gives vectors of %(given)d numbers; at most %(most)d can be searched.") % sizes
        return
    choice.name = embeddings.of_choice(choice).name
    messages = Message.objects.exclude(context_embedding=None).count()
    passages = Passage.objects.count()
    choice.total = passages + messages
    of_a_text = (time.monotonic() - began) / len(SAMPLE)
    choice.seconds = of_a_text * (passages + 2 * messages) / (choice.total or 1)


def work() -> bool:
    """Make vectors for a while, or exchange them when all are there; true if something is left to do. It may be killed
    at any time and goes on where it stopped; false while another worker is at it."""
    with try_lock("exchange of vectors") as acquired:
        choice = EmbeddingChoice.objects.filter(state=EmbeddingChoice.State.COMING).first()
        if not acquired or choice is None:
            return False
        try:
            if _make(choice, until=time.monotonic() + SLICE_SECONDS):
                _exchange(choice)
                return False
        except LLMError as error:
            logger.warning("New vectors are not made for now: %s", error)
            EmbeddingChoice.objects.filter(pk=choice.pk).update(error=storable(str(error)), worked_at=timezone.now())
            return False
        return EmbeddingChoice.objects.filter(pk=choice.pk).exists()


def settle() -> None:
    """A worker may have ended a vector of the old model after the exchange: away with them, new ones are made."""
    if not EmbeddingChoice.objects.filter(state=EmbeddingChoice.State.COMING).exists():
        recall_storage.forget_other_vectors()


def _make(choice: EmbeddingChoice, *, until: float) -> bool:
    """True if all rows have their new vectors. Raises LLMError."""
    embedder = embeddings.of_choice(choice)
    return _make_passages(choice, embedder, until) and _make_messages(choice, embedder, until)


def _make_passages(choice: EmbeddingChoice, embedder: Embedder, until: float) -> bool:
    if choice.agent is not None:  # passages were done before the messages of agents
        return True
    newest = ComingPassageVector.objects.order_by("-row").values_list("row", flat=True).first()
    after = newest or 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(MISSING_PASSAGES_SQL, {"after": after, "most": EMBED_BATCH})
            batch = cursor.fetchall()
        if not batch:
            if not after:
                _note_agent(choice, NO_AGENT)
                return True
            after = 0  # once more from the first: some may have been rewritten
            continue
        vectors = embedder.embed_passages([text for _row, text in batch])
        rows = [
            ComingPassageVector(row=row, text=_hash(text), embedding=vector)
            for (row, text), vector in zip(batch, vectors, strict=True)
        ]
        after = batch[-1][0]
        if not _keep(choice, rows) or time.monotonic() > until:
            return False


def _make_messages(choice: EmbeddingChoice, embedder: Embedder, until: float) -> bool:
    for agent in Agent.objects.order_by("pk").filter(pk__gt=choice.agent):
        with works_for(person_of(agent.owner_id)):
            if not _make_messages_of(agent, choice, embedder, until):
                return False
        _note_agent(choice, agent.pk)
    return True


def _note_agent(choice: EmbeddingChoice, agent_id: UUID) -> None:
    """All agents up to this one have theirs."""
    choice.agent = agent_id
    EmbeddingChoice.objects.filter(pk=choice.pk).update(agent=agent_id)


def _make_messages_of(agent: Agent, choice: EmbeddingChoice, embedder: Embedder, until: float) -> bool:
    after = _made_up_to(agent.pk)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                MISSING_MESSAGES_SQL, {"agent": agent.pk, "after": after, "most": recall_storage.EMBED_BATCH}
            )
            keys = [row for (row,) in cursor.fetchall()]
        if not keys:
            return True
        batch = list(agent.messages.filter(pk__in=keys).without_search_columns().order_by("seq"))
        if not batch:  # they were deleted just now
            continue
        rows = [
            ComingMessageVector(
                row=made.message.pk,
                text=_hash(made.message.content),
                embedding=made.own,
                context_embedding=made.context,
            )
            for made in recall_storage.vectors_of(agent, batch, embedder)
        ]
        after = batch[-1].seq or 0
        if not _keep(choice, rows) or time.monotonic() > until:
            return False


def _made_up_to(agent_id: UUID) -> int:
    """The seq of the agent's last message with a new vector."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(seq), 0) FROM agents_message JOIN agents_comingmessagevector ON row = id "
            "WHERE agent_id = %s",
            [agent_id],
        )
        seq: int = cursor.fetchone()[0]
    return seq


def _keep(choice: EmbeddingChoice, rows: Sequence[ComingVector]) -> bool:
    """False if somebody stopped the change meanwhile."""
    with transaction.atomic():
        kind: Any = type(rows[0])
        fields = [field.name for field in kind._meta.fields if field.name != "row"]
        kind.objects.bulk_create(rows, update_conflicts=True, unique_fields=["row"], update_fields=fields)
        going_on = EmbeddingChoice.objects.filter(pk=choice.pk)
        if not going_on.update(done=F("done") + len(rows), error="", worked_at=timezone.now()):
            transaction.set_rollback(True)
            return False
    return True


def _exchange(choice: EmbeddingChoice) -> None:
    """All in one: nobody sees some old and some new vectors."""
    with transaction.atomic(), connection.cursor() as cursor:
        coming = EmbeddingChoice.objects.select_for_update().filter(pk=choice.pk, state=EmbeddingChoice.State.COMING)
        if not list(coming):  # somebody stopped it; from here on nobody can
            return
        for statement in EXCHANGE_SQL:
            cursor.execute(statement, {"name": choice.name})
        EmbeddingChoice.objects.filter(state=EmbeddingChoice.State.USED).delete()
        used = {"state": EmbeddingChoice.State.USED, "worked_at": timezone.now()}  # `reap` settles it, if nobody does
        EmbeddingChoice.objects.filter(pk=choice.pk).update(**used, error="", agent=None)
    forget_coming()  # for itself: what reads all tables meanwhile, as a backup does, must not hold up the rest
    embeddings.latest()
    logger.info("All vectors are of %s now.", choice.name)


def forget_coming() -> None:
    """Away with vectors that were made for a change: it is done, or another one begins."""
    ComingPassageVector.objects.all().delete()
    ComingMessageVector.objects.all().delete()


def _hash(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
