"""An agent's functions, and those that it could be given."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from agents.functions import toolset
from agents.functions.installed import OutsideFunction
from agents.llm.gateway import config_of
from agents.llm.types import Role
from agents.main_context.compile import functions_tokens
from agents.models import Agent, FunctionSource, Message, OutsideCall, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CALLS = 500  # of the agent's newest results that are looked at


@dataclass(frozen=True)
class FunctionCard:
    """A function as a person sees it. `tokens` is its share of each prompt while it is on; `source` is empty for
    memweb's own. `calls` and `failed` are among the newest results."""

    name: str
    description: str
    source: str
    tokens: int
    on: bool
    asks: bool  # a person, before each call
    can_ask: bool
    always: bool  # it cannot be turned off
    usable: bool  # by the agent's model
    calls: int
    failed: int
    called_at: datetime | None


def function_cards(agent: Agent) -> list[FunctionCard]:
    """Every function that there is, memweb's own first. Two queries, three for an agent that was given some."""
    chosen = toolset.of(agent).functions
    guided = config_of(agent).mode == "guided"
    newest = agent.messages.filter(kind=Message.Kind.FUNCTION_RESULT, retracted_at=None).order_by("-seq")
    results = list(newest.values_list("function", "failed", "created_at")[:CALLS])
    calls = Counter(name for name, _failed, _at in results)
    failed = Counter(name for name, failed, _at in results if failed)
    called_at = {name: at for name, _failed, at in reversed(results)}
    return [
        FunctionCard(
            name=name,
            description=function.schema.description,
            source=function.row.source.name if isinstance(function, OutsideFunction) else "",
            tokens=functions_tokens((function.schema,)),
            on=name in chosen,
            asks=name in agent.ask_first,
            can_ask=name in chosen and isinstance(function, OutsideFunction),
            always=function.role == Role.SPEAKS,
            usable=not (guided and isinstance(function, OutsideFunction)),
            calls=calls[name],
            failed=failed[name],
            called_at=called_at.get(name),
        )
        for name, function in toolset.there_are(agent.owner_id).items()
    ]


def calls_asked(agent: Agent) -> "QuerySet[OutsideCall]":
    """What waits for a person's yes or no, the oldest first."""
    waiting = OutsideCall.objects.filter(step__run__agent=agent, step__run__status=Run.Status.WAITING)
    return waiting.filter(ended_at=None, decision="").exclude(asked_at=None)


def broken_sources(agent: Agent) -> "QuerySet[FunctionSource]":
    """Modules and servers that offer the agent less than they wanted to, with the reason. What a server that is
    everybody's said is for staff: it may be of somebody else's call."""
    theirs = Q(owner=agent.owner_id) | Q(owner=None, kind=FunctionSource.Kind.MODULE)
    shown = theirs | Q(owner=None) if agent.owner.is_staff else theirs
    return FunctionSource.objects.filter(shown).exclude(error="")


def servers_of(person: "User") -> "QuerySet[FunctionSource]":
    """The MCP servers whose functions their agents can be given, with the number of these as `count`."""
    servers = FunctionSource.objects.filter(Q(owner=None) | Q(owner=person), kind=FunctionSource.Kind.SERVER)
    return servers.annotate(count=Count("functions"))
