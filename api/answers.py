"""What is answered: JSON, at once or when it is ready, and streams of events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from agents.services import WrittenFile
from api.errors import answer_of

T = TypeVar("T")

BLANK_SECONDS = 15.0  # of silence; clients give up after 60 and send the message again
PING = ": ping\n\n"


async def read(reader: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Ask the database in a thread, which is free again afterwards, as is its connection."""
    result: T = await database_sync_to_async(reader, thread_sensitive=False)(*arguments, **named)
    return result


def when(time: datetime | None) -> str | None:
    """A time as programs read it."""
    return time.isoformat() if time else None


def dumped(value: Any) -> str:
    """JSON, as short as it can be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def answer(value: Any, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(dumped(value), status=status, content_type="application/json")


async def when_ready(
    work: Coroutine[Any, Any, Any],
    *,
    patience: float | None = None,
    refused: Callable[[Exception], HttpResponse] = answer_of,
) -> HttpResponseBase:
    """A JSON answer that may take long. After `patience` seconds (else `BLANK_SECONDS`) blanks are sent, which JSON may
    begin with: a client that hears nothing for a minute takes the message for lost. An error that comes later than that
    is told in a 200, as `refused` writes it."""
    job = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({job}, timeout=BLANK_SECONDS if patience is None else patience)
    except asyncio.CancelledError:  # the client left
        job.cancel()
        raise
    if done:
        return answer(job.result())
    return StreamingHttpResponse(_after_blanks(job, refused), content_type="application/json")


async def _after_blanks(job: "asyncio.Task[Any]", refused: Callable[[Exception], HttpResponse]) -> AsyncIterator[str]:
    try:
        while not job.done():
            yield " "
            await asyncio.wait({job}, timeout=BLANK_SECONDS)
        fault = job.exception()
        yield refused(fault).content.decode() if isinstance(fault, Exception) else dumped(job.result())
    finally:
        job.cancel()


def event_stream(events: AsyncIterator[str]) -> StreamingHttpResponse:
    """Server-sent events; each of `events` is written already."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


def written_file(file: WrittenFile) -> StreamingHttpResponse:
    """A file, piece by piece."""
    kind = "zip" if file.ending == "zip" else "json"
    return StreamingHttpResponse(file, content_type=f"application/{kind}", headers={"Content-Length": str(file.size)})


def data(value: Any) -> str:
    """One event that is JSON, or a word. Never with an `event:` line: letta-client drops those that have one."""
    return f"data: {value if isinstance(value, str) else dumped(value)}\n\n"
