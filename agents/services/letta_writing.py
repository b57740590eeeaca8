"""An agent as a Letta file, with what such a file can hold: passages are not part of one."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any

from django.conf import settings
from django.utils import timezone

from agents.exceptions import InvalidInput
from agents.functions import registry, toolset
from agents.functions.registry import Offered
from agents.ingest.decoding import text_of
from agents.llm.embeddings import get_embedder
from agents.llm.gateway import ModelConfig, config_of
from agents.llm.types import Role
from agents.main_context import working_context
from agents.models import Agent, Block, Document, Message
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.services.agent_files import AgentFile, CallFile, MessageFile, agent_export
from agents.services.letta_files import Json
from agents.services.letta_messages import SUMMARY
from agents.services.letta_reading import NEEDS_APPROVAL, TEXTS

Kind = Message.Kind

AGENT_TYPE = "memgpt_agent"
PROVIDER = "openai"  # the protocol that every endpoint of memweb speaks, whoever runs it
AGENT, SOURCE = "agent-0", "source-0"
NOT_IN_A_NAME = re.compile(r"[^\w '-]")  # Letta takes no others
# Letta has functions of these names and knows their schemas itself.
CORE = frozenset({"send_message", "conversation_search", "archival_memory_insert", "archival_memory_search"})
MEMORY_CORE = frozenset({"core_memory_append", "core_memory_replace"})
HIDDEN = "Note: prior messages have been hidden from view due to conversation memory constraints.\n"


def model_handle(name: str) -> str:
    """A model as Letta's programs name it: the provider and the model."""
    return f"{PROVIDER}/{name}"


def handle_of(config: ModelConfig) -> str:
    """The same of a model with its connection, whose name takes the place of the provider."""
    return f"{config.connection}/{config.name}" if config.connection else model_handle(config.name)


def embedding_config() -> Json:
    """How passages are embedded here, for every agent."""
    embedder = get_embedder()
    return {
        "embedding_dim": embedder.dimension,
        "embedding_endpoint_type": PROVIDER,
        "embedding_model": embedder.name,
        "handle": model_handle(embedder.name),
    }


def letta_export(*, agent: Agent) -> Json:
    """The agent's `.af`."""
    file = agent_export(agent=agent)
    blocks = [_block(number, row) for number, row in enumerate(working_context.blocks_of(agent))]
    messages = list(_messages(file))
    tools = _tools(agent)
    files = list(_files(agent))
    config = config_of(agent)
    written = {
        "id": AGENT,
        "name": NOT_IN_A_NAME.sub("_", file.name),
        "system": file.system_instructions,
        "agent_type": AGENT_TYPE,
        "description": agent.description or None,
        "metadata": agent.metadata,
        "tags": agent.tags,
        "block_ids": [block["id"] for block in blocks],
        "tool_ids": [tool["id"] for tool in tools],
        "tool_rules": list(_rules(agent, tools)),
        "include_base_tools": False,
        "include_base_tool_rules": False,
        "source_ids": [SOURCE] if files else [],
        "files_agents": [_link(number, stored) for number, stored in enumerate(files)],
        "messages": [message for message, _shown in messages],
        "in_context_message_ids": [message["id"] for message, shown in messages if shown],
        "llm_config": {
            "model": config.name,
            "handle": handle_of(config),
            "model_endpoint_type": PROVIDER,
            "context_window": max(config.context_window, MIN_CONTEXT_WINDOW),
        },
        "embedding_config": embedding_config(),
        "group_ids": [],
    }
    source = {"id": SOURCE, "name": agent.archive.name, "embedding_config": embedding_config()}
    return {
        "agents": [written],
        "blocks": blocks,
        "tools": tools,
        "files": files,
        "sources": [source] if files else [],
        **{name: [] for name in ("groups", "mcp_servers", "skills")},
        "metadata": {"made_by": "memweb"},
        "created_at": timezone.now().isoformat(),
    }


def _block(number: int, row: Block) -> Json:
    fields = ("label", "value", "limit", "description", "read_only", "tags", "metadata")
    return {"id": f"block-{number}", **{name: getattr(row, name) for name in fields}, "is_template": False}


# Functions


def _tools(agent: Agent) -> list[Json]:
    """What the agent has, and by their names those that it was given and that are not here."""
    here = toolset.of(agent).functions
    away = [name for name in agent.attached_functions if name not in here]
    shapes = [*map(_described, here.values()), *map(_named, away)]
    return [
        {"id": f"tool-{number}", **shape, "default_requires_approval": shape["name"] in agent.ask_first}
        for number, shape in enumerate(shapes)
    ]


def _described(function: Offered) -> Json:
    schema = function.schema
    return _tool(schema.name, schema.description, schema.parameters)


