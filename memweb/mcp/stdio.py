"""The server of one process: its messages come by stdin and go by stdout, and nothing else does."""

import signal

import anyio
from mcp.server.stdio import stdio_server

from memweb.client import AsyncClient, Server, create_async_client, find
from memweb.mcp.serving import server_for


class Connection:
    """The memweb that is meant, looked for at each call: it may be started later, or again under another token."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self._wanted = url, token
        self._found: Server | None = None
        self._client: AsyncClient

    def client(self) -> AsyncClient:
        """Raises NoServer, NotAllowed."""
        found = find(*self._wanted)
        if found != self._found:
            self._found, self._client = found, create_async_client(found.url, found.token, language="en")
        return self._client


def serve(only: str | None, url: str | None, token: str | None) -> None:
    """Until stdin ends, or at once by Ctrl-C: what waits for stdin could not be stopped otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(_serve, only, Connection(url, token))


async def _serve(only: str | None, connection: Connection) -> None:
    server = server_for(connection.client, only)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
