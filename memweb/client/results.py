"""What calls return: frozen records, made of the server's JSON; fields that it adds later are passed over."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

Operation = Literal["equal", "insert", "delete"]
Change = tuple[tuple[Operation, str], ...]  # the words of two texts: in both, in the new one, in the old one


class Result(BaseModel):
    """The base of all records."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _listed(value: Any) -> Any:
    return () if value is None else value


class Block(Result):
    """A block of core memory: what the agent always has in view."""

    id: str = ""
    label: str = ""
    value: str = ""
    limit: int | None = None
    description: str | None = None
    read_only: bool | None = None
    revision: int | None = None  # of its text: how often that was edited


class Memory(Result):
    """Core memory."""

    blocks: tuple[Block, ...] = ()


class Agent(Result):
    """An agent. `memory` is as it was when this was read."""

    id: str
    name: str
    description: str | None = None
    model: str | None = None
    system: str = Field("", repr=False)
    tags: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    created_at: datetime | None = None
    memory: Memory = Field(default_factory=Memory, repr=False)

    def block(self, label: str) -> str:
        """What a block said; empty if there is none of that label."""
        return next((block.value for block in self.memory.blocks if block.label == label), "")


class ImportedAgent(Agent):
    """An agent that was made of a file, and what the file names that is not here: functions that nobody installed, and
    files that did not come along: upload these again."""

    missing_functions: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()


class Passage(Result):
    """A passage of archival storage."""

    id: str
    text: str = Field(validation_alias=AliasChoices("text", "content"))
    created_at: datetime | None = Field(None, validation_alias=AliasChoices("created_at", "timestamp"))
    file_name: str | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()


class MatchedWord(Result):
    """A word of a query that stands in what was found. `beside` is "day" or "name" where it is a word of the day on
    which it was said, or of who said it."""

    word: str
    beside: str = ""


class ScorePart(Result):
    """A part of a score. `figure` is what was measured, None where there was nothing to measure."""

    name: str
    label: str = ""
    figure: float | None = None
    contribution: float = 0.0
    words: tuple[MatchedWord, ...] = ()


class Found(Result):
    """A message or passage that a search found. The contributions of its parts add up to its score."""

    id: str
    text: str
    created_at: datetime | None = None
    score: float
    note: str = ""
    parts: tuple[ScorePart, ...] = ()


class ExplainedSearch(Result):
    """A page of a search as the agent makes it. `text` is what it reads, `below_cut` are the first of the next page."""

    storage: str
    query: str
    page: int = 1
    pages: int = 1
    total: int = 0
    text: str = ""
    results: tuple[Found, ...] = ()
    below_cut: tuple[Found, ...] = ()


class AskedCall(Result):
    """A call that waits for a yes or no. `arguments` is JSON."""

    number: int
    function: str
    arguments: str = "{}"
    run_id: str = ""
    asked_at: datetime | None = None


class Archive(Result):
    """A named store of passages and documents, which agents may share."""

    id: str
    name: str
    description: str | None = None
    created_at: datetime | None = None


class Document(Result):
    """A file in an archive. `status` is pending, parsing, embedding, completed or error; `error` says why."""

    id: str
    name: str = Field("", validation_alias=AliasChoices("name", "file_name", "original_file_name"))
    status: str = Field("", validation_alias=AliasChoices("status", "processing_status"))
    passages: int | None = Field(None, validation_alias=AliasChoices("passages", "total_chunks"))
    embedded: int | None = Field(None, validation_alias=AliasChoices("embedded", "chunks_embedded"))
    error: str | None = Field(None, validation_alias=AliasChoices("error", "error_message"))

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in ("completed", "error")


class Loaded(Result):
    """What became of one file: `document` if it was taken, else `error` says why not."""

    path: str
    document: Document | None = None
    error: str = ""


class Progress(Result):
    """How far loading is: this file's `stage` (sending, reading, embedding, done, refused), and files and passages."""

    path: str
    stage: Literal["sending", "reading", "embedding", "done", "refused"]
    files_done: int
    files: int
    embedded: int = 0
    passages: int = 0
    error: str = ""


class Run(Result):
    """An agent's work on one message. `status` is created, running, completed, failed or cancelled."""

    id: str
    agent_id: str
    status: str = ""
    stop_reason: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    metadata: dict[str, Any] | None = Field(None, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ("completed", "failed", "cancelled")


class Preset(Result):
    """A persona or human to begin an agent with."""

    name: str
    text: str


class Presets(Result):
    """What this memweb offers to begin agents with."""

    personas: tuple[Preset, ...] = ()
    humans: tuple[Preset, ...] = ()


class Command(Result):
    """A slash command. In `usage`, `<…>` must be given and `[…]` may be."""

    name: str
    usage: str = ""
    help: str = ""
    argument: Literal["none", "count", "text"] = "none"
    needs_argument: bool = False


class Entry(Result):
    """A line of what a command lists."""

    head: str
    body: str


class Conflict(Result):
    """A block that was edited since: keep what it says now (`current`), or put back what it said `before`."""

    block_id: str
    label: str
    current: str
    before: str
    revision: Any = None


class Choice(Result):
    """The answer to a conflict: `keep`, or the conflict's revision to put back."""

    block_id: str
    keep: bool | None = None
    put_back: Any = None


class CommandOutcome(Result):
    """What a command did. `question` wants the same again with confirmed=True, `conflicts` with a choice for each."""

    sentence: str = ""
    title: str = ""
    entries: tuple[Entry, ...] = ()
    question: str = ""
    change: Change = ()
    leave: bool = False
    conflicts: tuple[Conflict, ...] = ()


class CommandMatch(Result):
    """Whether a typed line is a command; if not, `message` is the message that it means."""

    command: bool
    message: str = ""
