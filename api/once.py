"""`Idempotency-Key`: what is sent again with the same key is not carried out again, and gets the same answer.

Messages keep their key beside their run (`api.sending`), for good; everything else keeps it in the cache, for a day.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from agents.ingest.uploads import sha256_of
from agents.models import Token
from api.answers import read
from api.errors import InHand, Unfit

METHODS = ("POST", "PUT", "PATCH")
MESSAGES = re.compile(r"/v1/agents/[^/]+/messages(/stream|/async)?|/openai/v1/(chat/completions|responses)")
REMEMBERED = 86_400  # seconds for which an answer is kept
IN_HAND = 300  # seconds for which a request may be at work: a web process may have died over it

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

_at_work: set["asyncio.Task[HttpResponseBase]"] = set()


@dataclass(frozen=True)
class _Kept:
    """What a key was used for, and the answer as soon as there is one."""

    fingerprint: str
    status: int = 0
    content: bytes = b""
    content_type: str = ""

    def answer(self) -> HttpResponse:
        headers = {"Idempotent-Replayed": "true"}
        return HttpResponse(self.content, status=self.status, content_type=self.content_type, headers=headers)


async def once(request: HttpRequest, token: Token, get_response: GetResponse) -> HttpResponseBase:
    """Carry out a request unless it was before. Raises Unfit for a key that was used for something else, InHand while
    the first is at work; a broker that is away means that it is simply carried out."""
    given = request.headers.get("Idempotency-Key", "")
    if not given or request.method not in METHODS or MESSAGES.fullmatch(request.path):
        return await get_response(request)
    place = f"once:{token.pk}:{_digest(request.method, request.path, given)}"
    mine = _Kept(await read(_fingerprint, request))
    try:
        kept = await read(_claim, place, mine)
    except RedisError:
        return await get_response(request)
    if kept is None:
        # To its end and into the cache, also if the client leaves: it will come back with the same key.
        work = asyncio.ensure_future(_carried_out(request, get_response, place, mine))
        _at_work.add(work)
        work.add_done_callback(_at_work.discard)
        return await asyncio.shield(work)
    if kept.fingerprint != mine.fingerprint:
        raise Unfit("Idempotency-Key", _("This key was used for another request before."), where="header")
    if not kept.status:
        raise InHand(_("A request with this key is being carried out. Try again in a moment."))
    return kept.answer()


def _claim(place: str, mine: _Kept) -> _Kept | None:
    """None if nobody has the key. Raises RedisError."""
    if cache.add(place, mine, IN_HAND):
        return None
    kept: _Kept = cache.get(place, mine)  # given back in this moment: to be tried again
    return kept


async def _carried_out(request: HttpRequest, get_response: GetResponse, place: str, mine: _Kept) -> HttpResponseBase:
    response = await get_response(request)
    try:
        await read(_keep, place, mine.fingerprint, response)
    except RedisError:  # then the next is carried out as well
        return response
    return response


def _keep(place: str, fingerprint: str, response: HttpResponseBase) -> None:
    """What was refused has done nothing, so the key is free again."""
    if isinstance(response, HttpResponse) and response.status_code < 400:
        kept = _Kept(fingerprint, response.status_code, response.content, response.headers.get("Content-Type", ""))
        cache.set(place, kept, REMEMBERED)
    else:
        cache.delete(place)


def _fingerprint(request: HttpRequest) -> str:
    """Of what is asked for. A form by what is in it: a client that sends it again puts other marks between its parts.
    Raises what Django raises for a body that cannot be read."""
    query = request.META.get("QUERY_STRING", "")
    if request.content_type != "multipart/form-data":
        return _digest(query, hashlib.sha256(request.body).hexdigest())
    files = [(name, file.name, sha256_of(file)) for name in request.FILES for file in request.FILES.getlist(name)]
    return _digest(query, sorted(request.POST.lists()), sorted(files, key=str))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()
