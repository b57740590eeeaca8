"""Which embedding model makes the vectors: chosen by staff, for everybody."""

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from agents import dispatch
from agents.exceptions import InvalidInput
from agents.external_context import exchange
from agents.llm import embeddings
from agents.models import Connection, EmbeddingChoice

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
    try:
        with transaction.atomic():
            EmbeddingChoice.objects.filter(state=State.ASKED).delete()
            choice = EmbeddingChoice.objects.create(connection=connection, model=model)
            dispatch.measure_embeddings(choice.pk)
    except IntegrityError as error:
        raise InvalidInput(_("Somebody asked at the same moment. Look at what comes of it.")) from error
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
        exchange.forget_coming()
        dispatch.change_embeddings()


def embeddings_stop() -> None:
    """Leave everything as it is: the change that is on its way, or what was asked about, is forgotten. Raises
    InvalidInput while the new vectors take their places."""
    try:
        with transaction.atomic():
            rows = EmbeddingChoice.objects.select_for_update(nowait=True).exclude(state=State.USED)
            for choice in rows:
                choice.delete()
            exchange.forget_coming()
    except OperationalError as error:
        raise InvalidInput(
            _("It cannot be stopped at this moment: the new vectors take their places. Look again.")
        ) from error


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
