"""Letta's agent file, `.af`: read into memweb's own, and written from it. What it has besides agents, blocks and their
messages (groups, sources, servers, the code of functions) is not taken: code is installed by the operator."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.exceptions import InvalidInput
from agents.llm.types import SEND_MESSAGE
from agents.main_context.fifo_queue import package_result, result_text
from agents.models import Message
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.block import DEFAULT_LIMIT
from agents.services.agent_files import FORMAT, AgentFile, BlockFile, CallFile, MessageFile
from agents.text.clean import encodable_json
from api.letta import shapes

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind = Message.Kind
Json = dict[str, Any]

NO_RESULT = "The file has no result of this call."
EVENTS = {"login": Kind.LOGIN, "heartbeat": Kind.HEARTBEAT, "system_alert": Kind.SYSTEM_ALERT}
LONGEST_ID = 120  # characters of a call's id


class _Letta(BaseModel):
    model_config = ConfigDict(extra="ignore")


class LettaBlock(_Letta):
    """A core memory block of the file."""

    id: str
    label: str
    value: str = ""
    limit: int | None = None
    description: str | None = None
    read_only: bool | None = None


class LettaMessage(_Letta):
    """A message of the file."""

    id: str = ""
    role: str
    content: str | list[Json] | None = None
    tool_calls: list[Json] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    created_at: datetime | None = None

    @property
    def text(self) -> str:
        """Its text parts."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content or () if part.get("text"))


class LettaAgent(_Letta):
    """An agent of the file."""

    name: str
    system: str = ""
    block_ids: list[str] = []
    messages: list[LettaMessage] = []
    in_context_message_ids: list[str] = []
    llm_config: Json | None = None


class LettaFile(_Letta):
    """The file."""

    agents: list[LettaAgent] = Field(min_length=1)
    blocks: list[LettaBlock] = []


def read(raw: bytes, *, owner: "User") -> list[AgentFile]:
    """The agents in a file of either kind. Raises InvalidInput."""
    try:
        data = encodable_json(json.loads(raw))
        if isinstance(data, dict) and data.get("format") == FORMAT:
            return [AgentFile.model_validate(data)]
        file = LettaFile.model_validate(data)
        return [_agent(agent, {block.id: block for block in file.blocks}) for agent in file.agents]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        reason = f"{where}, {first['msg']}"
    except (ValueError, RecursionError) as error:
        reason = str(error)[:200]
    raise InvalidInput(_("This is no agent file of Letta or of memweb: %(reason)s.") % {"reason": reason})


def _agent(agent: LettaAgent, blocks: dict[str, LettaBlock]) -> AgentFile:
    config = agent.llm_config or {}
    window = config.get("context_window")
    fits = isinstance(window, int) and MIN_CONTEXT_WINDOW <= window <= 2_000_000
    return AgentFile(
        format=FORMAT,
        version=1,
        name=agent.name,
        context_window=window if fits else None,
        system_instructions=agent.system or _("You are a helpful agent."),
        core_memory=[_block(blocks[key]) for key in agent.block_ids if key in blocks],
        messages=list(_messages(agent)),
        passages=[],
    )


def _block(block: LettaBlock) -> BlockFile:
    return BlockFile(
        label=block.label,
        value=block.value,
        limit=max(block.limit or DEFAULT_LIMIT, len(block.value)),
        description=" ".join((block.description or "").split())[:300],
        read_only=bool(block.read_only),
    )


def _messages(agent: LettaAgent) -> Iterator[MessageFile]:
    """Those of the conversation, each call with one result behind it: a model's server wants it so."""
    in_window = set(agent.in_context_message_ids)
    shown = not in_window
    last = datetime(2000, 1, 1, tzinfo=UTC)
    waiting: list[MessageFile] = []  # results that are still to come
    for message in agent.messages:
        shown = shown or message.id in in_window
        last = message.created_at or last
        if message.role == "tool":
            result = next((entry for entry in waiting if entry.call_id == (message.tool_call_id or "")), None)
            if result:
                waiting.remove(result)
                yield _result(result, message)
            continue
        yield from waiting
        waiting = []
        if entry := _entry(message, last, shown):
            yield entry
            waiting = [_no_result(entry, call) for call in entry.calls]
    yield from waiting


def _entry(message: LettaMessage, time: datetime, in_window: bool) -> MessageFile | None:
    if message.role == "user":
        kind, text = _event(message.text)
        return MessageFile(kind=kind, time=time, content=text, in_window=in_window) if text else None
    if message.role != "assistant":
        return None  # the system instructions, which the agent has
    calls = [_call(call, number) for number, call in enumerate(message.tool_calls or ())]
    if not calls and message.text:  # of an agent that speaks without a function
        spoken = json.dumps({"message": message.text}, ensure_ascii=False)
        calls = [CallFile(id=f"said_{message.id}"[:LONGEST_ID], name=SEND_MESSAGE, arguments=spoken)]
    thought = message.text if message.tool_calls else ""
    said = "\n\n".join(filter(None, (_said(call) for call in calls)))
    return MessageFile(
        kind=Kind.ASSISTANT,
        time=time,
        content=said,
        inner_monologue=thought,
        calls=calls,
        in_window=in_window,
    )


