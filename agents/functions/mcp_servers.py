"""MCP servers as sources of functions: how one is reached, and what it offers, written down by a worker.

`memweb/functions/servers.py` speaks with them, in a process for each.
"""

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents.broadcast import bus
from agents.broadcast.events import ContextChanged
from agents.functions import registry
from agents.models import Agent, FunctionSource, InstalledFunction
from agents.sealing import Unreadable, unseal
from agents.text.clean import storable
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
    return {**source.place, **secrets, "allow_private": env().memweb_mcp_allow_private}


def look(source_id: int) -> None:
    """Ask the server what it offers and write it down. One that does not answer keeps the functions that it had; one
    that is no more is let go."""
    source = FunctionSource.objects.filter(pk=source_id).select_related("owner").first()
    if source is None:
        servers.forget(source_id)
        return
    begun = timezone.now()
    try:
        tools = servers.tools(source.pk, reach(source))
    except FunctionFault as fault:
        logger.warning("The MCP server %s cannot be used: %s", source.name, fault)
        _told(source, begun, [str(fault)])
        return
    with transaction.atomic():
        FunctionSource.objects.select_for_update().filter(pk=source.pk).first()
        _told(source, begun, [*tools.left_out, *_note(source, tools.functions)])


def _told(source: FunctionSource, begun: datetime, reasons: Iterable[str]) -> None:
    source.error, source.looked_at = storable("\n".join(reasons)), max(begun, source.asked_at or begun)
    source.save(update_fields=["error", "looked_at"])
    for owner_id in {source.owner_id} if source.owner_id else set(Agent.objects.values_list("owner_id", flat=True)):
        bus.publish_on_commit(bus.owner_group(owner_id), ContextChanged())


def _note(source: FunctionSource, described: list[Described]) -> list[str]:
    """Keep the functions; a sentence for each that has no name to be called by. What was not known to change anything
    and now may do so asks first wherever it is on."""
    known = {row.remote_name: row for row in source.functions.all()}
    taken = _taken(source)
    nameless, rows, asking = [], [], set()
    for one in described:
        before = known.get(one.remote_name)
        names = [*([before.name] if before else []), one.name, f"{source.name}_{one.name}"[:LONGEST_NAME]]
        name = next((name for name in names if name not in taken), None)
        if name is None:
            nameless.append(f"The tool “{one.remote_name}” is left out: its name is taken.")
            continue
        taken.add(name)
        if one.ask_first and before and not before.ask_first:
            asking.add(before.name)
        told = vars(one) | {
            "name": name,
            "description": storable(one.description),
            "remote_name": storable(one.remote_name),
        }
        rows.append(InstalledFunction(source=source, **told))
    source.functions.all().delete()
    InstalledFunction.objects.bulk_create(rows)
    _have_asked(source, asking)
    return nameless


def _taken(source: FunctionSource) -> set[str]:
    """Names that this server's functions cannot have: memweb's own, modules', and of the owner's other servers."""
    others = InstalledFunction.objects.filter(source__owner=None).exclude(source=source)
    theirs = InstalledFunction.objects.exclude(source=source)
    if source.owner_id:
        theirs = theirs.filter(source__owner_id=source.owner_id)
    names = others.union(theirs).values_list("name", flat=True)
    return {*registry.registered(), *names}


def _have_asked(source: FunctionSource, names: set[str]) -> None:
    agents = Agent.objects.filter(owner_id=source.owner_id) if source.owner_id else Agent.objects.all()
    for name in names:
        for agent in agents.filter(attached_functions__contains=[name]).exclude(ask_first__contains=[name]):
            agent.ask_first = sorted([*agent.ask_first, name])
            agent.save(update_fields=["ask_first"])
