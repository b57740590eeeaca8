"""A server of the official `mcp` package, for the tests: `python mcp_server.py [PORT]`, over HTTP or else stdio.

Words are written into the file COUNTED, so that a test sees how often a function ran, and the server's process id
beside it.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import ImageContent, TextContent, ToolAnnotations

server = MCPServer("counting")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def lookup(word: str) -> str:
    """Say what there is about a word."""
    return f"{word} is a bird. {os.environ.get('API_KEY', '')}".strip()


@server.tool()
def count(word: str) -> str:
    """Write a word down."""
    with Path(os.environ["COUNTED"]).open("a") as file:
        file.write(f"{word}\n")
    return f"Counted {word}."


@server.tool()
def count_slowly(word: str, seconds: float = 600) -> str:
    """Write a word down, and take long."""
    count(word)
    time.sleep(seconds)
    return "Counted slowly."


@server.tool()
async def count_twice(word: str) -> str:
    """Write a word down, and half a second later again."""
    count(word)
    await asyncio.sleep(0.5)
    return count(word)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def hang() -> str:
    """Answer nothing any more, to nobody."""
    time.sleep(600)  # that is the point
    return "never"


@server.tool()
def end() -> str:
    """End the server in the middle of the call."""
    count("end")
    print("I am tired", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def who_asks(context: Context) -> str:
    """The header Authorization."""
    headers = context.headers or {}
    return headers.get("authorization", "nobody")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def picture() -> list[TextContent | ImageContent]:
    """A text and a picture."""
    return [
        TextContent(type="text", text="Here."),
        ImageContent(type="image", data="AAAA", mime_type="image/png"),
    ]


if __name__ == "__main__":
    Path(os.environ["COUNTED"] + ".pid").write_text(str(os.getpid()))
    if sys.argv[1:]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
