"""A proxy for tests, as nginx or haproxy stand before several web processes: each connection to the next in turn."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self

from memweb.stack.plan import free_port


class RoundRobin:
    """Passes bytes to and fro. A backend that takes no connection is passed over; what one has broken stays broken."""

    def __init__(self, backends: Sequence[int]) -> None:
        self.port = free_port()
        self._backends = list(backends)
        self._ready, self._thread = Event(), Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._enough.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._enough = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self._ready.set()
        await self._enough.wait()
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            their_reader, their_writer = await self._connected()
            writers.append(their_writer)
            await asyncio.gather(_pump(reader, their_writer), _pump(their_reader, writer))
        except OSError:
            return
        finally:
            for one in writers:
                one.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the next one that is there. Raises OSError if none is."""
        for _ in self._backends:
            self._backends.append(self._backends.pop(0))
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._backends[-1])
        raise ConnectionRefusedError("no backend")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side is gone; then the other is told."""
    with suppress(OSError):
        while received := await reader.read(65536):
            writer.write(received)
            await writer.drain()
    writer.close()
