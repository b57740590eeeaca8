"""Many pages on one agent: when the last of them has what a run ended with, and what a frame costs the web process.

    python benchmarks/pages.py [--pages 100] [--seconds 5]

Starts the whole product with a scripted model that streams 40 pieces a second, opens so many websockets as pages do,
and sends a message.
"""

import argparse
import asyncio
import base64
import json
import os
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import ScriptedServer, say
from benchmarks.engine import SETTINGS, Bench, Model
from benchmarks.process_usage import usage_of
from benchmarks.product import running

PIECES_A_SECOND, PIECE = 40, 12


@dataclass
class OpenPage:
    """The websocket of one page. `last_row` is when its newest timeline row came, in seconds of the clock."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: int = 0
    last_row: float = 0.0
    live: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def open(cls, port: int, path: str, cookie: str) -> "OpenPage":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nCookie: sessionid={cookie}\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer:
            raise SystemExit(answer.decode())
        return cls(reader, writer)

    def send(self, **frame: Any) -> None:
        """Short, and masked with zeros: that is allowed, and leaves the text as it is."""
        text = json.dumps(frame).encode()
        self.writer.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)

    async def listen(self) -> None:
        while True:
            size = (await self.reader.readexactly(2))[1] & 0x7F
            if size >= 126:
                wide = 2 if size == 126 else 8
                size = struct.unpack(">H" if wide == 2 else ">Q", await self.reader.readexactly(wide))[0]
            text = await self.reader.readexactly(size)
            self.frames += 1
            if text.startswith(b"<") and b"timeline-rows" in text:
                self.last_row = time.time()
            if b'"draft"' in text:
                self.live.set()


async def measure(bench: Bench, count: int, seconds: float) -> None:
    (agent,) = await asyncio.to_thread(bench.agents, 1, "Watched")
    cookie = next(cookie.value for cookie in bench.browser.cookies if cookie.name == "sessionid") or ""
    path = f"/ws/agents/{agent.pk}/"
    pages = [await OpenPage.open(bench.product.port, path, cookie) for _ in range(count)]
    listeners = [asyncio.create_task(page.listen()) for page in pages]
    for page in pages:
        page.send(type="resume", seq=1, version=0)
    await asyncio.gather(*(page.live.wait() for page in pages))
    before, frames = usage_of(bench.product.process.pid)["web"].cpu, sum(page.frames for page in pages)
    await asyncio.to_thread(bench.exchange, agent)
    finished = await asyncio.to_thread(_finished_at, agent)
    await asyncio.sleep(2 + count / 20)
    cpu = usage_of(bench.product.process.pid)["web"].cpu - before
    got = sum(page.frames for page in pages) - frames
    for listener in listeners:
        listener.cancel()
    behind = max(page.last_row for page in pages) - finished
    missing = sum(page.last_row < finished - seconds for page in pages)
    print(f"{count} pages, {PIECES_A_SECOND} pieces a second for {seconds:g} s")
    print(f"{'last page has the last row, after the run ended':60}{behind:8.2f} s")
    print(f"{'pages without it':60}{missing:8}")
    print(f"{'frames':60}{got:8}")
    print(f"{'CPU of the web process a frame':60}{1000 * cpu / got:8.3f} ms")


def _finished_at(agent: Any) -> float:
    return float(agent.runs.latest("id").finished_at.timestamp())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    text = "A lamp in fog, again. " * int(options.seconds * PIECES_A_SECOND * PIECE / 22)
    model = Model()

    def brain(request: dict[str, Any]) -> Any:
        model(request)
        return say(text, piece=PIECE, pause=1 / PIECES_A_SECOND)

    with ScriptedServer(brain) as server, running({**SETTINGS, "OPENAI_BASE_URL": server.url}) as product:
        asyncio.run(measure(Bench(product, server, model), options.pages, options.seconds))


if __name__ == "__main__":
    main()
    os._exit(0)  # threads of the scripted model may still wait
