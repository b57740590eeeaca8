"""Rows as Letta's clients know them. What each must have is what letta-client 1.12.1 has no default for."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery, prefetch_related_objects

from agents.functions import registry, toolset
from agents.functions.registry import Function, Offered
from agents.llm.embeddings import get_embedder
from agents.llm.gateway import config_of
from agents.llm.types import Role
from agents.models import Agent, AgentBlock, Archive, Block, Document, Passage, Run, Step
from agents.person import Person, person_of, zone_or_default
from agents.services.letta_writing import AGENT_TYPE, PROVIDER, embedding_config, handle_of, model_handle
from api.answers import when
from api.ids import written

Shape = dict[str, Any]

STATUS = {
    Run.Status.QUEUED: "created",
    Run.Status.RUNNING: "running",
    Run.Status.WAITING: "completed",  # so Letta calls it: whoever waits for the run must hear that it asks
    Run.Status.DONE: "completed",
    Run.Status.STOPPED: "cancelled",
    Run.Status.FAILED: "failed",
}
STOP_REASON = {
    Run.StopReason.MAX_STEPS: "max_steps",
    Run.StopReason.SAME_CALLS: "invalid_tool_call",
    Run.StopReason.NO_CALL: "no_tool_call",
    Run.StopReason.ENDPOINT: "llm_api_error",
    Run.StopReason.FAULT: "error",
}
FILE_STATUS = {
    Document.Status.QUEUED: "pending",
    Document.Status.READING: "parsing",
    Document.Status.EMBEDDING: "embedding",
    Document.Status.READY: "completed",
    Document.Status.FAILED: "error",
}


def block(row: Block) -> Shape:
    """A core memory block."""
    return {
        "id": written("block", row.pk),
        "label": row.label,
        "value": row.value,
        "limit": row.limit,
        "description": row.description or None,
        "read_only": row.read_only,
        "revision": row.revision,
        "metadata": row.metadata,
        "tags": row.tags,
        "is_template": False,
    }


def tool(function: Offered) -> Shape:
    """A function that agents can call."""
    schema = function.schema
    parameters = schema.parameters
    kind = "letta_memory_core" if function.role == Role.WRITES_CORE_MEMORY else "letta_core"
    if not isinstance(function, Function):
        kind = "custom"
    return {
        "id": written("tool", schema.name),
        "name": schema.name,
        "description": schema.description,
        "json_schema": {"name": schema.name, "description": schema.description, "parameters": parameters},
        "args_json_schema": parameters,
        "tool_type": kind,
        "source_type": "python",
        "tags": [kind],
        "return_char_limit": registry.RESULT_LIMIT,
        "default_requires_approval": False,
    }


def source(row: Archive) -> Shape:
    """An archive as a folder, which Letta called a source before."""
    return {
        "id": written("folder", row.pk),
        "name": row.name,
        "description": row.description or None,
        "metadata": row.metadata,
        "embedding_config": embedding_config(),
        "created_at": when(row.created_at),
        "updated_at": when(row.created_at),
    }


def archive(row: Archive) -> Shape:
    """An archive."""
    return source(row) | {"id": written("archive", row.pk), "vector_db_provider": "native"}


def file(row: Document) -> Shape:
    """A document, with how far it has been read."""
    return {
        "id": written("file", row.pk),
        "source_id": written("folder", row.archive_id),
        "folder_id": written("folder", row.archive_id),
        "file_name": row.name,
        "original_file_name": row.name,
        "file_size": row.size,
        "file_type": row.media_type,
        "processing_status": FILE_STATUS[Document.Status(row.status)],
        "error_message": row.error or None,
        "total_chunks": row.total or None,
        "chunks_embedded": row.done,
        "created_at": when(row.created_at),
        "updated_at": when(row.worked_at),
    }


def passage(row: Passage) -> Shape:
    """A passage, without its vector; its document is loaded, or there is a query for it."""
    return {
        "id": written("passage", row.pk),
        "text": row.text,
        "archive_id": written("archive", row.archive_id),
        "file_id": written("file", row.document_id) if row.document_id else None,
        "file_name": row.document.name if row.document else None,
        "source_id": written("folder", row.archive_id) if row.document_id else None,
        "tags": row.tags,
        "metadata": {},
        "created_at": when(row.created_at),
        "is_deleted": row.retracted_at is not None,
        "embedding": None,
        "embedding_config": embedding_config(),
    }


def agents(rows: Iterable[Agent]) -> list[Shape]:
    """Agents with their blocks, functions and folders. Four queries, however many."""
    rows = list(rows)
    prefetch_related_objects(rows, "attached_archives")
    places = AgentBlock.objects.filter(agent__in=rows).select_related("block").order_by("position", "id")
    blocks: dict[Any, list[Block]] = {}
    for place in places:
        blocks.setdefault(place.agent_id, []).append(place.block)
    newest = Run.objects.filter(agent=OuterRef("pk")).order_by("-id").values("pk")[:1]
    mine = Agent.objects.filter(pk__in=[row.pk for row in rows]).annotate(newest=Subquery(newest))
    runs = {run.agent_id: run for run in Run.objects.filter(pk__in=mine.values("newest"))}
    person = person_of(rows[0].owner_id) if rows else Person()
    return [_agent(row, blocks.get(row.pk, []), runs.get(row.pk), person) for row in rows]


def agent(row: Agent) -> Shape:
    """One agent."""
    return agents([row])[0]


def _agent(row: Agent, rows: list[Block], last: Run | None, person: Person) -> Shape:
    blocks = [block(item) for item in rows]
    config = config_of(row)
    model = row.asked_for.get("model") or handle_of(config)
    sources = [source(item) for item in row.attached_archives.all()]
    return {
        "id": written("agent", row.pk),
        "name": row.name,
        "agent_type": AGENT_TYPE,
        "system": row.system_instructions,
        "description": row.description or None,
        "metadata": row.metadata,
        "tags": row.tags,
        "model": model,
        "embedding": row.asked_for.get("embedding") or model_handle(get_embedder().name),
        "context_window_limit": config.context_window,
        "llm_config": {
            "model": config.name,
            "handle": model,
            "model_endpoint_type": PROVIDER,
            "model_endpoint": config.base_url,
            "context_window": config.context_window,
            "max_tokens": config.reply_reserve,
        },
        "embedding_config": embedding_config(),
        "memory": {"agent_type": AGENT_TYPE, "blocks": blocks, "file_blocks": [], "prompt_template": ""},
        "blocks": blocks,
        "tools": [tool(function) for function in toolset.of(row).functions.values()],
        "tool_rules": [],
        "sources": sources,
        "folders": sources,
        "identity_ids": [],
        "identities": [],
        "secrets": [],
        "tool_exec_environment_variables": [],
        "timezone": str(zone_or_default(person.zone)),
        "message_buffer_autoclear": False,
        "enable_sleeptime": False,
        "hidden": False,
        "created_at": when(row.created_at),
        "updated_at": when(row.last_active_at),
        "last_run_completion": when(last.finished_at) if last else None,
        "last_stop_reason": stop_reason(last) if last and last.finished_at else None,
    }


def stop_reason(run: Run) -> str | None:
    """Why a run ended; None while it has not."""
    if run.status == Run.Status.STOPPED:
        return "cancelled"
    if run.status == Run.Status.WAITING:
        return "requires_approval"
    if run.stop_reason:
        return STOP_REASON[Run.StopReason(run.stop_reason)]
    if run.status == Run.Status.FAILED:
        return "error"
    return "end_turn" if run.status == Run.Status.DONE else None


def run(row: Run) -> Shape:
    """A run."""
    took = row.finished_at - row.created_at if row.finished_at else None
    return {
        "id": written("run", row.pk),
        "agent_id": written("agent", row.agent_id),
        "status": STATUS[Run.Status(row.status)],
        "stop_reason": stop_reason(row),
        "created_at": when(row.created_at),
        "completed_at": when(row.finished_at),
        "total_duration_ns": int(took.total_seconds() * 1e9) if took else None,
        "background": True,
        "metadata": {"error": row.error} if row.error else {},
    }


def step(row: Step) -> Shape:
    """A step; its run is loaded."""
    stopped = row.finish_reason == "stopped"
    return {
        "id": written("step", row.pk),
        "run_id": written("run", row.run_id),
        "agent_id": written("agent", row.run.agent_id),
        "model": row.model,
        "model_handle": model_handle(row.model),
        "model_endpoint": settings.LLM.base_url,
        "provider_name": PROVIDER,
        "context_window_limit": row.window,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "total_tokens": row.prompt_tokens + row.completion_tokens,
        "cached_input_tokens": row.cached_tokens,
        "status": "cancelled" if stopped else "success",
        "stop_reason": "cancelled" if stopped else "end_turn",
        "tags": [],
        "messages": [],
    }


def usage(steps: Iterable[Step], runs: Iterable[int]) -> Shape:
    """What some runs took."""
    steps = list(steps)
    prompt, completion = sum(s.prompt_tokens for s in steps), sum(s.completion_tokens for s in steps)
    return {
        "message_type": "usage_statistics",
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cached_input_tokens": sum(s.cached_tokens for s in steps),
        "step_count": len(steps),
        "run_ids": [written("run", run) for run in runs],
    }
