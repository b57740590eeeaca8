"""The tools, defined once for both ways in: what each takes, what it does by the client, what it answers.

What is said here is for models, and so in English.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from memweb.client import Agent, AsyncClient, Block, NotFound, NotNow, UserMessage

Connect = Callable[[], AsyncClient]

MOST_FOUND = 50  # of one search
LARGEST_REVISION = 2**31 - 1


class Mistake(Exception):
    """What was asked for cannot be done; `str()` is a sentence that says why and how to go on."""


@dataclass(frozen=True)
class Caller:
    """Whose memory it is, and the agent that a call is about: the one it names, or the only one of this server."""

    client: AsyncClient
    name: str | None

    async def agent(self) -> Agent:
        """Raises Mistake if there is none of that name or id."""
        assert self.name is not None, "each tool but list_agents has an agent"
        try:
            return await self.client.get_agent(self.name)
        except NotFound as error:
            raise Mistake(f"{error} list_agents tells which there are.") from error


class Arguments(BaseModel):
    """What a tool takes; nothing else."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Arguments):
    """No arguments."""


class Search(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=2000, description="What to look for, by its meaning and its words.")
    limit: int = Field(10, ge=1, le=MOST_FOUND, description="The most results to return, the best first.")


class Edit(Arguments):
    """A block's new text, and the revision that it was made from."""

    label: str = Field(min_length=1, description='The block\'s label, such as "human".')
    value: str = Field(description="The whole new text of the block.")
    revision: int = Field(
        ge=1,
        le=LARGEST_REVISION,
        description="The revision that read_core_memory told. If the block was edited since, nothing is changed.",
    )


class Filing(Arguments):
    """A text to file."""

    text: str = Field(min_length=1, description="One self-contained passage.")


class Talk(Arguments):
    """What to say."""

    message: str = Field(min_length=1, description="What to say to the agent.")


class BlockTold(BaseModel):
    """A block of core memory."""

    label: str
    value: str
    revision: int | None
    limit: int | None = Field(description="In characters.")
    description: str | None
    read_only: bool | None = Field(description="The agent itself cannot change it.")


class CoreMemory(BaseModel):
    """What the agent always has in view."""

    agent: str
    blocks: list[BlockTold]


class AgentTold(BaseModel):
    """An agent."""

    id: str
    name: str
    model: str | None
    description: str | None


class AgentsTold(BaseModel):
    """The agents there are."""

    agents: list[AgentTold]


class Said(BaseModel):
    """A message that was found."""

    by: Literal["user", "agent"]
    at: datetime | None
    text: str


class SaidFound(BaseModel):
    """The best first."""

    messages: list[Said]


class PassageTold(BaseModel):
    """A passage of archival storage."""

    id: str
    at: datetime | None
    text: str


class PassagesFound(BaseModel):
    """The best first."""

    passages: list[PassageTold]


class DocumentTold(BaseModel):
    """A file that was loaded into an archive. `status` is pending, parsing, embedding, completed or error."""

    name: str
    archive: str
    status: str
    passages: int | None
    error: str | None


class DocumentsTold(BaseModel):
    """The files that the agent can search."""

    documents: list[DocumentTold]


class Reply(BaseModel):
    """What the agent said."""

    reply: str


async def list_agents(caller: Caller, _given: Nothing) -> AgentsTold:
    """List the agents whose memory can be read, with their names and ids."""
    agents = await caller.client.list_agents() if caller.name is None else [await caller.agent()]
    return AgentsTold(
        agents=[
            AgentTold(id=agent.id, name=agent.name, model=agent.model, description=agent.description)
            for agent in agents
        ]
    )


async def read_core_memory(caller: Caller, _given: Nothing) -> CoreMemory:
    """Read an agent's core memory: the blocks that it always has in view, each with the revision of its text."""
    agent = await caller.agent()
    return CoreMemory(agent=agent.name, blocks=[_told(block) for block in await caller.client.list_blocks(agent.id)])


async def edit_core_memory_block(caller: Caller, given: Edit) -> BlockTold:
    """Replace the text of one core memory block. Read it first: give the revision that your text was made from."""
    agent = await caller.agent()
    which = {"agent_id": agent.id, "label": given.label}
    try:
        return _told(await caller.client.edit_block(**which, value=given.value, from_revision=given.revision))
    except NotNow as error:
        now = await caller.client.get_block(**which)
        raise Mistake(
            f"{error} You gave revision {given.revision}; it is revision {now.revision} now and says:\n{now.value}\n"
            f"To change that, send the whole new text with revision {now.revision}."
        ) from error


