"""Login sessions: noted where they are, listed, ended; and whether one still stands, for a websocket, which goes on
without a request."""

from datetime import UTC, datetime
from importlib import import_module
from time import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from agents import faults
from agents.broadcast import bus
from agents.broadcast.events import PersonChanged
from agents.models import OpenSession
from chat.address import address_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SEEN_EVERY = 300  # seconds within which a visit is not noted again
SEEN, BEGUN = "seen_at", "begun_at"  # in the session, as Unix time
MOST_LISTED = 100
LONGEST_BROWSER = 300  # characters of what a browser calls itself


def is_logged_in(scope: dict[str, Any]) -> bool:
    """False once the session was ended, or the account is closed or has another password. Two queries."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    user = get_user_model().objects.filter(pk=store.get(SESSION_KEY), is_active=True).first()
    return user is not None and _is_of(user, store)


def tell_of_change(person_id: int) -> None:
    """Have every open page of the person look whether it may go on."""
    bus.publish_on_commit(bus.owner_group(person_id), PersonChanged())


def session_seen(request: HttpRequest, person_id: int) -> None:
    """Note that the person was here, if it is some minutes since the last time. No query within them."""
    if time() - request.session.get(SEEN, 0) > SEEN_EVERY:
        with faults.noted_if_possible():
            session_note(request, person_id)


def session_begin(request: HttpRequest, person: "User") -> None:
    """Note that a person came in; and forget whose time is over."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    if not request.session.session_key:
        request.session.create()
    request.session.pop(BEGUN, None)
    session_note(request, person.pk)


def session_note(request: HttpRequest, person_id: int) -> None:
    """Note where the session is. One query, and the session is saved: it lasts two weeks from now."""
    session = request.session
    now = int(time())
    row = OpenSession(
        owner_id=person_id,
        session_id=session.session_key,
        address=address_of(request),
        browser=request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:LONGEST_BROWSER],
        begun_at=datetime.fromtimestamp(session.setdefault(BEGUN, now), UTC),
        seen_at=datetime.fromtimestamp(now, UTC),
    )
    try:
        with transaction.atomic():
            OpenSession.objects.bulk_create(
                [row],
                update_conflicts=True,
                unique_fields=["session"],
                update_fields=["owner", "address", "browser", "begun_at", "seen_at"],
            )
    except IntegrityError:  # it was ended this moment
        return
    session[SEEN] = now


def has_session_at(username: str, address: str) -> bool:
    """Whether the account is logged in at the address. One query."""
    return _unexpired().filter(owner__username=username, owner__is_active=True, address=address).exists()


def sessions_of(person: "User") -> list[OpenSession]:
    """Those that would still be let in, the one seen last first."""
    rows = _unexpired().filter(owner=person).select_related("session")[:MOST_LISTED]
    return [row for row in rows if _is_of(person, row.session.get_decoded())]


def session_end(*, session: OpenSession) -> None:
    """Log it out, and close what it has open."""
    _end(session.owner_id, Session.objects.filter(pk=session.session_id))


def other_sessions_end(request: HttpRequest) -> None:
    """Log the person out wherever they are but here."""
    others = Session.objects.filter(described__owner=request.user.pk).exclude(pk=request.session.session_key)
    _end(request.user.pk, others)


def _end(owner_id: Any, sessions: "QuerySet[Session]") -> None:
    with transaction.atomic():
        sessions.delete()
        tell_of_change(owner_id)


def _unexpired() -> "QuerySet[OpenSession]":
    return OpenSession.objects.filter(session__expire_date__gt=timezone.now())


def _is_of(user: Any, data: Any) -> bool:
    return constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
