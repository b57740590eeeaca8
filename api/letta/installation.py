"""What is there: health, models, tags, the one conversation of an agent, and what an agent's window holds."""

from typing import Any, ClassVar, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from agents import selectors
from agents.access import owned_by
from agents.llm import gateway
from agents.llm.embeddings import get_embedder
from agents.llm.gateway import ModelConfig
from agents.models import Agent
from agents.services.letta_writing import PROVIDER, embedding_config, handle_of
from api.access import agent_for, conversation_for, person
from api.answers import answer, when
from api.asked import MOST_NAMES, Asked, Body, Name, only_known
from api.ids import written
from api.letta.shapes import Shape
from memweb import __version__

router = Router(tags=["installation"])


class Health(BaseModel):
    """That it answers."""

    status: str
    version: str


@router.get("/health", response=Health, auth=None)
@only_known
def health(request: HttpRequest) -> HttpResponse:
    """Whether the web process answers. Needs no token."""
    return answer({"status": "ok", "version": __version__})


class ModelListing(Asked):
    """Models; every one is reached by the OpenAI protocol."""

    provider_category: list[Name] | None = Field(None, max_length=MOST_NAMES)
    provider_name: Name | None = None
    provider_type: Name | None = None


@router.get("/models", response=list[dict[str, Any]])
@only_known
def model_list(request: HttpRequest, asked: Query[ModelListing]) -> HttpResponse:
    """The configured model, those of the person's connections, and those that their agents use instead."""
    wanted = {asked.provider_name or PROVIDER, asked.provider_type or PROVIDER}
    if wanted != {PROVIDER}:
        return answer([])
    rows = owned_by(Agent, person(request)).filter(connection=None).exclude(model="")
    names = dict.fromkeys([selectors.default_model().name, *rows.values_list("model", flat=True)])
    connected = [
        _model(gateway.connected(connection, facts.name))
        for connection in selectors.connections_of(person(request))
        for facts in connection.all_models
        if not facts.embeds
    ]
    return answer([*(_model(gateway.model_config(model=name)) for name in names), *connected])


def _model(config: ModelConfig) -> Shape:
    return {
        "handle": handle_of(config),
        "name": config.name,
        "display_name": config.name,
        "model": config.name,
        "model_endpoint_type": PROVIDER,
        "model_endpoint": config.base_url,
        "provider_type": PROVIDER,
        "provider_name": config.connection or PROVIDER,
        "provider_category": "byok" if config.connection else "base",
        "context_window": config.context_window,
        "max_context_window": config.context_window,
        "model_type": "llm",
    }


@router.get("/models/embedding", response=list[dict[str, Any]])
@only_known
def embedding_model_list(request: HttpRequest) -> HttpResponse:
    """The configured embedding model."""
    name = get_embedder().name
    model = {"name": name, "display_name": name, "provider_name": PROVIDER, "provider_type": PROVIDER}
    return answer([{**model, **embedding_config(), "model_type": "embedding"}])


class TagListing(Asked):
    """Tags, by name."""

    limit: int = 50
    after: Name | None = None
    before: Name | None = None
    order: Literal["asc", "desc"] = "asc"
    order_by: Literal["name"] = "name"
    name: Name | None = None
    query_text: Name | None = None


@router.get("/tags", response=list[str])
@only_known
def tag_list(request: HttpRequest, asked: Query[TagListing]) -> HttpResponse:
    """The tags of the person's agents."""
    lists = owned_by(Agent, person(request)).values_list("tags", flat=True)
    tags = sorted({str(tag) for tags in lists for tag in tags}, reverse=asked.order == "desc")
    text = (asked.name or asked.query_text or "").lower()
    tags = [tag for tag in tags if text in tag.lower()]
    if asked.after:
        tags = [tag for tag in tags if (tag > asked.after) == (asked.order == "asc") and tag != asked.after]
    if asked.before:
        tags = [tag for tag in tags if (tag < asked.before) == (asked.order == "asc") and tag != asked.before]
    return answer(tags[: max(1, min(asked.limit, 1000))])


@router.get("/mcp-servers", response=list[dict[str, Any]])
@only_known
def mcp_server_list(request: HttpRequest) -> HttpResponse:
    """There are none."""
    return answer([])


class Conversing(Asked):
    """Whose conversation."""

    agent_id: Name


class ConversationCreate(Body):
    """An agent of memweb has one conversation, which this names."""

    NOT_SUPPORTED: ClassVar = frozenset(
        "context_window_limit description hidden model model_settings summary isolated_block_labels".split()
    )


@router.post("/conversations", response=dict[str, Any])
@only_known
def conversation_create(
    request: HttpRequest, asked: Query[Conversing], payload: ConversationCreate | None = None
) -> HttpResponse:
    """The agent's one conversation. Its messages are those of the agent."""
    agent = agent_for(request, asked.agent_id)
    return answer(_conversation(agent))


@router.get("/conversations/{conversation_id}", response=dict[str, Any])
@only_known
def conversation_retrieve(request: HttpRequest, conversation_id: str) -> HttpResponse:
    """A conversation by its id."""
    return answer(_conversation(conversation_for(request, conversation_id)))


def _conversation(agent: Agent) -> Shape:
    return {
        "id": written("conversation", agent.pk),
        "agent_id": written("agent", agent.pk),
        "created_at": when(agent.created_at),
        "updated_at": when(agent.last_active_at),
        "last_message_at": when(agent.last_active_at),
        "archived": False,
        "summary": None,
    }


@router.get("/agents/{agent_id}/context", response=dict[str, Any])
@only_known
def agent_context(request: HttpRequest, agent_id: str) -> HttpResponse:
    """What the agent's context window holds, in tokens, section by section."""
    agent = agent_for(request, agent_id)
    view = selectors.context_view(agent)
    tokens = {section.name: section.tokens for section in view.main.prompt.sections}
    texts = {section.name: section.text for section in view.main.prompt.sections if section.name != "queue"}
    functions = list(view.main.prompt.functions)
    return answer(
        {
            "context_window_size_max": view.marks.window,
            "context_window_size_current": view.used,
            "num_messages": len(view.main.messages),
            "num_archival_memory": agent.archive.passages.filter(retracted_at=None).count(),
            "num_recall_memory": agent.messages.filter(seq__isnull=False, retracted_at=None).count(),
            "num_tokens_external_memory_summary": 0,
            "external_memory_summary": "",
            "num_tokens_system": tokens.get("system_instructions", 0),
            "system_prompt": texts.get("system_instructions", ""),
            "num_tokens_core_memory": tokens.get("core_memory", 0),
            "core_memory": texts.get("core_memory", ""),
            "num_tokens_summary_memory": tokens.get("summary", 0),
            "summary_memory": texts.get("summary") or None,
            "num_tokens_functions_definitions": tokens.get("functions", 0),
            "functions_definitions": [
                {
                    "type": "function",
                    "function": {"name": f.name, "description": f.description, "parameters": f.parameters},
                }
                for f in functions
            ],
            "num_tokens_messages": tokens.get("queue", 0),
            "messages": [],
        }
    )
