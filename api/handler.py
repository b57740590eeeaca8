"""Django's ASGI handler as the doors for programs need it: with their own middleware, which has no session and no
cookie, and holds no thread while a request waits; an address means the same with and without a slash at its end."""

from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

PREFIXES = ("/v1", "/openai")


def is_for_programs(path: str) -> bool:
    """Whether an address is one of these doors."""
    return path.startswith(tuple(f"{prefix}/" for prefix in PREFIXES)) or path in PREFIXES


class ProgramsHandler(ASGIHandler):
    """Serves `PREFIXES`."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Django reads one list of middleware; the pages' is put back."""
        pages = settings.MIDDLEWARE
        settings.MIDDLEWARE = settings.PROGRAMS_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = pages

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Without slashes at the end of the path."""
        await super().__call__({**scope, "path": scope["path"].rstrip("/")}, receive, send)
