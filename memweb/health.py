"""What those ask who watch over memweb: `/healthz`, is it alive, and `/readyz`, is all there that it needs.

Before Django's middleware: a probe may come by any name of the host, and has no session.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async

from agents import health

Send = Callable[[dict[str, Any]], Awaitable[None]]
ALIVE, READY = "/healthz", "/readyz"


async def answer(path: str, send: Send) -> bool:
    """Answer a probe; False for any other address."""
    if path == ALIVE:
        await _send(send, 200, {"alive": True})
    elif path == READY:
        found = await database_sync_to_async(health.checks, thread_sensitive=False)()
        faults = {check.name: check.fault for check in found if check.fault}
        parts = [check.name for check in found]
        await _send(send, 503 if faults else 200, {"ready": not faults, "faults": faults, "checked": parts})
    else:
        return False
    return True


async def _send(send: Send, status: int, told: dict[str, Any]) -> None:
    body = json.dumps(told, ensure_ascii=False).encode() + b"\n"
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
