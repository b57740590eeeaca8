"""MCP servers as sources of functions: how one is reached, and what it offers, written down by a worker.

`memweb/functions/servers.py` speaks with them, in a process for each.
"""

import json
import logging
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import dispatch
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged
from agents.functions import registry
from agents.models import Agent, FunctionSource, InstalledFunction
from agents.sealing import Unreadable, unseal
from agents.text.clean import encodable_json, storable
from memweb.functions import servers
from memweb.functions.sources import Described, FunctionFault
from memweb.stack.env import env

logger = logging.getLogger(__name__)

LONGEST_NAME = 64  # characters of a function's


def reach(source: FunctionSource) -> dict[str, Any]:
    """As `memweb.functions.servers` wants it; the source comes with its owner. Raises FunctionFault."""
    if "command" in source.place and source.owner and not source.owner.is_staff:
        raise FunctionFault("Only staff may have programs run on the server, and its owner is none of them any more.")
    try:
        secrets = json.loads(unseal(source.secrets)) if source.secrets else {}
    except Unreadable as error:
        sentence = f"The secrets of {source.name} were stored with another secret key: enter them again."
        raise FunctionFault(sentence) from error
    about = {"allow_private": env().memweb_mcp_allow_private, "shared": source.owner_id is None}
    return {**source.place, **secrets, **about}


def ask(source_id: int) -> None:
    """Have a worker ask the server what it offers, when what happens now is committed."""
    FunctionSource.objects.filter(pk=source_id).update(asked_at=timezone.now())
    dispatch.look_at_server(source_id)


def look(source_id: int) -> None:
    """Ask the server what it offers, if that was not done since it was wanted, and write it down. One that does not
    answer keeps the functions that it had; one that is no more is let go."""
    source = FunctionSource.objects.filter(pk=source_id).select_related("owner").first()
    if source is None:
        servers.forget(source_id)
        return
    if source.looked_at and source.asked_at and source.looked_at >= source.asked_at:
        return
    tools, faults = servers.Tools([], []), []
    try:
        tools = servers.tools(source.pk, reach(source))
    except FunctionFault as fault:
        logger.warning("The MCP server %s cannot be used: %s", source.name, fault)
        faults = [str(fault)]
    with transaction.atomic():
        # One after the other, all of them: names are unique among several. Others than it was asked with: ask again.
        rows = {
            row.pk: row for row in FunctionSource.objects.select_for_update().filter(kind=FunctionSource.Kind.SERVER)
        }
        now = rows.get(source.pk)
        if now is None:
            transaction.on_commit(lambda: servers.forget(source_id))
        elif (now.place, now.secrets, now.owner_id) == (source.place, source.secrets, source.owner_id):
            _told(now, faults or [*tools.left_out, *_note(now, tools.functions)])


def _told(source: FunctionSource, reasons: Iterable[str]) -> None:
    source.error, source.looked_at = storable("\n".join(reasons)), timezone.now()
    source.save(update_fields=["error", "looked_at"])
    for owner_id in {source.owner_id} if source.owner_id else set(Agent.objects.values_list("owner_id", flat=True)):
        bus.publish_on_commit(bus.owner_group(owner_id), ContextChanged())


def _note(source: FunctionSource, described: list[Described]) -> list[str]:
    """Keep the functions; a sentence for each that has no name to be called by. A name that an agent has already is not
    its person's yes to another function: one that may change something asks wherever it is on, unless it was there, and
    asked, before."""
    before = {row.remote_name: row for row in source.functions.all()}
    taken = _taken(source)
    names = {key: row.name for key, row in before.items() if row.name not in taken}  # kept, before any new one
    names = {one.remote_name: names[one.remote_name] for one in described if one.remote_name in names}
    nameless, rows, asking = [], [], []
    for one in described:
        name = names.get(one.remote_name) or _free_name(source, one, {*taken, *names.values()})
        if name is None:
            nameless.append(f"The tool “{one.remote_name}” is left out: its name is taken.")
            continue
        names[one.remote_name] = name
        known = before.get(one.remote_name)
        if one.ask_first and not (known and known.name == name and known.ask_first):
            asking.append(name)
        texts = {"name": name, "description": storable(one.description), "remote_name": storable(one.remote_name)}
        told = vars(one) | texts | {"parameters": encodable_json(one.parameters)}
        rows.append(InstalledFunction(source=source, **told))
    source.functions.all().delete()
    InstalledFunction.objects.bulk_create(rows)
    _have_asked(source, asking)
    return nameless


def _free_name(source: FunctionSource, one: Described, taken: set[str]) -> str | None:
    names = (one.name, f"{source.name}_{one.name}"[:LONGEST_NAME])
    return next((name for name in names if name not in taken), None)


def _taken(source: FunctionSource) -> set[str]:
    """Names that this server's functions cannot have: memweb's own, modules', and of the owner's other servers."""
    others = InstalledFunction.objects.filter(source__owner=None).exclude(source=source)
    theirs = InstalledFunction.objects.exclude(source=source)
    if source.owner_id:
        theirs = theirs.filter(source__owner_id=source.owner_id)
    names = others.union(theirs).values_list("name", flat=True)
    return {*registry.registered(), *names}


def _have_asked(source: FunctionSource, names: list[str]) -> None:
    agents = Agent.objects.filter(owner_id=source.owner_id) if source.owner_id else Agent.objects.all()
    for name in names:
        given = agents.filter(attached_functions__contains=[name]).exclude(ask_first__contains=[name])
        for agent in given.select_for_update(no_key=True).select_related(None):
            agent.ask_first = sorted([*agent.ask_first, name])
            agent.save(update_fields=["ask_first"])
