"""Agents: made, listed, changed, deleted, as files."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import File, Form, Query, Router
from ninja.files import UploadedFile
from pydantic import BaseModel, Field, StrictBool

from agents import selectors, services
from agents.access import owned_by
from agents.functions import registry, toolset
from agents.llm.types import SEND_MESSAGE
from agents.main_context import working_context
from agents.models import Agent, Archive, Block, Connection
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.services import LONGEST_MODEL, AgentDraft, Bringing, ModelChoice
from agents.services.agents import LONGEST_NAME
from agents.services.letta_writing import PROVIDER, model_handle
from api.access import agent_for, archive_for, person, row_for
from api.answers import answer, read, when_ready, written_file
from api.asked import LONGEST_TEXT, MOST_NAMES, Asked, Body, Listing, Name, only_known
from api.asked import Query as Text
from api.errors import Unfit, Unknown
from api.letta import shapes
from api.letta.blocks import BlockCreate, with_tags
from api.pages import agents_page, remember_place

if TYPE_CHECKING:
    from django.contrib.auth.models import User

router = Router(tags=["agents"])

# Agents of these kinds are MemGPT's, whatever the name; others work in other ways.
AgentType = Literal["memgpt_agent", "memgpt_v2_agent", "letta_v1_agent"]
OTHER_TYPES = frozenset(
    "react_agent workflow_agent split_thread_agent sleeptime_agent voice_convo_agent voice_sleeptime_agent".split()
)

ModelName = Annotated[Name, Field(max_length=LONGEST_MODEL)]

NOT_SUPPORTED = frozenset(
    "base_template_id compaction_settings embedding_config embedding_chunk_size enable_reasoner enable_sleeptime "
    "from_template hidden identity_ids include_base_tool_rules include_default_source include_multi_agent_tools "
    "initial_message_sequence max_files_open max_reasoning_tokens max_tokens memory_variables message_buffer_autoclear "
    "message_ids model_settings parallel_tool_calls per_file_view_window_char_limit project project_id reasoning "
    "response_format secrets template template_id tool_exec_environment_variables tool_rules last_run_completion "
    "last_run_duration_ms last_stop_reason".split()
)


class AgentOut(BaseModel):
    """An agent as Letta knows it, in part: the rest is as in letta-client's `AgentState`."""

    id: str
    name: str
    agent_type: str
    system: str
    tags: list[str]
    model: str
    blocks: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    memory: dict[str, Any]
    llm_config: dict[str, Any]


class LLMConfig(Body):
    """The older way to say which model; the endpoint is the installation's."""

    NOT_SUPPORTED: ClassVar = frozenset(
        "compatibility_type display_name effort enable_reasoner frequency_penalty max_reasoning_tokens max_tokens "
        "model_wrapper parallel_tool_calls provider_category put_inner_thoughts_in_kwargs reasoning_effort "
        "response_format return_logprobs return_token_ids strict temperature tier tool_call_parser top_logprobs "
        "verbosity model_endpoint provider_name".split()
    )

    model: ModelName
    context_window: int = Field(ge=MIN_CONTEXT_WINDOW, le=2_000_000)
    model_endpoint_type: Name | None = None
    handle: ModelName | None = None


class AgentFields(Body):
    """What an agent may be given, when it is made and later."""

    NOT_SUPPORTED: ClassVar = NOT_SUPPORTED

    name: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)
    system: str | None = Field(None, min_length=1, max_length=LONGEST_TEXT)
    description: str | None = Field(None, max_length=LONGEST_TEXT)
    metadata: dict[str, Any] | None = None
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    model: ModelName | None = None
    embedding: Name | None = None
    context_window_limit: int | None = Field(None, ge=MIN_CONTEXT_WINDOW, le=2_000_000)
    llm_config: LLMConfig | None = None
    timezone: Name | None = None
    block_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)
    tool_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)
    folder_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)
    source_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)

    def window(self) -> int | None:
        """In tokens."""
        return self.context_window_limit or (self.llm_config.context_window if self.llm_config else None)

    def handle(self) -> str | None:
        """The model as the program named it."""
        return self.model or (self.llm_config and (self.llm_config.handle or self.llm_config.model)) or None


class AgentCreate(AgentFields):
    """A new agent. Without blocks it has an empty persona and human; without a name, one of its own."""

    NOT_SUPPORTED_VALUES: ClassVar = {"agent_type": OTHER_TYPES}

    agent_type: AgentType = "memgpt_agent"
    memory_blocks: list[BlockCreate] | None = None
    tools: list[Name] | None = Field(None, max_length=MOST_NAMES)
    include_base_tools: StrictBool = True


def model_of(owner: "User", handle: str) -> tuple[Connection | None, str]:
    """The connection and the model that a handle names; without a connection it is the configured endpoint's, and empty
    is the configured model. Raises Unfit for one that the local model's server has not."""
    connection, name = services.model_named(owner, handle)
    if connection is not None:
        return connection, name
    name = name.removeprefix(f"{PROVIDER}/")
    default = selectors.default_model().name
    if name and settings.LLM.local and name != default:
        names = {"model": handle, "local": model_handle(default)}
        reason = _(
            "There is no model “%(model)s” here: only “%(local)s”, on this machine, and those of your connections. "
            "Leave `model` out, or connect a server."
        )
        raise Unfit("model", reason % names)
    return None, "" if name == default else name


