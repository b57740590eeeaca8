"""A server of the protocol over the tools, whichever way its messages come: both eras, by the official package."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote, unquote

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel

from memweb import __version__, client
from memweb.mcp import tools
from memweb.mcp.tools import TOOLS, Caller, Connect, Mistake

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "The memory of memweb's agents. Each has core memory (a few labelled blocks, always in its view), recall storage "
    "(everything that was said) and archival storage (passages and documents). Search before you say that something is "
    "not known; read core memory before you edit it."
)
SCHEME = "memweb"  # memweb://agents/ID/blocks/LABEL
TEMPLATE = f"{SCHEME}://agents/{{agent}}/blocks/{{label}}"
SIGN_OF_LIFE = 10.0  # seconds between two signs that a call is still at work

Context = ServerRequestContext[Any, Any]


def server_for(connect: Connect, only: str | None = None) -> Server[Any]:
    """A server of one person's agents, or of the agent `only`. `connect` gives the client for a call, or raises
    MemwebError: then that call fails, and the next may not."""
    memory = _Memory(connect, only)
    return Server(
        "memweb",
        version=__version__,
        title="memweb",
        instructions=INSTRUCTIONS,
        on_list_tools=memory.list_tools,
        on_call_tool=memory.call_tool,
        on_list_resources=memory.list_resources,
        on_list_resource_templates=memory.list_templates,
        on_read_resource=memory.read_resource,
    )


class _Memory:
    """Answers for what a client of the protocol may ask."""

    def __init__(self, connect: Connect, only: str | None) -> None:
        self.connect, self.only = connect, only

    async def list_tools(self, _context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[self._shown(tool) for tool in TOOLS.values()])

    def _shown(self, tool: tools.Tool) -> Tool:
        takes = tool.takes if self.only else tool.takes_with_agent
        return Tool(
            name=tool.name,
            description=tool.call.__doc__,
            input_schema=_schema(takes),
            output_schema=_schema(tool.answers),
            annotations=ToolAnnotations(read_only_hint=tool.reads_only, destructive_hint=False, open_world_hint=False),
        )

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        """Every mistake is a result that says so, for the model to mend."""
        try:
            tool = TOOLS.get(params.name)
            if tool is None:
                raise Mistake(f"There is no tool {params.name}. There are: {', '.join(TOOLS)}.")
            work = tool.carried_out(self.connect, self.only, params.arguments or {})
            answer = await _with_signs_of_life(context, work)
        except (Mistake, client.MemwebError) as error:
            return _refusal(str(error))
        except Exception as error:
            logger.exception("The tool %s failed.", params.name)
            return _refusal(f"memweb itself failed: {type(error).__name__}. Its log says more.")
        told = answer.model_dump(mode="json")
        return CallToolResult(content=[_text(answer.model_dump_json(indent=1))], structured_content=told)

    async def list_resources(self, _context: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        try:
            found = self.connect()
            agents = [await Caller(found, self.only).agent()] if self.only else await found.list_agents()
        except (Mistake, client.MemwebError) as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error
        return ListResourcesResult(
            resources=[
                Resource(
                    uri=f"{SCHEME}://agents/{agent.id}/blocks/{quote(block.label, safe='')}",
                    name=f"{agent.name}: {block.label}",
                    description=block.description,
                    mime_type="text/plain",
                )
                for agent in agents
                for block in agent.memory.blocks
            ]
        )

    async def list_templates(
        self, _context: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        told = "A core memory block: an agent's name or id, and the block's label."
        template = ResourceTemplate(uri_template=TEMPLATE, name="block", description=told, mime_type="text/plain")
        return ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, _context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        try:
            text = await self._block(uri)
        except (Mistake, client.NotFound) as error:
            raise MCPError(INVALID_PARAMS, str(error), {"uri": uri}) from error
        except client.MemwebError as error:
            raise MCPError(INTERNAL_ERROR, str(error), {"uri": uri}) from error
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, text=text, mime_type="text/plain")])

    async def _block(self, uri: str) -> str:
        match uri.split("/"):
            case ["memweb:", "", "agents", name, "blocks", label] if name and label:
                found = self.connect()
                agent = await Caller(found, unquote(name)).agent()
            case _:
                raise Mistake(f"There is no resource {uri}. A block is {TEMPLATE}.")
        if self.only and agent.id != (await Caller(found, self.only).agent()).id:
            raise Mistake(f"This server shows the memory of {self.only} alone.")
        return (await found.get_block(agent_id=agent.id, label=unquote(label))).value


async def _with_signs_of_life(context: Context, work: Coroutine[Any, Any, BaseModel]) -> BaseModel:
    """What the work comes to. A client that asked for progress hears meanwhile that it goes on."""
    job = asyncio.ensure_future(work)
    signs = 0
    try:
        while not (await asyncio.wait({job}, timeout=SIGN_OF_LIFE))[0]:
            signs += 1
            await context.session.report_progress(signs, message="still at work")
        return job.result()
    finally:
        job.cancel()


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Without the names that only this code has."""
    schema = model.model_json_schema()
    return {name: part for name, part in schema.items() if name not in ("title", "description")}


def _refusal(sentence: str) -> CallToolResult:
    return CallToolResult(content=[_text(sentence)], is_error=True)


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
