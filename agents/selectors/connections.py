"""Which models a person can choose among, and which servers there are on this machine."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm.gateway import connected, model_config
from agents.models import Connection
from agents.models.connection import ModelFacts
from memweb.stack.env import env

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FIND_SECONDS = 1.5
MOST_SHOWN = 60  # models of one server; more are found by typing


@dataclass(frozen=True)
class Offer:
    """A server with those of its models that fit what was typed. `named` is the typed text where no model is called so:
    a server may have models that it does not list."""

    connection: Connection | None  # none: the configured endpoint
    title: str
    models: Sequence[ModelFacts]
    left_out: int = 0
    named: str = ""

    @property
    def choices(self) -> list[tuple[str, ModelFacts]]:
        """Each model with the value that chooses it in a form."""
        return [(choice_value(self.connection, facts.name if self.connection else ""), facts) for facts in self.models]

    @property
    def named_value(self) -> str:
        """That of the name that was typed."""
        return choice_value(self.connection, self.named)


@dataclass(frozen=True)
class Found:
    """A server on this machine. `known` is the connection that leads there already."""

    name: str
    url: str
    models: Sequence[ModelFacts]
    known: Connection | None = None


def connections_of(person: "User") -> "QuerySet[Connection]":
    """Their own, then everybody's, each with how many agents use it."""
    rows = Connection.objects.filter(Q(owner=person) | Q(owner=None))
    return rows.annotate(used=Count("agents")).order_by("owner", "name")


def may_reach_this_machine(person: "User") -> bool:
    """Whether a connection of theirs may lead into private networks, this machine's too."""
    return person.is_staff or env().memweb_models_allow_private


def default_model() -> ModelFacts:
    """The one that the settings name."""
    config = model_config()
    return ModelFacts(config.name, mode=config.mode, window=config.context_window)


def choice_value(connection: Connection | None, model: str) -> str:
    """A model as a form names it: the connection's key, a colon, the model. The configured one is the colon alone."""
    return f"{connection.pk if connection else ''}:{model}"


def handle(connection: Connection | None, model: str) -> str:
    """A model as people write it: with its connection's name before it."""
    return f"{connection.name}/{model}" if connection else model


def model_handles(person: "User") -> list[str]:
    """Those of all models that can chat."""
    rows = connections_of(person)
    return [handle(row, facts.name) for row in rows for facts in row.all_models if not facts.embeds]


def models_offered(person: "User", typed: str) -> list[Offer]:
    """All that an agent can use, by server, the configured one first. `typed` narrows it: each of its words."""
    words = typed.casefold().split()
    default = default_model()
    offers = []
    title = _("This installation's model")
    if all(word in f"{default.name} {title}".casefold() for word in words):
        offers.append(Offer(None, title, [default]))
    for row in connections_of(person):
        fitting = [
            facts
            for facts in row.all_models
            if not facts.embeds and all(word in f"{facts.name} {row.name}".casefold() for word in words)
        ]
        fitting.sort(key=lambda facts: not facts.tried)
        named = "" if not typed or any(facts.name == typed for facts in fitting) else typed
        offers.append(Offer(row, row.name, fitting[:MOST_SHOWN], max(0, len(fitting) - MOST_SHOWN), named))
    return offers


def servers_found(person: "User") -> list[Found]:
    """Model servers that answer on this machine at their usual ports; none for a person who may not reach it."""
    if not may_reach_this_machine(person):
        return []
    from agents.llm import known_servers, listing  # here: they load the client, which few requests need

    known = {row.base_url: row for row in connections_of(person)}
    programs = [program for program in known_servers.PROGRAMS if program.port != env().memweb_port]

    def look(program: known_servers.Program) -> Found | None:
        try:
            models = listing.models_at(connected(Connection(base_url=program.url), ""), seconds=FIND_SECONDS)
        except LLMError:
            return None
        chatting = [facts for facts in models if not facts.embeds]
        return Found(program.name, program.url, chatting, known.get(program.url)) if models else None

    with ThreadPoolExecutor(len(programs)) as pool:
        return [found for found in pool.map(look, programs) if found]
