"""Connections to model servers, as people make, change and remove them. What a server has, a worker finds out."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import httpx2
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import dispatch
from agents.exceptions import InvalidInput, LLMError, NameTaken
from agents.llm.gateway import connected
from agents.llm.secrets import Secrets
from agents.models import Agent, Connection, EmbeddingChoice
from agents.models.connection import ModelFacts
from agents.person import Person, person_of, works_for
from agents.sealing import Unreadable
from agents.services.addresses import HEADERS, checked_url, pairs_of
from agents.text.clean import storable, typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

MOST_CONNECTIONS = 20  # that a person can have
LONGEST_CONNECTION_NAME = 40  # characters
LONGEST_KEY = 8000
LONGEST_URL = 2000
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 5.0, 3600.0  # seconds
EXAMPLE = "https://example.org/v1"


@dataclass(frozen=True)
class ConnectionDraft:
    """A connection as a person writes it: `headers` are `Name: value`, one a line; `timeout` in seconds of silence. A
    shared one is everybody's."""

    name: str
    base_url: str
    key: str = ""
    headers: str = ""
    timeout: float = 120.0
    shared: bool = False


def connection_add(*, person: "User", draft: ConnectionDraft, model: str = "") -> Connection:
    """A new connection. A worker then looks at it and tries this model, or the first. Raises InvalidInput."""
    row = Connection(name=_name(draft.name), base_url=_url(draft.base_url), timeout=_timeout(draft.timeout))
    row.owner = None if _shared(person, draft) else person
    row.secrets = _secrets(draft).sealed()
    if Connection.objects.filter(owner=row.owner).count() >= MOST_CONNECTIONS:
        sentence = _("There are %(most)d connections already, the most that there can be.")
        raise InvalidInput(sentence % {"most": MOST_CONNECTIONS})
    return _kept(row, model)


def connection_change(*, person: "User", connection: Connection, draft: ConnectionDraft) -> Connection:
    """Other settings. A key and headers that are left empty stay as they are, unless the server is another one now.
    Raises InvalidInput."""
    row = connection
    url = _url(draft.base_url)
    row.owner = None if _shared(person, draft) else (row.owner or person)
    secrets = _secrets(draft)
    if _host(url) == _host(row.base_url):
        before = _known(row)
        secrets = Secrets(secrets.key or before.key, secrets.headers or before.headers)
    if url != row.base_url:
        row.offered, row.tried = [], {}
    row.name, row.base_url, row.timeout, row.secrets = _name(draft.name), url, _timeout(draft.timeout), secrets.sealed()
    with transaction.atomic():
        if row.owner is not None:  # it may have been everybody's until now
            _check_not_searched_with(row)
            _let_go(row, Agent.objects.exclude(owner=row.owner))
        return _kept(row)


def connection_test(*, connection: Connection, model: str = "", by: "User | None" = None) -> None:
    """Have a worker look at it and try this model, or the first that can chat; nothing while one is at it. Who uses
    everybody's connection (`by`) has those of its models tried that it lists."""
    foreign = by is not None and connection.owner_id != by.pk and not by.is_staff
    if connection.looking or (foreign and model not in {facts["name"] for facts in connection.offered}):
        return
    connection.asked_at = timezone.now()
    with transaction.atomic():
        connection.save(update_fields=["asked_at"])
        dispatch.look_at_connection(connection.pk, model)


def connection_remove(*, connection: Connection) -> None:
    """Agents that used it use the configured model from then on. Raises InvalidInput where search needs it."""
    with transaction.atomic():
        _check_not_searched_with(connection)
        _let_go(connection, Agent.objects.all())
        connection.delete()


def connection_look(*, connection_id: int, model: str) -> None:
    """Ask the server what it has, and try one model. What it lists is there as soon as it is known; nothing is written
    of a connection that was changed meanwhile."""
    row = Connection.objects.filter(pk=connection_id).first()
    if row is None or not row.looking:
        return
    look = _Look(row)
    with works_for(person_of(row.owner_id) if row.owner_id else Person()):
        try:
            look.at_its_models()
            error = look.at_one(model)
        except LLMError as fault:
            error = str(fault)
        look.write(error=storable(error), looked_at=timezone.now())


