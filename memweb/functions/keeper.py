"""The process that keeps one MCP server: `python -m memweb.functions.keeper PARENT_PID`.

Standard input has a JSON object a line: first how the server is reached, then requests, each with an `id`: to list the
server's tools, to call one, or to stop a request. Standard output has an object a line: that a request has begun, then
its one answer (`servers.py` is the other end). The server is started, or its session opened (`mcp_session.py`), by the
first request, and anew by the next one after it died, hung or broke the protocol. A call that a server took is never
sent again.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import sys
import traceback
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, CallToolResult, Tool
from pydantic import ValidationError

from memweb.functions.mcp_session import OPENING_SECONDS, Connection, Fault, Session, statuses
from memweb.functions.mcp_tools import MOST_TOOLS, functions_of, text_of
from memweb.functions.process import LONGEST_ANSWER
from memweb.stack import launch

MEMORY = 2 * 1024**3  # bytes of address space: a server that floods ends its keeper, not the machine
ALIVE_SECONDS = 5.0  # for a server that did not end a call in time to show that it lives
LAST_SECONDS = 20  # for the keeper to end in order
IDLE_SECONDS = 900.0
SERVERS_FAULT = 500  # and above: statuses of HTTP that do not tell what was done
LONGEST_REQUEST = 32 * 1024**2  # bytes
UNKNOWN = "Nobody knows whether it was carried out."

Json = dict[str, Any]


class Keeper:
    """The requests in progress, and the answers to them."""

    def __init__(self, reach: Json) -> None:
        self._shared = bool(reach.get("shared"))
        self._connection = Connection(reach)
        self._tasks: dict[int, asyncio.Task[Json]] = {}

    async def serve(self, requests: asyncio.StreamReader) -> None:
        """Until there are no more requests, or none came for a long time."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    line = await requests.readline()
            except TimeoutError:
                if self._tasks:
                    continue
                break
            if not line:
                break
            request = json.loads(line)
            if "stop" in request:
                if task := self._tasks.get(request["stop"]):
                    task.cancel()
            else:
                self._begin(request["id"], request)
        signal.alarm(LAST_SECONDS)  # whatever hangs
        await self._connection.close()

    def _begin(self, number: int, request: Json) -> None:
        task = self._tasks[number] = asyncio.create_task(self._answer(request))
        task.add_done_callback(lambda _task: self._ended(number, task))

    def _ended(self, number: int, task: "asyncio.Task[Json]") -> None:
        del self._tasks[number]
        answer: Json = {"fault": "It was stopped."} if task.cancelled() else task.result()
        if self._connection.changed:
            self._connection.changed = False
            answer["changed"] = True
        _write({"id": number, **answer})

    async def _answer(self, request: Json) -> Json:
        try:
            return await (self._called(request) if "call" in request else self._listed())
        except Fault as fault:
            return {"fault": str(fault)}
        except Exception as error:  # noqa: BLE001 - one request's fault is not the next one's
            traceback.print_exc()
            return {"fault": f"{type(error).__name__}: {str(error)[:2000]}"}

    async def _listed(self) -> Json:
        session = await self._connection.session()
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                tools = await self._connection.used(_all_tools)
        except TimeoutError as error:
            await self._connection.drop(session)
            raise Fault(f"It did not list its tools within {OPENING_SECONDS:g} seconds.") from error
        except MCPError as error:
            raise Fault(f"It did not list its tools: {error.error.message[:500]}") from error
        self._connection.changed = False
        return functions_of(tools)

    async def _called(self, request: Json) -> Json:
        begun: list[Session] = []

        async def call(session: Session) -> CallToolResult:
            begun.append(session)
            _write({"id": request["id"], "begun": True})
            return await session.client.call_tool(request["call"], request["arguments"])

        await self._connection.session()  # which takes none of the call's time
        seconds = float(request["seconds"])
        try:
            async with asyncio.timeout(seconds):
                result = await self._connection.used(call)
        except TimeoutError as error:
            await self._end_if_hung(begun[-1:])
            raise Fault(f"It did not end within {seconds:g} seconds. {UNKNOWN if begun else ''}".strip()) from error
        except (RuntimeError, ValidationError) as error:  # of the package, which checks what comes
            raise Fault(f"Its answer is not as the server says that it would be: {str(error)[:500]}") from error
        except Exception as error:
            if not begun:
                raise
            raise Fault(await self._lost(error, begun[-1])) from error
        text = text_of(result)[:LONGEST_ANSWER]
        return {"fault": text} if result.is_error else {"result": text}

    async def _lost(self, error: Exception, session: Session) -> str:
        """Why a call that had begun has no result. The server's own answer says it; anything else may mean anything."""
        errors = statuses()
        if isinstance(error, MCPError) and error.code != CONNECTION_CLOSED and not errors:
            return error.error.message[:2000]
        if errors and errors[-1] < SERVERS_FAULT:  # refused before anything was done
            return session.reason(error, "", words=False)
        await self._connection.drop(session)
        why = session.reason(error, f"The server ended while it was at this. {UNKNOWN}", words=not self._shared)
        return why if UNKNOWN in why else f"{why} {UNKNOWN}"

    async def _end_if_hung(self, sessions: list[Session]) -> None:
        for session in sessions:
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await session.client.list_tools()
            except Exception:  # noqa: BLE001 - whatever it is, the server does not live
                await self._connection.drop(session)


async def _all_tools(session: Session) -> list[Tool]:
    tools: list[Tool] = []
    cursor = None
    while True:
        page = await session.client.list_tools(cursor=cursor)
        tools += page.tools
        if len(tools) > MOST_TOOLS:
            raise Fault(f"It has more than {MOST_TOOLS} tools.")
        cursor = page.next_cursor
        if cursor is None or not page.tools:
            return tools


_answers = -1  # where answers go


def _write(answer: Json) -> None:
    os.write(_answers, json.dumps(answer).encode() + b"\n")


async def main() -> None:
    requests = asyncio.StreamReader(limit=LONGEST_REQUEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    await Keeper(json.loads(await requests.readline())).serve(requests)


if __name__ == "__main__":
    if sys.platform == "linux":
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(LAST_SECONDS))  # the requests' end comes with it
        launch.die_with(int(sys.argv[1]), signal.SIGTERM)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    logging.disable()  # it would log each line of a server that writes junk
    _answers = os.dup(1)
    os.dup2(2, 1)  # nothing else may write there
    asyncio.run(main())
    os._exit(0)  # whatever threads are left
