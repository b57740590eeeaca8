"""Django's ASGI handler as the doors for programs need it: with their own middleware, which has no session and no
cookie, and holds no thread while a request waits; an address means the same with and without a slash at its end."""

import re
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

PREFIXES = ("v1", "openai", "mcp")


def is_for_programs(path: str) -> bool:
    """Whether an address is one of these doors."""
    return path.lstrip("/").partition("/")[0] in PREFIXES


def _tidy(scope: dict[str, Any]) -> str:
    """The path with one slash where several are written, and none at its end. A slash that is escaped is none of these:
    it stays part of a name."""
    raw = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or quote(scope["path"])
    return unquote(re.sub("/+", "/", raw).rstrip("/"))


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
        """By the tidy path. `doors` is for a door that is made of others."""
        await super().__call__({**scope, "path": _tidy(scope), "doors": self}, receive, send)
