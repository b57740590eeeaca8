"""Where a request comes from: the socket's other end, or what a proxy that is trusted says of it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

LONGEST_ADDRESS = 45  # characters


def address_of(request: HttpRequest) -> str:
    """The address as text; empty where there is none, as with a socket file.

    Of X-Forwarded-For counts what trusted proxies added, from the right: anybody may have written the rest.
    """
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    said = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while address and said and _is_trusted(address):
        before = _parsed(said.pop())
        if before is None:
            break
        address = before
    return str(address or "")


def comes_from_trusted_proxy(request: HttpRequest) -> bool:
    """Whether it is one of MEMWEB_TRUSTED_PROXIES that sends this."""
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    return address is not None and _is_trusted(address)


def neighbourhood(address: str) -> str:
    """What one person holds at once: of IPv6 the whole /64."""
    parsed = _parsed(address)
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)
