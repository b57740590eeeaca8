"""Functions of one's own: modules in MEMWEB_HOME/functions/ and packages with the entry point `memweb.functions`.

A worker looks at the modules and writes down what it finds, so that no other process has to load them. They are called
outside of every transaction (`agents/outside_calls.py`).
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from agents.exceptions import FunctionError
from agents.functions import registry
from agents.functions.registry import ValidCall
from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT, FunctionSchema, Role
from agents.models import Agent, FunctionSource, InstalledFunction
from agents.text.clean import storable
from memweb.functions import Call, sources
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
        """Its own process checks the rest. Raises FunctionError."""
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
        place, name, seconds = self.row.source.place, self.row.name, self.row.time_limit
        try:
            return storable(registry.cut(sources.call(place, name, arguments, by=by, seconds=seconds, check=check)))
        except FunctionFault as fault:
            raise FunctionError(storable(registry.cut(str(fault)))) from fault


def by_name(**wanted: object) -> dict[str, OutsideFunction]:
    """Those that are installed, all or those that fit the lookups, in order of their names. One query."""
    rows = InstalledFunction.objects.filter(**wanted).select_related("source")
    return {row.name: OutsideFunction(row) for row in rows}


def refresh() -> None:
    """Look at all modules, in a process for each, and write down what is there now. Two at once write the same."""
    found = sources.sources(env().memweb_home)
    FunctionSource.objects.exclude(name__in=[source.name for source in found]).delete()
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
        place = {"place": dict(source.place), "error": storable(error)}
        row, _new = FunctionSource.objects.update_or_create(name=source.name, defaults=place)
        row.functions.exclude(name__in=usable).delete()
        for name, one in usable.items():
            told = {
                "source": row,
                "description": storable(one.description),
                "parameters": one.parameters,
                "idempotent": one.idempotent,
                "ask_first": one.ask_first,
                "time_limit": one.time_limit,
            }
            InstalledFunction.objects.update_or_create(name=name, defaults=told)
    return set(usable)
