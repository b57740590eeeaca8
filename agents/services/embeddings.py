"""Which embedding model makes the vectors: chosen by staff, for everybody."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from agents import dispatch
from agents.exceptions import InvalidInput
from agents.external_context import exchange
from agents.llm import embeddings
from agents.models import ComingMessageVector, ComingPassageVector, Connection, EmbeddingChoice

LONGEST_EMBEDDING_MODEL = 100  # characters
SETTLE_SECONDS = 60
State = EmbeddingChoice.State


def embeddings_ask(*, connection: Connection | None, model: str) -> EmbeddingChoice:
    """Have a worker find out what a change to this model would cost; without a connection it is that on this machine.
    Raises InvalidInput."""
    if connection is not None and (connection.owner_id is not None or not model):
        raise InvalidInput(_("Choose an embedding model of a connection that is for everybody."))
    if len(model) > LONGEST_EMBEDDING_MODEL:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_EMBEDDING_MODEL})
    if EmbeddingChoice.objects.filter(state=State.COMING).exists():
        raise InvalidInput(_("A change is on its way already. Stop it first, or wait until it is done."))
    with transaction.atomic():
        EmbeddingChoice.objects.filter(state=State.ASKED).delete()
        choice = EmbeddingChoice.objects.create(connection=connection, model=model)
        dispatch.measure_embeddings(choice.pk)
    return choice


def embeddings_measure(*, choice_id: int) -> None:
    """Write down what it would cost."""
    choice = EmbeddingChoice.objects.filter(pk=choice_id, state=State.ASKED).first()
    if choice is None:
        return
    exchange.measure(choice)
    if not choice.error and choice.name == embeddings.latest().name:
        choice.error = _("This is the model in use.")
    fields = ["name", "dimension", "seconds", "total", "error"]
    if EmbeddingChoice.objects.filter(pk=choice.pk).exists():
        choice.save(update_fields=fields)


def embeddings_change(*, choice_id: int) -> None:
    """Begin the change that was asked about. Raises InvalidInput."""
    rows = EmbeddingChoice.objects.filter(pk=choice_id, state=State.ASKED, error="").exclude(name="")
    with transaction.atomic():
        try:
            with transaction.atomic():
                begun = rows.update(state=State.COMING)
        except IntegrityError:
            begun = 0
        if not begun:
            raise InvalidInput(_("This change cannot begin: ask once more what it costs."))
        dispatch.change_embeddings()


def embeddings_stop() -> None:
    """Leave everything as it is: the change that is on its way, or what was asked about, is forgotten."""
    with transaction.atomic():
        EmbeddingChoice.objects.exclude(state=State.USED).delete()
        ComingPassageVector.objects.all().delete()
        ComingMessageVector.objects.all().delete()


def embeddings_work() -> None:
    """A worker's share of the change."""
    coming = EmbeddingChoice.objects.filter(state=State.COMING)
    if not coming.exists():
        exchange.settle()
        dispatch.embed_passages()
    elif exchange.work():
        dispatch.change_embeddings()
    elif not coming.exists():  # done
        dispatch.change_embeddings(delay=SETTLE_SECONDS)
        dispatch.index_vectors()