async def search_recall(caller: Caller, given: Search) -> SaidFound:
    """Search everything that was ever said between the agent and its person, by meaning and by words."""
    agent = await caller.agent()
    found = await caller.client.search_messages(agent_id=agent.id, query=given.query, limit=given.limit)
    return SaidFound(
        messages=[
            Said(
                by="user" if isinstance(message, UserMessage) else "agent",
                at=message.date,
                text=getattr(message, "text", ""),
            )
            for message in found
        ]
    )


async def search_archival(caller: Caller, given: Search) -> PassagesFound:
    """Search an agent's archival storage and its documents, by meaning and by words."""
    agent = await caller.agent()
    found = await caller.client.search_passages(agent_id=agent.id, query=given.query, limit=given.limit)
    return PassagesFound(
        passages=[PassageTold(id=passage.id, at=passage.created_at, text=passage.text) for passage in found]
    )


async def insert_archival(caller: Caller, given: Filing) -> PassageTold:
    """File a text in an agent's archival storage, where it is found at once."""
    agent = await caller.agent()
    passage = await caller.client.insert_passage(agent_id=agent.id, text=given.text)
    return PassageTold(id=passage.id, at=passage.created_at, text=passage.text)


async def list_documents(caller: Caller, _given: Nothing) -> DocumentsTold:
    """List the documents that an agent can search, with how far each has been read."""
    agent = await caller.agent()
    documents = []
    for archive in await caller.client.list_archives(agent_id=agent.id):
        for document in await caller.client.list_documents(archive.id):
            told = document.model_dump(include={"name", "status", "passages", "error"})
            documents.append(DocumentTold(archive=archive.name, **told))
    return DocumentsTold(documents=documents)


async def talk_to_agent(caller: Caller, given: Talk) -> Reply:
    """Say something to an agent and wait for its reply, as its person would. It may change its memory over that."""
    agent = await caller.agent()
    reply = await caller.client.user_message(agent_id=agent.id, message=given.message)
    if reply.failed:
        raise Mistake(f"{agent.name} could not answer: {reply.error or reply.stop_reason}")
    return Reply(reply=reply.text)


def _told(block: Block) -> BlockTold:
    return BlockTold(**block.model_dump(exclude={"id"}))


@dataclass(frozen=True)
class Tool:
    """One tool. `reads_only` says that nothing is changed by it."""

    call: Callable[[Caller, Any], Awaitable[BaseModel]]
    takes: type[Arguments]
    answers: type[BaseModel]
    reads_only: bool = False

    @property
    def name(self) -> str:
        """As it is called."""
        return self.call.__name__

    @cached_property
    def takes_with_agent(self) -> type[Arguments]:
        """What it takes where a call names its agent."""
        if self.call is list_agents:
            return self.takes
        agent: Any = (str, Field(min_length=1, description="The agent's name or id, as list_agents tells."))
        return create_model(f"{self.takes.__name__}OfAgent", __base__=self.takes, agent=agent)

    async def carried_out(self, connect: Connect, only: str | None, given: dict[str, Any]) -> BaseModel:
        """What a call comes to; it is about the agent `only`, or the one that it names. Raises Mistake, MemwebError."""
        takes = self.takes if only else self.takes_with_agent
        try:
            arguments = takes.model_validate(given)
        except ValidationError as error:
            raise Mistake(f"{self.name} cannot take that. {_faults(error)}") from error
        return await self.call(Caller(connect(), only or getattr(arguments, "agent", None)), arguments)


def _faults(error: ValidationError) -> str:
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]
    return "; ".join(f"{place}: {message}" if place else message for place, message in faults)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(list_agents, Nothing, AgentsTold, reads_only=True),
        Tool(read_core_memory, Nothing, CoreMemory, reads_only=True),
        Tool(edit_core_memory_block, Edit, BlockTold),
        Tool(search_recall, Search, SaidFound, reads_only=True),
        Tool(search_archival, Search, PassagesFound, reads_only=True),
        Tool(insert_archival, Filing, PassageTold),
        Tool(list_documents, Nothing, DocumentsTold, reads_only=True),
        Tool(talk_to_agent, Talk, Reply),
    )
}
