"""What a program says to an agent, taken once however often it is sent."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from agents import services
from agents.models import Agent, Message, Run, Token
from agents.text.clean import typed
from api.errors import Unfit

RETRY_COUNT = "x-stainless-retry-count"  # of clients made as `openai` and `letta-client` are
REMEMBERED = 900  # seconds for which a request may be sent again by such a client


@dataclass(frozen=True)
class Outgoing:
    """A message on its way to the agent. `otid` is the sender's own id of it, if there is one."""

    text: str
    otid: str = ""
    alert: bool = False  # not said by a person


def send(request: HttpRequest, agent: Agent, messages: Sequence[Outgoing], max_steps: int | None = None) -> list[Run]:
    """The runs of these messages, in their order. Raises InvalidInput, Unfit; nothing is taken then.

    Known by `Idempotency-Key`, by `otid`, or because a client says that it tries again and has sent the same before: it
    gets the runs that there are already.
    """
    if (sent := _sent_before(request, agent)) is not None:
        return sent
    with transaction.atomic():
        runs = [_send(request, agent, number, message, max_steps) for number, message in enumerate(messages)]
    _remember(request, agent, runs)
    return runs


def _send(request: HttpRequest, agent: Agent, number: int, message: Outgoing, max_steps: int | None) -> Run:
    if message.alert:
        return services.alert_send(agent=agent, text=message.text)
    key = _key(request, number, message)
    known = agent.runs.select_related("event").filter(idempotency_key=key).first() if key else None
    if known and known.event and known.event.kind == Message.Kind.USER_MESSAGE:
        if known.event.content != typed(message.text).strip():
            raise Unfit("otid", _("This key was used for another message before. Use each for one message."))
        return known
    return services.message_send(agent=agent, text=message.text, idempotency_key=key, max_steps=max_steps)


def _key(request: HttpRequest, number: int, message: Outgoing) -> str:
    given = request.headers.get("Idempotency-Key", "")
    if message.otid:
        return f"otid-{_digest(message.otid)}"
    return f"key-{_digest(f'{given} {number}')}" if given else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def _fingerprint(request: HttpRequest, agent: Agent) -> str:
    token: Token = request.auth  # type: ignore[attr-defined]
    return f"sent:{token.pk}:{agent.pk}:{hashlib.sha256(request.body).hexdigest()}"


def _sent_before(request: HttpRequest, agent: Agent) -> list[Run] | None:
    if request.headers.get(RETRY_COUNT, "0") == "0":
        return None
    try:
        keys = cache.get(_fingerprint(request, agent))
    except RedisError:
        return None
    return list(agent.runs.filter(pk__in=keys).order_by("pk")) if keys else None


def _remember(request: HttpRequest, agent: Agent, runs: list[Run]) -> None:
    if RETRY_COUNT in request.headers:
        try:
            cache.set(_fingerprint(request, agent), [run.pk for run in runs], REMEMBERED)
        except RedisError:  # it is only for a client that tries again
            return
