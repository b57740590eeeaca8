"""Whose page may open a websocket: memweb's own, by scheme, host and port, or one of MEMWEB_ORIGINS."""

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host


class SameOrigin:
    """Denies every other page's socket: a browser sends its cookies with any. As Django checks the origin of a form."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        door = self.application if is_own_page(scope) else WebsocketDenier()
        return await door(scope, receive, send)


def is_own_page(scope: dict[str, Any]) -> bool:
    """Whether the page that asks is one of ours. What tells no origin is no browser's page, and is not."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origin, host = headers.get(b"origin", ""), headers.get(b"host", "")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    proxied = getattr(settings, "SECURE_PROXY_SSL_HEADER", None) and headers.get(b"x-forwarded-proto") == "https"
    scheme = "https" if proxied or scope.get("scheme") == "wss" else "http"
    return origin in {f"{scheme}://{host}", *settings.CSRF_TRUSTED_ORIGINS}
