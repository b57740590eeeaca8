"""What can go wrong, as one small tree: catch MemwebError for all of it."""

from collections.abc import Mapping
from typing import Any

import httpx


class MemwebError(Exception):
    """Anything that memweb or the way to it refused or failed to do; its text is a sentence for a person."""


class NotFound(MemwebError):
    """There is nothing of that id or name that is yours."""


class NotAllowed(MemwebError):
    """The token is missing, wrong or revoked, or does not open this."""


class NotNow(MemwebError):
    """As things are now it cannot be done; the text says why."""


class NameTaken(NotNow):
    """Something of that name exists; the text says how to go on."""


class Invalid(MemwebError):
    """The server does not take what was sent; the text says why."""


class NoServer(MemwebError):
    """No memweb answers; the text says how to start one."""


class ConnectionLost(MemwebError):
    """The connection broke, or the server was silent for longer than a living one is."""


class ServerFault(MemwebError):
    """The server failed, or answered what memweb does not answer."""


class NotSupported(MemwebError):
    """This memweb has no such thing; the text names it."""


_BY_STATUS: dict[int, type[MemwebError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: NotNow,
    429: ServerFault,
    501: NotSupported,
}


_NO_PLACE = ("body", "query", "path", "__root__")


def of_response(response: httpx.Response) -> MemwebError:
    """The error that an answer of 400 or more means."""
    kind = _BY_STATUS.get(response.status_code) or (ServerFault if response.status_code >= 500 else Invalid)
    return kind(_sentence(response))


def _sentence(response: httpx.Response) -> str:
    try:
        told = sentence_of(response.json())
    except ValueError:
        told = ""
    where = response.request.url.host
    return told or f"The server at {where} answered {response.status_code} {response.reason_phrase}."


def sentence_of(body: Any) -> str:
    """What an error's JSON says; empty if it says nothing."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list):
        return "; ".join(_fault(fault) for fault in detail if isinstance(fault, dict)) or "The request is not valid."
    return detail if isinstance(detail, str) else ""


def _fault(fault: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in fault.get("loc", ()) if part not in _NO_PLACE)
    return f"{place}: {fault.get('msg', '')}" if place else str(fault.get("msg", ""))


def of_transport(fault: httpx.RequestError) -> MemwebError:
    """The error that a request which got no answer means."""
    url = fault.request.url
    server = str(url.copy_with(path="/", query=None, fragment=None)).rstrip("/")
    if isinstance(fault, httpx.ReadTimeout):
        return ConnectionLost(f"The server at {server} has been silent for too long. What was sent may have arrived.")
    if isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        return NoServer(f"No memweb answers at {server}. Start it with `memweb up`.")
    return ConnectionLost(f"The connection to {server} was lost ({fault or type(fault).__name__}).")