@router.post("/agents", response=AgentOut)
@only_known
def agent_create(request: HttpRequest, payload: AgentCreate) -> HttpResponse:
    """Make an agent. A taken name is a 409 that names it."""
    owner = person(request)
    blocks = None
    if payload.memory_blocks or payload.block_ids:
        blocks = [(block.settings(), block.value) for block in payload.memory_blocks or ()]
    connection, model = model_of(owner, payload.handle() or "")
    with transaction.atomic():
        name = _own_name(owner) if payload.name is None else payload.name
        agent = services.agent_create(
            owner=owner, draft=AgentDraft(name=name, connection=connection, model=model, blocks=blocks)
        )
        for row, block in zip(working_context.blocks_of(agent), payload.memory_blocks or (), strict=False):
            services.block_note(block=row, **block.own())
        wanted = _tools_wanted(owner.pk, payload.tool_ids, [*(payload.tools or ()), SEND_MESSAGE])
        ours = set(registry.registered()) if payload.include_base_tools else set()
        services.functions_choose(agent=agent, names=wanted | ours)
        _give(request, agent, payload)
    return answer(shapes.agent(agent_for(request, f"agent-{agent.pk}")))


def _own_name(owner: "User") -> str:
    """A name that the person's agents have not."""
    taken = set(owned_by(Agent, owner).values_list("name", flat=True))
    names = (_("Agent %(number)d") % {"number": number} for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _tools_wanted(owner_id: int, ids: list[str] | None, names: list[str]) -> set[str]:
    """The functions of these ids and names. Raises Unknown."""
    wanted = [(text, text.removeprefix("tool-")) for text in [*(ids or ()), *names]]
    there = toolset.there_are(owner_id)
    for text, name in wanted:
        if name not in there:
            raise Unknown("tool", text)
    return {name for _text, name in wanted}


def _give(request: HttpRequest, agent: Agent, payload: AgentFields) -> None:
    """Everything else that was given. Raises InvalidInput, Unknown."""
    for block_id in payload.block_ids or ():
        block = row_for(request, Block, "block", block_id)
        if not agent.blocks.filter(pk=block.pk).exists():
            services.block_share(block=block, agent=agent)
    for folder_id in [*(payload.folder_ids or ()), *(payload.source_ids or ())]:
        attach_archive(agent, archive_for(request, folder_id))
    if payload.system is not None:
        services.agent_instruct(agent=agent, text=payload.system)
    if payload.window():
        choice = replace(ModelChoice.of(agent), context_window=payload.window())
        services.agent_choose_model(agent=agent, choice=choice)
    if payload.timezone is not None:
        services.zone_set(person=person(request), zone=payload.timezone)
    own = payload.model_dump(include={"description", "metadata", "tags"}, exclude_none=True)
    asked_for = {"model": payload.handle(), "embedding": payload.embedding}
    asked_for = {name: value for name, value in asked_for.items() if value}
    if own or asked_for:
        services.agent_describe(agent=agent, **own, asked_for=agent.asked_for | asked_for)


def attach_archive(agent: Agent, archive: Archive) -> None:
    """Let the agent search it; one that it searches already stays."""
    if archive.pk != agent.archive_id and not agent.attached_archives.filter(pk=archive.pk).exists():
        services.archive_attach(agent=agent, archive=archive)


class AgentListing(Listing):
    """Agents, newest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset(
        "base_template_id created_by_id identifier_keys identity_id include_relationships last_stop_reason project_id "
        "template_id sort_by".split()
    )

    name: Name | None = None
    query_text: Text | None = None
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    match_all_tags: bool = False
    ascending: bool | None = None
    include: list[Name] | None = Field(None, max_length=MOST_NAMES)
    order_by: Literal["created_at", "updated_at"] | None = None  # type: ignore[assignment]


@router.get("/agents", response=list[AgentOut])
@only_known
def agent_list(request: HttpRequest, asked: Query[AgentListing]) -> HttpResponse:
    """The person's agents."""
    rows = owned_by(Agent, person(request)).select_related("summary", "archive", "connection__owner")
    if asked.name is not None:
        rows = rows.filter(name=asked.name)
    if asked.query_text:
        rows = rows.filter(Q(name__icontains=asked.query_text) | Q(description__icontains=asked.query_text))
    rows = with_tags(rows, asked.tags, all_of_them=asked.match_all_tags)
    newest_first = not asked.ascending
    by = "last_active_at" if asked.order_by == "updated_at" else "created_at"
    return answer(shapes.agents(agents_page(person(request), rows, asked, newest_first=newest_first, by=by)))


class Importing(Body):
    """How to import. Functions are the installation's own, so no source in the file is taken."""

    NOT_SUPPORTED: ClassVar = frozenset(
        "embedding env_vars_json model override_embedding_handle override_model_handle project_id secrets".split()
    )

    append_copy_suffix: bool = False
    override_existing_tools: bool = False
    override_name: str | None = Field(None, max_length=LONGEST_TEXT)
    name: str | None = Field(None, max_length=LONGEST_TEXT)
    strip_messages: bool = False


class Missing(BaseModel):
    """What one agent has not, by name."""

    agent_id: str
    functions: list[str]
    files: list[str]


class Imported(BaseModel):
    """The agents that were made, and what the file names for each that is not here: functions that nobody installed,
    and files without their text."""

    agent_ids: list[str]
    missing: list[Missing]


@router.post("/agents/import", response=Imported)
@only_known
async def agent_import(request: HttpRequest, file: File[UploadedFile], payload: Form[Importing]) -> HttpResponseBase:
    """New agents from a file of Letta's or of memweb's own. What takes long is answered with blanks before the JSON;
    what it is refused for then is in a 200, as `detail`."""
    return await when_ready(read(_imported, request, file, payload))


def _imported(request: HttpRequest, file: UploadedFile, payload: Importing) -> dict[str, Any]:
    how = Bringing(
        name=payload.override_name or payload.name or "",
        suffix=_("_copy") if payload.append_copy_suffix else "",
        with_messages=not payload.strip_messages,
    )
    made = services.agents_import(owner=person(request), file=file, how=how)
    missing = [
        {"agent_id": f"agent-{one.agent.pk}", "functions": one.missing_functions, "files": one.missing_files}
        for one in made
        if one.missing_functions or one.missing_files
    ]
    return {"agent_ids": [f"agent-{one.agent.pk}" for one in made], "missing": missing}


class Retrieving(Asked):
    """`include` is taken and changes nothing: an agent always comes whole."""

    NOT_SUPPORTED: ClassVar = frozenset({"include_relationships"})

    include: list[Name] | None = Field(None, max_length=MOST_NAMES)


@router.get("/agents/{agent_id}", response=AgentOut)
@only_known
def agent_retrieve(request: HttpRequest, agent_id: str, asked: Query[Retrieving]) -> HttpResponse:
    """One agent."""
    agent = agent_for(request, agent_id)
    window = selectors.window_of(agent)
    return answer(shapes.agent(agent) | {"message_ids": [f"message-{pk}" for pk in window]})


@router.patch("/agents/{agent_id}", response=AgentOut)
@only_known
def agent_update(request: HttpRequest, agent_id: str, payload: AgentFields) -> HttpResponse:
    """Change an agent; what is not given stays. Blocks, functions and folders that are given take the place of all."""
    agent = agent_for(request, agent_id)
    with transaction.atomic():
        if payload.name is not None:
            services.agent_rename(agent=agent, name=payload.name)
        if payload.handle() is not None:
            connection, model = model_of(agent.owner, payload.handle() or "")
            choice = replace(ModelChoice.of(agent), connection=connection, model=model)
            services.agent_choose_model(agent=agent, choice=choice)
        if payload.tool_ids is not None:
            kept = _tools_wanted(agent.owner_id, payload.tool_ids, [SEND_MESSAGE])
            services.functions_choose(agent=agent, names=kept)
        if payload.block_ids is not None:
            for block in agent.blocks.all():
                if f"block-{block.pk}" not in payload.block_ids:
                    services.block_detach(agent=agent, block=block)
        folders = payload.folder_ids if payload.folder_ids is not None else payload.source_ids
        if folders is not None:
            kept_archives = [archive_for(request, folder).pk for folder in folders]
            for archive in agent.attached_archives.exclude(pk__in=kept_archives):
                services.archive_detach(agent=agent, archive=archive)
        _give(request, agent, payload)
    return answer(shapes.agent(agent_for(request, agent_id)))


@router.delete("/agents/{agent_id}", response=dict)
@only_known
def agent_delete(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Delete an agent with its messages, its archive and the blocks no other agent has."""
    agent = agent_for(request, agent_id)
    remember_place(agent)
    services.agent_delete(agent=agent)
    return answer({})


# Files


class Exporting(Asked):
    """Letta's agent file, or memweb's own, which has everything; with `documents` a zip that has these as well."""

    NOT_SUPPORTED: ClassVar = frozenset({"conversation_id", "max_steps", "scrub_messages", "use_legacy_format"})

    format: Literal["letta", "memweb"] = "letta"
    documents: bool = False


@router.get("/agents/{agent_id}/export", response=dict)
@only_known
def agent_export(request: HttpRequest, agent_id: str, asked: Query[Exporting]) -> HttpResponseBase:
    """The agent as a file."""
    agent = agent_for(request, agent_id)
    if asked.format == "memweb":
        return written_file(services.agent_write(agent=agent, documents=asked.documents))
    if asked.documents:
        raise Unfit(
            "documents", _("Letta's file has its own way with documents. Ask for format=memweb."), where="query"
        )
    return answer(services.letta_export(agent=agent))
