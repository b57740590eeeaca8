"""Runs where the package `letta` is installed and nothing of memweb is: writes an agent file with that package's own
code, then reads one. By lines of JSON: out goes its file; in comes another; out goes what it found in that."""
# mypy: ignore-errors

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import letta.orm  # noqa: F401  (first, as the whole of the package does)
from letta.schemas.agent import AgentState
from letta.schemas.agent_file import AgentFileSchema, AgentSchema, BlockSchema, FileSchema, SourceSchema, ToolSchema
from letta.schemas.block import Block
from letta.schemas.embedding_config import EmbeddingConfig
from letta.schemas.enums import FileProcessingStatus, ToolType
from letta.schemas.file import FileAgent, FileMetadata
from letta.schemas.letta_message_content import ReasoningContent, TextContent
from letta.schemas.llm_config import LLMConfig
from letta.schemas.memory import Memory
from letta.schemas.message import Message, ToolReturn
from letta.schemas.source import Source
from letta.schemas.tool import Tool
from letta.schemas.tool_rule import RequiresApprovalToolRule, TerminalToolRule
from letta.system import package_function_response, package_summarize_message_no_counts, package_user_message
from openai.types.chat.chat_completion_message_tool_call import ChatCompletionMessageToolCall, Function

ZONE = "UTC"
BEGUN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def call(key, name, **arguments):
    function = Function(name=name, arguments=json.dumps(arguments))
    return ChatCompletionMessageToolCall(id=key, type="function", function=function)


def spoken(role, text, **more):
    return Message(role=role, content=[TextContent(text=text)], **more)


def answered(key, name, text, ok=True):
    packaged = package_function_response(ok, text, ZONE)
    returned = ToolReturn(tool_call_id=key, status="success" if ok else "error", func_response=packaged)
    return spoken("tool", packaged, name=name, tool_call_id=key, tool_returns=[returned])


def conversation():
    thought = ReasoningContent(is_native=True, reasoning="She told me her town.", signature=None)
    both = [call("c3", "archival_memory_search", query="keel"), call("c4", "run_code", code="1/0", language="python")]
    packed = [package_function_response(True, ["Oak."], ZONE), package_function_response(False, "No.", ZONE)]
    returns = [
        ToolReturn(tool_call_id="c3", status="success", func_response=packed[0]),
        ToolReturn(tool_call_id="c4", status="error", func_response=packed[1]),
    ]
    told = [
        spoken("system", "You are a boat builder. <memory_blocks>…</memory_blocks>"),
        spoken("summary", package_summarize_message_no_counts("They spoke of sails.", ZONE)),
        spoken("user", package_user_message("I live in Porto", ZONE)),
        Message(
            role="assistant",
            content=[thought],
            tool_calls=[call("c1", "core_memory_append", label="human", content="Porto")],
        ),
        answered("c1", "core_memory_append", "None"),
        Message(role="assistant", content=[], tool_calls=[call("c2", "send_message", message="Porto! Lovely.")]),
        answered("c2", "send_message", "None"),
        spoken("user", package_user_message("What is the keel made of?", ZONE)),
        Message(role="assistant", content=[TextContent(text="I look it up.")], tool_calls=both),
        Message(role="tool", content=[TextContent(text=text) for text in packed], tool_returns=returns),
        Message(role="approval", content=[], tool_calls=[call("c5", "launch", when="now")]),
        answered("c5", "launch", "Error: request to call tool denied. User reason: not yet", ok=False),
        spoken("assistant", "Of oak, and I launch nothing."),
    ]
    for number, message in enumerate(told):
        message.created_at = BEGUN + timedelta(minutes=number)
    return told


class Messages:
    """The one thing that the package's code asks its database for."""

    def __init__(self, messages):
        self.messages = messages

    async def get_messages_by_ids_async(self, message_ids, actor):
        return [message for message in self.messages if message.id in message_ids]