def _named(name: str) -> Json:
    return _tool(name, "", {"type": "object", "properties": {}})


def _tool(name: str, description: str, parameters: Json) -> Json:
    kind = "letta_core" if name in CORE else "letta_memory_core" if name in MEMORY_CORE else "custom"
    return {
        "name": name,
        "description": description,
        "json_schema": {"name": name, "description": description, "parameters": parameters},
        "tool_type": kind,
        "source_type": "python",
        "tags": [],
        "return_char_limit": registry.RESULT_LIMIT,
    }


def _rules(agent: Agent, tools: list[Json]) -> Iterator[Json]:
    """What ends a run and what never does, as memweb has it, and what a person is asked about."""
    ours = registry.registered()
    for name in [tool["name"] for tool in tools]:
        role = ours[name].role if name in ours else Role.OTHER
        if role in (Role.SPEAKS, Role.SEARCHES_MEMORY):
            yield {"tool_name": name, "type": "exit_loop" if role == Role.SPEAKS else "continue_loop"}
        if name in agent.ask_first:
            yield {"tool_name": name, "type": NEEDS_APPROVAL}


# Messages


def _messages(file: AgentFile) -> Iterator[tuple[Json, bool]]:
    """Each with whether it is in the window, which begins with the system message and the summary."""
    told: Iterable[tuple[Json, Any, bool]] = [
        ({"role": "system", "content": _text(file.system_instructions)}, None, True),
        *([({"role": "summary", "content": _text(_summary(file.summary))}, None, True)] if file.summary else []),
        *((_message(entry), entry.time, entry.in_window) for entry in file.messages if entry.kind != Kind.NOTICE),
    ]
    first = file.messages[0].time if file.messages else timezone.now()
    for number, (message, time, shown) in enumerate(told):
        when = (time or first).isoformat()
        yield {"id": f"message-{number}", "agent_id": AGENT, "model": None, "created_at": when, **message}, shown


def _summary(text: str) -> str:
    return dumps({"type": Kind.SYSTEM_ALERT.value, "message": f"{HIDDEN}{SUMMARY}{text}"}, ensure_ascii=False)


def _message(entry: MessageFile) -> Json:
    if entry.kind == Kind.ASSISTANT:
        thought = entry.inner_monologue if entry.calls else entry.content
        return {"role": "assistant", "content": _text(thought), "tool_calls": list(_calls(entry.calls))}
    if entry.kind == Kind.FUNCTION_RESULT and entry.call_id:
        status = "error" if entry.failed else "success"
        returned = {"tool_call_id": entry.call_id, "status": status, "func_response": entry.content}
        return {
            "role": "tool",
            "content": _text(entry.content),
            "tool_call_id": entry.call_id,
            "tool_returns": [returned],
            "name": entry.function,
        }
    name = "reason" if entry.kind == Kind.HEARTBEAT else "message"
    package = {"type": entry.kind.value, name: entry.content, "time": entry.time.isoformat()}
    return {"role": "user", "content": _text(dumps(package, ensure_ascii=False))}


def _calls(calls: Iterable[CallFile]) -> Iterator[Json]:
    for call in calls:
        yield {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _text(text: str) -> list[Json]:
    return [{"type": "text", "text": text}] if text else []


# Files


def _files(agent: Agent) -> Iterator[Json]:
    """Documents of the agent's own archive, with their texts as long as these can be imported again."""
    room = settings.MAX_UPLOAD_BYTES // 2
    ready = agent.archive.documents.filter(status=Document.Status.READY, conversations=None)
    for number, document in enumerate(ready.order_by("pk")):
        text = _read(document) if document.size <= room else None
        room -= len((text or "").encode())
        yield {
            "id": f"file-{number}",
            "source_id": SOURCE,
            "file_name": document.name,
            "original_file_name": document.name,
            "file_type": document.media_type,
            "file_size": document.size,
            "processing_status": "completed",
            "total_chunks": document.total,
            "chunks_embedded": document.done,
            "content": text,
        }


def _read(document: Document) -> str:
    """The text itself of a file that is nothing else; of another one what was read out of it."""
    if document.media_type.startswith(TEXTS) and not document.conversation:
        with contextlib.suppress(OSError, InvalidInput):
            return text_of(document.file.path)
    passages = document.passages.filter(retracted_at=None).order_by("position", "pk")
    return "\n\n".join(passages.values_list("text", flat=True))


def _link(number: int, file: Json) -> Json:
    names = {name: file[name] for name in ("source_id", "file_name")}
    return {"id": f"file_agent-{number}", "agent_id": AGENT, "file_id": file["id"], "is_open": False, **names}
