"""Whether a session still stands, for what goes on without a request: a websocket."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.utils.crypto import constant_time_compare

from agents.broadcast import bus
from agents.broadcast.events import PersonChanged


def is_logged_in(scope: dict[str, Any]) -> bool:
    """False once the session was ended, or the account is closed or has another password. Two queries."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    user = get_user_model().objects.filter(pk=store.get(SESSION_KEY), is_active=True).first()
    return user is not None and constant_time_compare(store.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())


def tell_of_change(person_id: int) -> None:
    """Have every open page of the person look whether it may go on."""
    bus.publish_on_commit(bus.owner_group(person_id), PersonChanged())