def written():
    tools = [
        Tool(name="send_message", tool_type=ToolType.LETTA_CORE),
        Tool(name="archival_memory_search", tool_type=ToolType.LETTA_CORE),
        Tool(name="core_memory_append", tool_type=ToolType.LETTA_MEMORY_CORE),
        Tool(name="memory_replace", tool_type=ToolType.LETTA_SLEEPTIME_CORE),
        Tool(name="run_code", tool_type=ToolType.LETTA_BUILTIN),
        Tool(name="launch", tool_type=ToolType.CUSTOM, source_code="def launch(): ...", json_schema={"name": "launch"}),
    ]
    human = Block(label="human", value="Name: Rui\nLives in Porto", limit=5000, description="The person.")
    persona = Block(label="persona", value="I build boats.", read_only=True)
    source = Source(name="Yard", embedding_config=EmbeddingConfig.default_config(provider="openai"))
    kept = FileMetadata(
        source_id=source.id,
        file_name="Yard/keel.pdf",
        original_file_name="keel.pdf",
        content="The keel is made of oak.",
        processing_status=FileProcessingStatus.COMPLETED,
    )
    lost = FileMetadata(source_id=source.id, file_name="Yard/plan.pdf", original_file_name="plan.pdf")
    told = conversation()
    state = AgentState(
        id="agent-00000000-0000-4000-8000-000000000000",
        name="Rui's builder",
        system="You are a boat builder.",
        agent_type="memgpt_agent",
        description="Builds boats",
        metadata={"yard": 7},
        tags=["boats"],
        llm_config=LLMConfig.default_config("gpt-4o-mini"),
        embedding_config=source.embedding_config,
        memory=Memory(blocks=[persona, human]),
        blocks=[persona, human],
        tools=tools,
        tool_rules=[TerminalToolRule(tool_name="send_message"), RequiresApprovalToolRule(tool_name="launch")],
        sources=[source],
        message_ids=[message.id for message in told],
        timezone=ZONE,
    )
    links = [
        FileAgent(id="file_agent-0", agent_id=state.id, file_id=kept.id, source_id=source.id, file_name=kept.file_name)
    ]
    agent = asyncio.run(
        AgentSchema.from_agent_state(state, message_manager=Messages(told), files_agents=links, actor=None)
    )
    return AgentFileSchema(
        agents=[agent],
        groups=[],
        blocks=[BlockSchema.from_block(block) for block in (persona, human)],
        files=[FileSchema.from_file_metadata(file) for file in (kept, lost)],
        sources=[SourceSchema.from_source(source)],
        tools=[ToolSchema.from_tool(tool) for tool in tools],
        mcp_servers=[],
        metadata={"revision_id": "of-a-later-day"},
        created_at=BEGUN,
    )


def found(line):
    """What the package makes of a file; its messages also as it shows them and as it sends them to a model."""
    file = AgentFileSchema.model_validate_json(line)
    (agent,) = file.agents
    messages = [Message(**message.model_dump(exclude={"id", "type", "agent_id"})) for message in agent.messages]
    shown = Message.to_letta_messages_from_list(messages)
    return {
        "name": agent.name,
        "system": agent.system,
        "tags": agent.tags,
        "metadata": agent.metadata,
        "blocks": {block.label: block.value for block in file.blocks if block.id in agent.block_ids},
        "tools": {tool.name: tool.tool_type for tool in file.tools if tool.id in agent.tool_ids},
        "rules": [[rule.tool_name, rule.type] for rule in agent.tool_rules],
        "files": {file.file_name: file.content for file in file.files},
        "links": [link.file_id for link in agent.files_agents],
        "ids": [message.id for message in agent.messages],
        "in_context": agent.in_context_message_ids,
        "roles": [message.role for message in agent.messages],
        "shown": [message.message_type for message in shown],
        "sent": [message["role"] for message in Message.to_openai_dicts_from_list(messages)],
        "calls": [[c.id, c.function.name] for message in agent.messages for c in message.tool_calls or ()],
    }


print(written().model_dump_json(), flush=True)
print(json.dumps(found(sys.stdin.readline())), flush=True)
