"""How a call is written once for both clients: as a generator that yields what is to be done and gets what came of it.

    def name_of(agent_id: str) -> Steps[str]:
        answer = yield from ask(get(f"/v1/agents/{agent_id}"))
        return answer["name"]

Nothing here waits or sends: `clients.py` does, in the one way or the other.
"""

import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from memweb.client.errors import NameTaken, NotNow, ServerFault, of_response, of_transport

PAUSES = (0.2, 0.8)  # seconds before a request is sent again
LONGEST_PAUSE = 30.0  # that a server may ask for
PAGE = 100  # rows asked for at once

R = TypeVar("R")


@dataclass(frozen=True)
class Upload:
    """A file to send: its name there, and where it lies or what is in it."""

    name: str
    source: Path | bytes


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to send. With a `key`, which it carries each time it is sent, the server takes it once. What is answered
    goes `into` a file as it comes, if there is one."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    key: str = ""
    streamed: bool = False
    into: BinaryIO | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether it does no more when it arrives twice."""
        return self.into is None and (self.method == "GET" or bool(self.key))


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Steps: TypeAlias = Generator[Request | Pause, Any, R]


def path(*parts: str) -> str:
    """The address of something; an id goes in as one part, whatever is in it."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def get(address: str, **params: Any) -> Request:
    """Ask for something; parameters that are None are left out."""
    return Request(method="GET", path=address, params=_given(params))


def post(address: str, body: Any = None, *, key: str = "", **params: Any) -> Request:
    """Have something done; where the server takes a key, once for that key."""
    return Request(method="POST", path=address, body=body, params=_given(params), key=key)


def new_key() -> str:
    """A key that nothing was sent with before."""
    return uuid.uuid4().hex


def patch(address: str, body: Any = None) -> Request:
    """Change something."""
    return Request(method="PATCH", path=address, body=body)


def delete(address: str) -> Request:
    """Remove something."""
    return Request(method="DELETE", path=address)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def ask(request: Request) -> Steps[Any]:
    """Send it, again where that is safe, and read the JSON of the answer. Raises MemwebError."""
    response = yield from opened(request)
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise ServerFault(f"{response.request.url.host} answered no JSON; is that memweb?") from error


def opened(request: Request) -> Steps[httpx.Response]:
    """Send it, again where that is safe; a streamed answer is still to be read. Raises MemwebError."""
    for usual in (*PAUSES, None):
        try:
            response: httpx.Response = yield request
        except httpx.RequestError as fault:
            if usual is None or not _may_be_sent_again(request, fault):
                raise of_transport(fault) from fault
            yield Pause(usual)
            continue
        pause = _asked_for(request, response, usual)
        if pause is None:
            if response.is_error:
                raise of_response(response)
            return response
        yield Pause(pause)
    raise AssertionError("the last attempt returns or raises")


def _may_be_sent_again(request: Request, fault: httpx.RequestError) -> bool:
    """After it got no answer: it never arrived, or may arrive twice. A server that is silent is not asked again."""
    if isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout):
        return True
    return request.may_be_repeated and isinstance(fault, httpx.TransportError) and not _was_silent(fault)


def _was_silent(fault: httpx.RequestError) -> bool:
    return isinstance(fault, httpx.ReadTimeout | httpx.UnsupportedProtocol)


def _asked_for(request: Request, response: httpx.Response, usual: float | None) -> float | None:
    """Seconds after which to send again what was answered so; None if not at all."""
    wanted = response.headers.get("x-should-retry") != "false" and request.may_be_repeated
    if usual is None or not wanted or response.status_code not in (429, 502, 503, 504):
        return None
    told = response.headers.get("retry-after", "")
    return min(float(told), LONGEST_PAUSE) if told.isdecimal() else usual


def naming(steps: Steps[R]) -> Steps[R]:
    """What gives something a name. Raises NameTaken."""
    try:
        return (yield from steps)
    except NotNow as error:
        raise NameTaken(str(error)) from error


def all_pages(address: str, **params: Any) -> Steps[list[Any]]:
    """Every row of a list that is answered in pages."""
    rows: list[Any] = []
    while True:
        page = yield from ask(get(address, limit=PAGE, after=rows[-1]["id"] if rows else None, **params))
        if not page:
            return rows
        rows += page


def read_as(kind: type[R], value: Any) -> R:
    """What an answer means. Raises ServerFault where it is something else."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ServerFault(f"The server answered what this client does not understand: {error}") from error
