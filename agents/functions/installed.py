"""Functions that are not memweb's own: of modules in MEMWEB_HOME/functions/, of packages with the entry point
`memweb.functions`, and of MCP servers (`mcp_servers.py`).

A worker looks at the modules and writes down what it finds, so that no other process has to load them. They are called
outside of every transaction (`agents/outside_calls.py`).
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.exceptions import FunctionError
from agents.functions import mcp_servers, registry
from agents.functions.registry import ValidCall
from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT, FunctionSchema, Role
from agents.models import Agent, FunctionSource, InstalledFunction
from agents.text.clean import storable
from memweb.functions import Call, servers, sources
from memweb.functions.sources import Described, FunctionFault, Source
from memweb.stack.env import env

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutsideFunction:
    """A function that is called outside of the database."""

    row: InstalledFunction

    @property
    def schema(self) -> FunctionSchema:
        """As the model is told about it."""
        return FunctionSchema(self.row.name, self.row.description, self.row.parameters)

    @property
    def role(self) -> Role:
        """None that memweb knows."""
        return Role.OTHER

    def validate(self, arguments: str) -> ValidCall:
        """Its own process or its server checks the rest. Raises FunctionError."""
        try:
            given = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise FunctionError(f"The arguments of {self.row.name} are not valid JSON.") from error
        if not isinstance(given, dict):
            raise FunctionError(f"The arguments of {self.row.name} must be a JSON object.")
        heartbeat = given.pop(REQUEST_HEARTBEAT, True)
        given.pop(INNER_THOUGHTS, None)
        return ValidCall(self, given, request_heartbeat=bool(heartbeat))

    def call(self, arguments: str, *, agent: Agent, call_id: str, check: Callable[[], None]) -> str:
        """What it returns. `check` is asked all the time, and what it raises ends the call. Raises FunctionError."""
        by = Call(id=call_id, agent=agent.name, agent_id=str(agent.pk), person=agent.owner.get_username())
        source, name, seconds = self.row.source, self.row.name, self.row.time_limit
        try:
            if source.kind == FunctionSource.Kind.SERVER:
                text = self._called_by_server(arguments, check)
            else:
                text = sources.call(source.place, name, arguments, by=by, seconds=seconds, check=check)
            return storable(registry.cut(text))
        except FunctionFault as fault:
            raise FunctionError(storable(registry.cut(str(fault)))) from fault

    def _called_by_server(self, arguments: str, check: Callable[[], None]) -> str:
        row, given = self.row, self.validate(arguments).arguments
        reach, changed = mcp_servers.reach(row.source), False
        try:
            text, changed = servers.call(
                row.source_id, reach, row.remote_name, given, seconds=row.time_limit, check=check
            )
        except FunctionFault as fault:
            changed = fault.changed
            raise
        finally:
            if changed:
                mcp_servers.ask(row.source_id)
        return text


def by_name(owner_id: int, **wanted: object) -> dict[str, OutsideFunction]:
    """Those that this person's agents can be given, all or those that fit the lookups, in order of their names. What is
    everybody's comes before a person's own of the same name. One query."""
    for_them = Q(source__owner=None) | Q(source__owner=owner_id)
    rows = InstalledFunction.objects.filter(for_them, **wanted).select_related("source__owner")
    return {row.name: OutsideFunction(row) for row in rows.order_by("name", "source__owner_id")}


def refresh() -> None:
    """Look at all modules, in a process for each, and write down what is there now. Two at once write the same."""
    found = sources.sources(env().memweb_home)
    modules = FunctionSource.objects.filter(kind=FunctionSource.Kind.MODULE)
    modules.exclude(name__in=[source.name for source in found]).delete()
    taken = set(registry.registered())
    for source in found:
        taken |= _note(source, taken)


def _note(source: Source, taken: set[str]) -> set[str]:
    """The names of its functions. One whose name is `taken` is left out, and the source says so."""
    described: list[Described] = []
    error = ""
    try:
        described = sources.describe(source)
    except FunctionFault as fault:
        error = str(fault)
        logger.warning("The functions of %s cannot be used: %s", source.name, fault)
    if clashes := sorted(one.name for one in described if one.name in taken):
        error = f"There is another function with the name {', '.join(clashes)}."
        logger.warning("%s: %s", source.name, error)
    usable = {one.name: one for one in described if one.name not in taken}
    with transaction.atomic():
        place = {"place": dict(source.place), "error": storable(error), "looked_at": timezone.now()}
        row, _new = FunctionSource.objects.update_or_create(
            kind=FunctionSource.Kind.MODULE, owner=None, name=source.name, defaults=place
        )
        row.functions.exclude(name__in=usable).delete()
        for name, one in usable.items():
            told = {
                "description": storable(one.description),
                "parameters": one.parameters,
                "idempotent": one.idempotent,
                "ask_first": one.ask_first,
                "time_limit": one.time_limit,
            }
            row.functions.update_or_create(name=name, defaults=told)
    return set(usable)
