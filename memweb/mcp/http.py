"""One message of the protocol that came by HTTP, and its answer."""

from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from memweb.client import AsyncClient
from memweb.mcp.serving import server_for


async def answer(client: AsyncClient, scope: Any, receive: Any, send: Any) -> None:
    """As an ASGI application does. Nothing is kept between two messages, so any process may answer any."""
    async with client:
        manager = StreamableHTTPSessionManager(server_for(lambda: client), stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)
