"""MCP servers as people add, change and remove them. What a server offers, a worker finds out."""

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import dispatch
from agents.exceptions import InvalidInput
from agents.functions import mcp_servers
from agents.models import FunctionSource
from agents.sealing import seal
from agents.services.addresses import HEADERS, VARIABLES, checked_url, pairs_of
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_SERVERS = 10  # that a person can add
LONGEST_SERVER_NAME = 32  # characters; it goes before the names of functions that clash
LONGEST_ADDRESS = 2000
NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_SERVER_NAME}}}")

Server = FunctionSource


@dataclass(frozen=True)
class ServerDraft:
    """A server as a person writes it: `address` is a URL, or a command with its arguments; `secrets` are headers
    (`Name: value`) or the command's environment (`NAME=value`), one a line. A shared one is for everybody's agents."""

    name: str
    address: str
    secrets: str = ""
    shared: bool = False


def server_add(*, person: "User", draft: ServerDraft) -> Server:
    """A new server, at which a worker then looks. Raises InvalidInput."""
    server = Server(kind=Server.Kind.SERVER, place=_place(person, draft.address), name=_name(draft.name))
    server.owner = None if _shared(person, draft) else person
    server.secrets = _sealed(server.place, draft.secrets)
    if Server.objects.filter(kind=Server.Kind.SERVER, owner=server.owner).count() >= MOST_SERVERS:
        raise InvalidInput(
            _("There are %(most)d servers already, the most that there can be.") % {"most": MOST_SERVERS}
        )
    return _kept(server)


def server_change(*, person: "User", server: Server, draft: ServerDraft) -> Server:
    """Other settings. Secrets that are left empty stay as they are, unless the server is another host's now. Raises
    InvalidInput."""
    place = _place(person, draft.address)
    server.owner = None if _shared(person, draft) else (server.owner or person)
    if draft.secrets.strip() or _host(place) != _host(server.place):
        server.secrets = _sealed(place, draft.secrets)
    server.place, server.name = place, _name(draft.name)
    return _kept(server)


def server_look(*, server: Server) -> None:
    """Have a worker ask it again what it offers; nothing while one is at it."""
    if not server.looking:
        mcp_servers.ask(server.pk)


def server_remove(*, server: Server) -> None:
    """Its functions are gone with it; agents that had them are told so when they call one."""
    with transaction.atomic():
        dispatch.look_at_server(server.pk)
        server.delete()


def _kept(server: Server) -> Server:
    server.asked_at, server.error = timezone.now(), ""
    try:
        with transaction.atomic():
            server.save()
            dispatch.look_at_server(server.pk)
    except IntegrityError as error:
        raise InvalidInput(_("There is a server called “%(name)s” already.") % {"name": server.name}) from error
    return server


def _name(text: str) -> str:
    name = typed(text).strip()
    if not NAME.fullmatch(name):
        sentence = _(
            "A name has up to %(most)d letters of English, digits, - and _: it can become part of functions' names."
        )
        raise InvalidInput(sentence % {"most": LONGEST_SERVER_NAME})
    return name


def _shared(person: "User", draft: ServerDraft) -> bool:
    if draft.shared and not person.is_staff:
        raise InvalidInput(_("Only staff can add a server for everybody."))
    return draft.shared


def _place(person: "User", address: str) -> dict[str, Any]:
    address = typed(address).strip()
    if not address or len(address) > LONGEST_ADDRESS or "\n" in address:
        raise InvalidInput(
            _("Write the server's URL, in one line of at most %(most)d characters.") % {"most": LONGEST_ADDRESS}
        )
    if address.lower().startswith(("http://", "https://")):
        return {"url": checked_url(address, as_in="https://example.org/mcp")}
    if not person.is_staff:
        raise InvalidInput(
            _("Write a URL that starts with https:// or http://. Only staff can have programs run on the server.")
        )
    try:
        return {"command": shlex.split(address)}
    except ValueError as error:
        raise InvalidInput(_("A quotation mark of the command is not closed.")) from error


def _host(place: dict[str, Any]) -> object:
    return urlsplit(place["url"])[:2] if "url" in place else None


def _sealed(place: dict[str, Any], text: str) -> str:
    form, name = (HEADERS, "headers") if "url" in place else (VARIABLES, "env")
    pairs = pairs_of(text, form)
    return seal(json.dumps({name: dict(pairs)})) if pairs else ""


def may_change(person: "User") -> Q:
    """Which servers a person may change: their own, and what is everybody's if they are staff."""
    own = Q(owner=person)
    return Q(kind=Server.Kind.SERVER) & (own | Q(owner=None) if person.is_staff else own)
