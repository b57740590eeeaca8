"""HTTP to public addresses only: a URL that a person wrote must not lead into the operator's own network.

The host is resolved here and the connection goes to the very address that was checked, so that a name that changes
between two looks leads nowhere else.
"""

import ipaddress
import socket

import anyio.to_thread
import httpx2

NAT64 = ipaddress.ip_network("64:ff9b::/96")
OLD_OR_LOCAL = [ipaddress.ip_network(net) for net in ("64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")]


class NotPublic(Exception):
    """The address belongs to a private network."""


class PublicOnly(httpx2.AsyncBaseTransport):
    """A transport that refuses what is not public. Raises NotPublic."""

    def __init__(self) -> None:
        # Kept connections would be found by address alone: that of another host there, with its certificate.
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The request, to the checked address, by the name that the URL has."""
        host = request.url.host
        address = await anyio.to_thread.run_sync(public_address, host, abandon_on_cancel=True)
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._inner.aclose()


def public_address(host: str) -> str:
    """An address of the host. Raises NotPublic if any of its addresses is not public, httpx2.ConnectError for none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx2.ConnectError(f"There is no host {host}.") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(is_public(address) for address in addresses):
        raise NotPublic(f"{host} is an address of a private network.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether anybody on the internet would reach the same machine by it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local or any(ip in network for network in OLD_OR_LOCAL):
            return False
    return ip.is_global and not ip.is_multicast
