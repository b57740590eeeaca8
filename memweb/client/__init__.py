"""The Python client of memweb.

    from memweb.client import create_client

    client = create_client()
    agent = client.create_agent(name="Sam", persona="I am Sam.", human="I am Bob.")
    response = client.user_message(agent_id=agent.id, message="Hello!")
    print(response)

It finds the memweb that runs on this machine; another one is told by `base_url` and `token`, or by MEMWEB_URL and
MEMWEB_TOKEN. `create_async_client` gives the same for asyncio. Every failure is a MemwebError.
"""

from memweb.client.clients import SILENCE, AsyncClient, Client
from memweb.client.errors import (
    ConnectionLost,
    Invalid,
    MemwebError,
    NameTaken,
    NoServer,
    NotAllowed,
    NotFound,
    NotNow,
    NotSupported,
    ServerFault,
)
from memweb.client.events import (
    Cut,
    Delta,
    Dropped,
    Edited,
    Event,
    Gone,
    MemoryEdited,
    MessageAdded,
    Notice,
    RunChanged,
    State,
    StepBegan,
    WaitingChanged,
    WaitingMessage,
)
from memweb.client.finding import Server, find, home, is_told, running_here
from memweb.client.messages import (
    AgentMessage,
    Failed,
    FunctionCall,
    FunctionResult,
    Message,
    OtherMessage,
    Piece,
    Reply,
    Stopped,
    SystemMessage,
    Thought,
    Usage,
    UserMessage,
)
from memweb.client.results import (
    Agent,
    Archive,
    Block,
    Change,
    Choice,
    Command,
    CommandMatch,
    CommandOutcome,
    Conflict,
    Document,
    Entry,
    ExplainedSearch,
    Found,
    ImportedAgent,
    Loaded,
    MatchedWord,
    Passage,
    Preset,
    Presets,
    Progress,
    Run,
    ScorePart,
)

__all__ = [
    "SILENCE",
    "Agent",
    "AgentMessage",
    "Archive",
    "AsyncClient",
    "Block",
    "Change",
    "Choice",
    "Client",
    "Command",
    "CommandMatch",
    "CommandOutcome",
    "Conflict",
    "ConnectionLost",
    "Cut",
    "Delta",
    "Document",
    "Dropped",
    "Edited",
    "Entry",
    "Event",
    "ExplainedSearch",
    "Failed",
    "Found",
    "FunctionCall",
    "FunctionResult",
    "Gone",
    "ImportedAgent",
    "Invalid",
    "Loaded",
    "MatchedWord",
    "MemoryEdited",
    "MemwebError",
    "Message",
    "MessageAdded",
    "NameTaken",
    "NoServer",
    "NotAllowed",
    "NotFound",
    "NotNow",
    "NotSupported",
    "Notice",
    "OtherMessage",
    "Passage",
    "Piece",
    "Preset",
    "Presets",
    "Progress",
    "Reply",
    "Run",
    "RunChanged",
    "ScorePart",
    "Server",
    "ServerFault",
    "State",
    "StepBegan",
    "Stopped",
    "SystemMessage",
    "Thought",
    "Usage",
    "UserMessage",
    "WaitingChanged",
    "WaitingMessage",
    "create_async_client",
    "create_client",
    "find",
    "home",
    "is_told",
    "running_here",
]


def create_client(
    base_url: str | None = None, token: str | None = None, *, language: str = "", silence: float = SILENCE
) -> Client:
    """A client of the memweb at `base_url`, or of this machine's.

    `language` ("en", "zh-hans") is that of the sentences it answers with; after `silence` seconds without a sign of
    life a connection counts as lost. Raises NoServer, which says what to do.
    """
    return Client(find(base_url, token), language, silence)


def create_async_client(
    base_url: str | None = None, token: str | None = None, *, language: str = "", silence: float = SILENCE
) -> AsyncClient:
    """The same for asyncio."""
    return AsyncClient(find(base_url, token), language, silence)