def _event(text: str) -> tuple[Kind, str]:
    """A user's message as it is packaged for the model, or an event that looks like one."""
    try:
        package = json.loads(text)
        kind = EVENTS.get(str(package["type"]), Kind.USER_MESSAGE)
        return kind, str(package.get("message") or package.get("reason") or package["type"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Kind.USER_MESSAGE, text


def _call(call: Json, number: int) -> CallFile:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    identity = str(call.get("id") or f"call_{number}")[:LONGEST_ID]
    arguments = function.get("arguments", "{}")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return CallFile(id=identity, name=str(function.get("name", ""))[:80], arguments=written)


def _said(call: CallFile) -> str:
    if call.name != SEND_MESSAGE:
        return ""
    try:
        return str(json.loads(call.arguments)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _no_result(entry: MessageFile, call: CallFile) -> MessageFile:
    content = package_result(ok=False, message=NO_RESULT, time=timezone.now())
    fields = entry.model_copy(update={"kind": Kind.FUNCTION_RESULT, "content": content, "inner_monologue": ""})
    failed = not entry.content or call.name != SEND_MESSAGE
    return fields.model_copy(update={"calls": [], "call_id": call.id, "function": call.name, "failed": failed})


def _result(entry: MessageFile, message: LettaMessage) -> MessageFile:
    try:
        failed = str(json.loads(message.text)["status"]).lower() not in ("ok", "success")
    except (ValueError, KeyError, TypeError, RecursionError):
        failed = False
    time = message.created_at or entry.time
    content = package_result(ok=not failed, message=result_text(message.text), time=entry.time)
    return entry.model_copy(update={"content": content, "failed": failed, "time": time})


# Written


def written_as_letta(file: AgentFile) -> Json:
    """An agent as a `.af` file. Passages are not part of such a file."""
    blocks = [_letta_block(number, block) for number, block in enumerate(file.core_memory)]
    messages = [entry for entry in map(_letta_message, range(len(file.messages)), file.messages) if entry]
    in_window = [
        entry["id"] for entry in messages if file.messages[int(entry["id"].removeprefix("message-"))].in_window
    ]
    agent = {
        "id": "agent-0",
        "name": file.name,
        "system": file.system_instructions,
        "agent_type": shapes.AGENT_TYPE,
        "block_ids": [block["id"] for block in blocks],
        "tool_ids": [],
        "tool_rules": [],
        "tags": [],
        "messages": messages,
        "in_context_message_ids": in_window,
        "llm_config": {
            "model": file.model,
            "model_endpoint_type": shapes.PROVIDER,
            "context_window": file.context_window or MIN_CONTEXT_WINDOW,
        },
        "embedding_config": shapes.embedding_config(),
        "files_agents": [],
        "group_ids": [],
    }
    empty: dict[str, list[Json]] = {
        name: [] for name in ("groups", "files", "sources", "tools", "mcp_servers", "skills")
    }
    written = {"agents": [agent], "blocks": blocks, **empty, "metadata": {"made_by": "memweb"}}
    return written | {"created_at": timezone.now().isoformat()}


def _letta_block(number: int, block: BlockFile) -> Json:
    return {"id": f"block-{number}", **block.model_dump(), "is_template": False, "metadata": {}}


def _letta_message(number: int, entry: MessageFile) -> Json | None:
    if entry.kind == Kind.NOTICE:
        return None
    base = {"id": f"message-{number}", "created_at": entry.time.isoformat(), "model": None}
    if entry.kind == Kind.ASSISTANT:
        thought = entry.inner_monologue if entry.calls else entry.content
        return base | {"role": "assistant", "content": _text(thought), "tool_calls": list(_letta_calls(entry.calls))}
    if entry.kind == Kind.FUNCTION_RESULT and entry.call_id:
        return base | {
            "role": "tool",
            "content": _text(entry.content),
            "tool_call_id": entry.call_id,
            "name": entry.function,
        }
    name = "reason" if entry.kind == Kind.HEARTBEAT else "message"
    package = {"type": entry.kind.value, name: entry.content, "time": entry.time.isoformat()}
    return base | {"role": "user", "content": _text(json.dumps(package, ensure_ascii=False))}


def _letta_calls(calls: Iterable[CallFile]) -> Iterator[Json]:
    for call in calls:
        yield {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _text(text: str) -> list[Json]:
    return [{"type": "text", "text": text}] if text else []
