"""Letta's agent file, `.af`: what memweb takes of it, in the shape of today and in the one before agents came in lists.

What a newer Letta adds is passed over; what has another shape is refused with its place. Groups, servers and code of
functions are not taken: that is installed by the operator. `letta_reading` makes agents of it, `letta_writing` writes.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from agents.exceptions import InvalidInput
from agents.text.clean import encodable_json

MOST_MESSAGES = 50_000
MOST_PARTS = 1_000_000  # objects and lists, also within texts: each takes memory that its few bytes do not show
MOST_AGENTS = 100
MOST_TOOLS, MOST_FILES = 1000, 10_000
DEEPEST = 100  # levels of what is kept as it is
# Where a text that no database holds may come from: NUL, halves of surrogate pairs, an encoding that is not UTF-8.
UNFIT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]|\x00")
EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)

Json = dict[str, Any]
Item = TypeVar("Item")


def _in_time(time: datetime) -> datetime:
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not EARLIEST <= time <= LATEST:
        raise ValueError("outside of the years that there are")
    return time


def _not_deep(value: Json) -> Json:
    """Deeper than programs can walk it, it could be kept and not be told."""
    level: list[Any] = [value]
    for _depth in range(DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [item for items in inner for item in items]
    if level:
        raise ValueError(f"more than {DEEPEST} levels of nesting")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _or_nothing(value: Any) -> Any:
    return [] if value is None else value


Time = Annotated[datetime, AfterValidator(_in_time)]
Name = Annotated[str, Field(max_length=200)]
Data = Annotated[Json, AfterValidator(_not_deep)]
Many = Annotated[list[Item], FailFast(), BeforeValidator(_or_nothing)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class LettaBlock(_Part):
    """A core memory block."""

    id: str = ""
    label: str
    value: str | None = None
    limit: int | None = None
    description: str | None = None
    read_only: bool | None = None
    tags: Many[str] = []
    metadata: Data | None = None


class LettaReturn(_Part):
    """What a function answered, where a message has several; an approval has no `func_response`."""

    tool_call_id: str | None = None
    status: str | None = None
    func_response: str | list[Json] | None = None


class LettaMessage(_Part):
    """A message."""

    id: str = ""
    role: Literal["system", "user", "assistant", "tool", "function", "approval", "summary"]
    content: str | list[Json] | None = None
    tool_calls: Many[Json] = []
    tool_call_id: str | None = None
    tool_returns: Many[LettaReturn] = []
    approvals: Many[LettaReturn] = []
    created_at: Time | None = None


class LettaTool(_Part):
    """A function. Its schema is the installation's own, so whatever the file has of it is not looked at."""

    id: Name = ""
    name: Name | None = None
    default_requires_approval: bool | None = None


class LettaRule(_Part):
    """A rule of when a function is called."""

    tool_name: str
    type: str


class LettaStoredFile(_Part):
    """A file that agents can search; `content` is its text."""

    id: Name
    source_id: str | None = None
    file_name: str | None = None
    original_file_name: str | None = None
    content: str | None = None

    @property
    def name(self) -> str:
        """As its person called it."""
        return (self.original_file_name or self.file_name or self.id)[-200:]


class LettaFileLink(_Part):
    """A file that an agent has."""

    file_id: str


class LettaAgent(_Part):
    """An agent."""

    name: str
    system: str | None = None
    description: str | None = None
    tags: Many[str] = []
    metadata: Data | None = None
    llm_config: Json | None = None
    memory_blocks: Many[LettaBlock] = []
    block_ids: Many[str] = []
    tools: Annotated[Many[Name], Field(max_length=MOST_TOOLS)] = []
    tool_ids: Annotated[Many[Name], Field(max_length=MOST_TOOLS)] = []
    tool_rules: Many[LettaRule] = []
    source_ids: Many[str] = []
    folder_ids: Many[str] = []
    files_agents: Many[LettaFileLink] = []
    messages: Annotated[Many[LettaMessage], Field(max_length=MOST_MESSAGES)] = []
    in_context_message_ids: Many[str] = []


class LettaFile(_Part):
    """The file."""

    agents: Annotated[Many[LettaAgent], Field(min_length=1, max_length=MOST_AGENTS)]
    blocks: Many[LettaBlock] = []
    tools: Many[LettaTool] = []
    files: Annotated[Many[LettaStoredFile], Field(max_length=MOST_FILES)] = []


class _Tag(_Part):
    tag: str


class _FileOfOne(_Part):
    """The file as it was before: one agent, whose messages are counted instead of named."""

    name: str
    system: str | None = None
    description: str | None = None
    tags: Many[_Tag] = []
    metadata_: Data | None = None
    llm_config: Json | None = None
    core_memory: Many[LettaBlock]
    tools: Many[LettaTool] = []
    tool_rules: Many[LettaRule] = []
    messages: Annotated[Many[LettaMessage], Field(max_length=MOST_MESSAGES)] = []
    in_context_message_indices: Many[int] = []

    def of_today(self) -> LettaFile:
        """The same, as it is written now."""
        for number, message in enumerate(self.messages):
            message.id = f"message-{number}"
        agent = LettaAgent(
            name=self.name,
            system=self.system,
            description=self.description,
            tags=[tag.tag for tag in self.tags],
            metadata=self.metadata_,
            llm_config=self.llm_config,
            memory_blocks=self.core_memory,
            tools=[tool.name for tool in self.tools if tool.name],
            tool_rules=self.tool_rules,
            messages=self.messages,
            in_context_message_ids=[f"message-{number}" for number in self.in_context_message_indices],
        )
        return LettaFile(agents=[agent], tools=self.tools)


def parsed(raw: bytes) -> LettaFile:
    """The file. Raises InvalidInput, with the place where it is wrong; one far too large is not read."""
    _check_size(raw)
    try:
        data = json.loads(raw, parse_constant=_no_number, parse_float=_finite)
        data = encodable_json(data) if UNFIT.search(raw) else data  # a copy, which of a large file takes long
        if isinstance(data, dict) and "core_memory" in data and "agents" not in data:
            return _FileOfOne.model_validate(data).of_today()
        return LettaFile.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        reason = f"{where}, {first['msg']}"
    except (ValueError, RecursionError) as error:
        reason = str(error)[:200]
    raise InvalidInput(_("This is no agent file of Letta or of memweb: %(reason)s.") % {"reason": reason})


def _check_size(raw: bytes) -> None:
    """In JSON `"role"` stands nowhere but where a message, or somebody's own data, has that name."""
    if raw.count(b'"role"') > MOST_MESSAGES:
        sentence = ngettext(
            "This file has more than %(most)s message: too many for one agent file. Nothing was imported.",
            "This file has more than %(most)s messages: too many for one agent file. Nothing was imported.",
            MOST_MESSAGES,
        )
        raise InvalidInput(sentence % {"most": f"{MOST_MESSAGES:,}"})
    if raw.count(b"{") + raw.count(b"[") > MOST_PARTS:
        sentence = ngettext(
            "This file has more than %(most)s object or list: it is not read. Nothing was imported.",
            "This file has more than %(most)s objects and lists: it is not read. Nothing was imported.",
            MOST_PARTS,
        )
        raise InvalidInput(sentence % {"most": f"{MOST_PARTS:,}"})
