"""An agent as a file: exported whole, and imported as a new agent on this or another installation."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.db import DataError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents import dispatch, quotas, selectors
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.functions import registry
from agents.llm.types import SEND_MESSAGE
from agents.main_context import fifo_queue, working_context
from agents.models import Agent, Message, Passage, Summary
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.person import own_time
from agents.services.agents import AgentDraft, agent_create, function_ask_first, functions_choose
from agents.services.blocks import BlockSettings, block_attach_new
from agents.text import tokens
from agents.text.clean import storable

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FORMAT: Literal["memweb-agent"] = "memweb-agent"
MOST_BLOCKS = 100
MOST_FUNCTIONS = 1000
BATCH = 500  # rows written at once


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BlockFile(_Part):
    """A core memory block. `limit` is in characters."""

    label: str
    value: str
    limit: int
    description: str = ""
    read_only: bool = False


class CallFile(_Part):
    """A function call; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


class MessageFile(_Part):
    """Times are by the person's clock of then. Those of older files are UTC, which says nothing of the person."""

    kind: Message.Kind
    time: datetime
    content: str = ""
    inner_monologue: str = ""
    calls: list[CallFile] = []
    call_id: str = Field("", max_length=120)
    function: str = Field("", max_length=80)
    failed: bool = False
    stopped: bool = False
    in_window: bool = False


class PassageFile(_Part):
    """A passage that the agent or a person filed."""

    text: str
    time: datetime


FunctionNames = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_FUNCTIONS)]


class AgentFile(_Part):
    """What an exported agent is. Documents are not part of it: upload them again. Version 1 knew no functions."""

    format: Literal["memweb-agent"]
    version: Literal[1, 2]
    name: str
    model: str = ""
    context_window: int | None = Field(None, ge=MIN_CONTEXT_WINDOW, le=2_000_000)
    system_instructions: str
    core_memory: list[BlockFile] = Field(max_length=MOST_BLOCKS)
    summary: str = ""
    messages: list[MessageFile]
    passages: list[PassageFile]
    functions_off: FunctionNames = []  # of memweb's own
    functions_on: FunctionNames = []  # installed ones, wherever they are
    functions_ask: FunctionNames = []


@transaction.atomic
def agent_export(*, agent: Agent) -> AgentFile:
    """The agent with its memory and its whole conversation. Reads every row once."""
    passages = agent.archive.passages.filter(document=None, retracted_at=None).only("text", "created_at")
    return AgentFile(
        format=FORMAT,
        version=2,
        name=agent.name,
        model=agent.model,
        context_window=agent.context_window,
        system_instructions=agent.system_instructions,
        core_memory=[
            BlockFile(**vars(block)) for block in working_context.prompt_blocks(working_context.blocks_of(agent))
        ],
        summary=agent.summary.text if agent.summary else "",
        messages=[_message_file(agent, message) for message in selectors.timeline_whole(agent)],
        passages=[PassageFile(text=p.text, time=p.created_at) for p in passages.order_by("pk").iterator()],
        functions_off=agent.detached_functions,
        functions_on=agent.attached_functions,
        functions_ask=agent.ask_first,
    )


def _message_file(agent: Agent, message: Message) -> MessageFile:
    return MessageFile(
        kind=Message.Kind(message.kind),
        time=own_time(message),
        content=message.content,
        inner_monologue=message.inner_monologue,
        calls=[CallFile(id=call["id"], name=call["name"], arguments=call["arguments"]) for call in message.calls],
        call_id=message.call_id,
        function=message.function,
        failed=message.failed,
        stopped=message.stopped,
        in_window=(message.seq or 0) >= agent.queue_start,
    )


def agent_import(*, owner: "User", raw: bytes, name: str = "") -> Agent:
    """A new agent from an exported file; `name` instead of the one in it. Raises InvalidInput; nothing is made then."""
    try:
        file = AgentFile.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        sentence = _("This is not an agent exported by memweb: %(where)s, %(reason)s.")
        raise InvalidInput(sentence % {"where": where, "reason": first["msg"]}) from error
    try:
        with transaction.atomic():
            return _make(owner, file, name)
    except (ValueError, TypeError, OverflowError, DataError) as error:  # fits the form and cannot be kept
        sentence = _("This file cannot be imported: %(reason)s.") % {"reason": str(error)[:200]}
        raise InvalidInput(sentence) from error


def _make(owner: "User", file: AgentFile, name: str) -> Agent:
    draft = AgentDraft(
        name=name or file.name,
        persona="",
        human="",
        model=storable(file.model)[:120],
        context_window=file.context_window,
    )
    agent = agent_create(owner=owner, draft=draft)
    agent.blocks.all().delete()
    agent.messages.all().delete()
    for block in file.core_memory:
        settings = BlockSettings(**block.model_dump(exclude={"value"}))
        block_attach_new(agent=agent, settings=settings, value=block.value)
    agent.system_instructions = storable(file.system_instructions)
    _bring_messages(agent, file)
    _bring_passages(agent, file)
    agent.save()
    functions_choose(agent=agent, names=_functions(file))
    for function in set(file.functions_ask) & set(agent.attached_functions):  # besides those that ask by themselves
        function_ask_first(agent=agent, name=function, ask=True)
    dispatch.embed_messages(agent.pk)
    dispatch.embed_passages()
    return agent


def _functions(file: AgentFile) -> set[str]:
    return (set(registry.registered()) - set(file.functions_off)) | set(file.functions_on) | {SEND_MESSAGE}


def _bring_messages(agent: Agent, file: AgentFile) -> None:
    rows = []
    for seq, entry in enumerate(file.messages, start=1):
        fields: dict[str, Any] = entry.model_dump(exclude={"kind", "time", "in_window"})
        texts = {name: _storable(value) for name, value in fields.items()}
        message = Message(agent=agent, seq=seq, kind=entry.kind, created_at=_aware(entry.time), **texts)
        message.utc_offset = entry.time.utcoffset() or None
        message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
        recall_storage.index_words(message)
        rows.append(message)
    Message.objects.bulk_create(rows, batch_size=BATCH)
    agent.next_seq = len(rows) + 1
    agent.queue_start = next((seq for seq, m in enumerate(file.messages, start=1) if m.in_window), agent.next_seq)
    if file.summary:
        text = storable(file.summary)
        agent.summary = Summary.objects.create(
            agent=agent, text=text, covers_to=agent.queue_start, tokens=tokens.count(text)
        )


def _bring_passages(agent: Agent, file: AgentFile) -> None:
    quotas.check_passages(agent.owner_id, len(file.passages))
    rows = [archival_storage.build(agent.archive, storable(entry.text), None) for entry in file.passages]
    for row, entry in zip(rows, file.passages, strict=True):
        row.created_at = _aware(entry.time)
    Passage.objects.bulk_create(rows, batch_size=BATCH)


def _aware(time: datetime) -> datetime:
    """In UTC. Raises OverflowError for one outside of the years that there are."""
    return (time if timezone.is_aware(time) else timezone.make_aware(time)).astimezone(UTC)


def _storable(value: Any) -> Any:
    """Every text within it, as the database can hold it."""
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    return storable(value) if isinstance(value, str) else value
