"""Which model an agent asks, and how."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from agents.broadcast import bus
from agents.broadcast.events import AgentsChanged, ContextChanged
from agents.exceptions import InvalidInput
from agents.models import Agent, Connection
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_MODEL = 120  # characters


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model and how it is asked. Without a connection it is the configured endpoint's; `model` empty is the
    configured one. `context_window` and `reply_tokens` are in tokens; what is None or empty is left to memweb or the
    server."""

    connection: Connection | None = None
    model: str = ""
    function_mode: str = Agent.FunctionMode.AUTO
    context_window: int | None = None
    temperature: float | None = None
    reasoning_effort: str = ""
    reply_tokens: int | None = None
    summary_connection: Connection | None = None
    summary_model: str = ""

    @classmethod
    def of(cls, agent: Agent) -> Self:
        """What the agent has now."""
        return cls(**{field.name: getattr(agent, field.name) for field in fields(cls)})


def agent_choose_model(*, agent: Agent, choice: ModelChoice) -> None:
    """From its next step on, with no restart. Raises InvalidInput."""
    for connection, model in ((choice.connection, choice.model), (choice.summary_connection, choice.summary_model)):
        check_model(agent.owner, connection, model)
    names = [field.name for field in fields(choice)]
    for name in names:
        setattr(agent, name, getattr(choice, name))
    try:
        agent.clean_fields(exclude=[field.name for field in Agent._meta.fields if field.name not in names])
    except ValidationError as error:
        raise InvalidInput(_in_words(error)) from error
    agent.asked_for = {name: value for name, value in agent.asked_for.items() if name != "model"}
    with transaction.atomic():
        agent.save(update_fields=[*names, "asked_for"])
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())
        bus.publish_on_commit(bus.owner_group(agent.owner_id), AgentsChanged())


def check_model(owner: "User", connection: Connection | None, model: str) -> None:
    """Raises InvalidInput for a name that is too long or missing, and for a connection that is not the owner's."""
    if typed(model) != model or len(model) > LONGEST_MODEL:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_MODEL})
    if connection is not None:
        if not model:
            raise InvalidInput(_("Choose a model of “%(connection)s”.") % {"connection": connection.name})
        if connection.owner_id not in (None, owner.pk):
            raise InvalidInput(_("There is no connection of this name."))


def model_named(owner: "User", text: str) -> tuple[Connection | None, str]:
    """The connection and the model by their names, as in “Ollama/llama3.2”; the configured endpoint's model where it
    begins with no connection's name. A person's own connections come before everybody's."""
    start, slash, rest = text.partition("/")
    if slash and rest:
        rows = Connection.objects.filter(Q(owner=owner) | Q(owner=None), name__iexact=start).order_by("owner")
        if row := rows.first():
            return row, rest
    return None, text


def _in_words(error: ValidationError) -> str:
    words = [f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items()]
    return " ".join(words)
