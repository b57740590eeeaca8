"""What an exported agent's file holds. `agent_writing` writes it, `agent_imports` makes an agent of it.

A file is one JSON object, or a zip with that as `agent.json` and the documents beside it. Its long lists (`STREAMED`)
are written and read entry by entry; the rest is its `Head`. The order of the keys says nothing.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field

from agents import selectors
from agents.main_context import working_context
from agents.models import Agent, BlockRevision, Message
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.person import own_time

FORMAT: Literal["memweb-agent"] = "memweb-agent"
VERSION = 3
MOST_BLOCKS = 100
MOST_FUNCTIONS = 1000
MOST_ARCHIVES = 1000


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
    """A passage that the agent or a person filed. `archive` counts from 0 in the file's list of archives."""

    text: str
    time: datetime
    archive: int = Field(0, ge=0)
    tags: list[str] = []


FunctionNames = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_FUNCTIONS)]


class _Character(_Part):
    """What files of every version say of an agent. Version 1 knew no functions."""

    format: Literal["memweb-agent"]
    name: str
    model: str = ""
    context_window: int | None = Field(None, ge=MIN_CONTEXT_WINDOW, le=2_000_000)
    system_instructions: str
    summary: str = ""
    functions_off: FunctionNames = []  # of memweb's own
    functions_on: FunctionNames = []  # installed ones, wherever they are
    functions_ask: FunctionNames = []


class AgentFile(_Character):
    """An agent held whole, without its documents and what was before: what other formats are written from and read as.
    As JSON it is a file of version 2."""

    version: Literal[1, 2]
    core_memory: list[BlockFile] = Field(max_length=MOST_BLOCKS)
    messages: list[MessageFile]
    passages: list[PassageFile]


# Version 3


class OwnBlockFile(BlockFile):
    """With what programs keep beside it."""

    tags: list[str] = []
    metadata: dict[str, Any] = {}


class ArchiveFile(_Part):
    """An archive. The first of a file is the agent's own, which has the agent's name; the others are attached to it."""

    name: str
    description: str = ""


class Head(_Character):
    """All of a file but its long lists."""

    version: int = Field(ge=1, le=VERSION)
    function_mode: Agent.FunctionMode = Agent.FunctionMode.AUTO
    description: str = ""
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    core_memory: list[OwnBlockFile] = Field(max_length=MOST_BLOCKS)
    archives: list[ArchiveFile] = Field([], max_length=MOST_ARCHIVES)


class RevisionFile(_Part):
    """What a block said from one edit to the next, oldest first. `by` is whose edit it was, by their name;
    `restores` is the number of the revision whose text came back."""

    block: str
    number: int = Field(ge=1)
    value: str
    time: datetime
    editor: BlockRevision.Editor
    by: str = ""
    restores: int | None = None


class CheckpointFile(_Part):
    """The agent at an earlier moment: with the first `messages` of the file, of which those from number `queue_start`
    on, counted from 1, were in the window."""

    name: str = Field(max_length=80)
    time: datetime
    system_instructions: str
    core_memory: list[BlockFile] = Field(max_length=MOST_BLOCKS)
    messages: int = Field(ge=0)
    queue_start: int = Field(ge=1)
    summary: str = ""


class DocumentFile(_Part):
    """A document. `file` is its name in the zip; without one it must be uploaded again, but for an export of another
    service's chats, whose `conversations` are documents of their own."""

    name: str = Field(max_length=255)
    time: datetime
    archive: int = Field(0, ge=0)
    media_type: str = Field(max_length=80)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    conversation: str = Field("", max_length=120)
    said_at: datetime | None = None
    conversations: int | None = Field(None, ge=0, le=1_000_000)
    added: int = Field(0, ge=0, le=1_000_000)
    file: str = ""


# Each long list: what its entries are, and how many a file may have.
STREAMED: dict[str, tuple[type[BaseModel], int]] = {
    "history": (RevisionFile, 200_000),
    "messages": (MessageFile, 500_000),
    "passages": (PassageFile, 500_000),
    "documents": (DocumentFile, 50_000),
    "checkpoints": (CheckpointFile, 1_000),
}


# Written


@transaction.atomic
def agent_export(*, agent: Agent) -> AgentFile:
    """The agent held whole, for other formats. Reads every row once."""
    passages = agent.archive.passages.filter(document=None, retracted_at=None).only("text", "created_at", "tags")
    return AgentFile(
        version=2,
        **character(agent),
        core_memory=[
            BlockFile(**vars(block)) for block in working_context.prompt_blocks(working_context.blocks_of(agent))
        ],
        messages=[message_file(agent, message) for message in selectors.timeline_whole(agent)],
        passages=[PassageFile(text=p.text, time=p.created_at, tags=p.tags) for p in passages.order_by("pk").iterator()],
    )


def character(agent: Agent) -> dict[str, Any]:
    """What files of every version say of it."""
    return {
        "format": FORMAT,
        "name": agent.name,
        "model": f"{agent.connection.name}/{agent.model}" if agent.connection else agent.model,
        "context_window": agent.context_window,
        "system_instructions": agent.system_instructions,
        "summary": agent.summary.text if agent.summary else "",
        "functions_off": agent.detached_functions,
        "functions_on": agent.attached_functions,
        "functions_ask": agent.ask_first,
    }


def message_file(agent: Agent, message: Message) -> MessageFile:
    """An entry of the timeline."""
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
