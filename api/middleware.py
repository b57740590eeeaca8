"""What stands before every door for programs: who comes in, how often, and in which language they are answered."""

from http import HTTPStatus
from time import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.decorators import async_only_middleware
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from agents import services
from agents.locks import TRANSIENT
from agents.models import Token
from api.answers import read
from api.errors import NoToken, NotSupported, TooMany, answer_of, as_openai, refusal
from api.once import GetResponse, once
from api.unsupported import refuse

WINDOW = 60  # seconds over which requests are counted
PLAIN = {400, 404, 405, 413}  # what Django answers as a page


@async_only_middleware
def programs(get_response: GetResponse) -> GetResponse:
    """Sets `request.program`: the token, None without a good one, or why it may not come in right now."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        translation.activate(translation.get_language_from_request(request))
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        bearer = text.strip() if scheme.lower() == "bearer" else ""
        try:
            program = await read(_admitted, bearer) if bearer else None
            request.program = program  # type: ignore[attr-defined]
            response = await _answered(request, program, get_response)
        except TRANSIENT as error:
            response = answer_of(error)
        if response.status_code in PLAIN and not response.headers["Content-Type"].startswith("application/json"):
            response = _no_door(request, response)
        if isinstance(response, HttpResponse) and response.status_code >= 400 and request.path.startswith("/openai"):
            response = as_openai(response)
        response["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


async def _answered(
    request: HttpRequest, program: Token | TooMany | None, get_response: GetResponse
) -> HttpResponseBase:
    if not isinstance(program, Token):
        return await get_response(request)
    try:
        return await once(request, program, get_response)
    except Exception as error:  # noqa: BLE001 - whatever a body that cannot be read makes of itself
        return answer_of(error)


def _no_door(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """What Django answers where there is no door, as an answer of ours."""
    if not isinstance(request.program, Token):  # type: ignore[attr-defined]
        return answer_of(request.program or NoToken())  # type: ignore[attr-defined]
    status = HTTPStatus(response.status_code)
    texts = {
        HTTPStatus.NOT_FOUND: _("There is no such address."),
        HTTPStatus.METHOD_NOT_ALLOWED: _("This address does not take %(method)s.") % {"method": request.method},
    }
    text = texts.get(status, status.phrase)
    try:
        refuse(request.method or "", request.path)
    except NotSupported as error:
        if status != HTTPStatus.METHOD_NOT_ALLOWED or "Content-Type" in request.headers:
            return answer_of(error)
        text = str(error)  # an address that there is, and nothing sent to it: it does not take this method
    answer = refusal(status, text)
    if "Allow" in response:
        answer["Allow"] = response["Allow"]
    return answer


def _admitted(text: str) -> Token | TooMany | None:
    token = services.token_use(text=text)
    if token is None:
        return None
    now = int(time())
    key = f"requests:{token.pk}:{now // WINDOW}"
    try:
        cache.add(key, 0, 2 * WINDOW)
        count = cache.incr(key)
    except (RedisError, ValueError):  # a broker that is away must keep nobody out
        return token
    most = settings.API_REQUESTS_PER_MINUTE
    return token if count <= most else TooMany(most, WINDOW - now % WINDOW)