class _Look:
    """One look at a server. What it finds is of the server, the key and the wish that the row had when it began."""

    def __init__(self, row: Connection) -> None:
        self._row = row
        self._known = {"base_url": row.base_url, "secrets": row.secrets, "asked_at": row.asked_at}

    def write(self, **fields: object) -> None:
        """Into the row, if it is still about the same."""
        Connection.objects.filter(pk=self._row.pk, **self._known).update(**fields)

    def at_its_models(self) -> None:
        """Which it lists. Raises LLMError."""
        row = self._row
        row.offered = [asdict(facts) for facts in _listed(row)]
        self.write(offered=row.offered, base_url=row.base_url)
        self._known["base_url"] = row.base_url

    def at_one(self, model: str) -> str:
        """Try it, or the first that can chat; gives what is wrong with the server. Raises LLMError."""
        from agents.llm import trial  # here: it loads the client, which few programs need

        row = self._row
        tried = model or next((facts.name for facts in row.all_models if not facts.embeds), "")
        if not tried:
            return _(
                "The server is there and lists no model. Load one there, or write its name where you choose the "
                "agent's model."
            )
        facts = trial.try_model(connected(row, tried), row.facts_of(tried))
        with transaction.atomic():
            now = Connection.objects.select_for_update(of=("self",)).filter(pk=row.pk, **self._known).first()
            if now is not None:
                now.note(facts)
                now.save(update_fields=["tried"])
        return ""


def _listed(row: Connection) -> list[ModelFacts]:
    """What the server lists; its URL is completed where only /v1 is missing. Raises LLMError."""
    from agents.llm import listing

    try:
        return listing.models_at(connected(row, ""))
    except LLMError:
        longer = f"{row.base_url}/v1"
        if row.base_url.endswith("/v1"):
            raise
        try:
            found = listing.models_at(replace(connected(row, ""), base_url=longer))
        except LLMError:
            found = []
        if not found:
            raise
        row.base_url = longer
        return found


def _kept(row: Connection, model: str = "") -> Connection:
    row.asked_at, row.error = timezone.now(), ""
    try:
        with transaction.atomic():
            row.save()
            dispatch.look_at_connection(row.pk, model)
    except IntegrityError as error:
        raise NameTaken(_("There is a connection called “%(name)s” already.") % {"name": row.name}) from error
    return row


def _check_not_searched_with(row: Connection) -> None:
    EmbeddingChoice.objects.filter(connection=row, state=EmbeddingChoice.State.ASKED).delete()
    if EmbeddingChoice.objects.filter(connection=row).exists():
        raise InvalidInput(
            _("“%(name)s” makes the vectors by which memories are found. Choose another embedding model first.")
            % {"name": row.name}
        )


def _let_go(row: Connection, agents: "QuerySet[Agent]") -> None:
    """Have those of the agents that use it use the configured model."""
    agents.filter(connection=row).update(connection=None, model="", function_mode=Agent.FunctionMode.AUTO)
    agents.filter(summary_connection=row).update(summary_connection=None, summary_model="")


def _known(row: Connection) -> Secrets:
    try:
        return Secrets.of(row.secrets) if row.secrets else Secrets()
    except Unreadable:
        return Secrets()


def _name(text: str) -> str:
    name = " ".join(typed(text).split())
    if not name or len(name) > LONGEST_CONNECTION_NAME or "/" in name:
        sentence = _("Give the connection a name of at most %(most)d characters, without /.")
        raise InvalidInput(sentence % {"most": LONGEST_CONNECTION_NAME})
    return name


def _url(text: str) -> str:
    url = checked_url(typed(text).strip(), as_in=EXAMPLE)
    try:
        httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InvalidInput(_("This is no URL: write it as in %(example)s.") % {"example": EXAMPLE}) from error
    for ending in ("/chat/completions", "/models"):  # as some manuals show it
        url = url.rstrip("/").removesuffix(ending)
    if "?" in url or "#" in url:
        raise InvalidInput(_("Write the URL without ? and #: a key has its own field, which is stored encrypted."))
    if len(url) > LONGEST_URL:
        raise InvalidInput(_("A URL has at most %(most)d characters.") % {"most": LONGEST_URL})
    return url.rstrip("/")


def _host(url: str) -> str:
    return "/".join(url.lower().split("/")[:3])


def _timeout(seconds: float) -> float:
    if not SHORTEST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        limits = {"least": f"{SHORTEST_TIMEOUT:g}", "most": f"{LONGEST_TIMEOUT:g}"}
        raise InvalidInput(_("The time limit is from %(least)s to %(most)s seconds.") % limits)
    return seconds


def _secrets(draft: ConnectionDraft) -> Secrets:
    key = typed(draft.key).strip()
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise InvalidInput(_("A key is one word of English letters, digits and signs. Copy it once more."))
    return Secrets(key, tuple(pairs_of(draft.headers, HEADERS)))


def _shared(person: "User", draft: ConnectionDraft) -> bool:
    if draft.shared and not person.is_staff:
        raise InvalidInput(_("Only staff can make a connection for everybody."))
    return draft.shared


def connections_changed_by(person: "User") -> Q:
    """Which connections a person may change: their own, and everybody's if they are staff."""
    own = Q(owner=person)
    return own | Q(owner=None) if person.is_staff else own
