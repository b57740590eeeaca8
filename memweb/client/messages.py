"""Messages, the pieces of a streamed answer, and a whole answer."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from memweb.client.results import Result

EVERY_CALLS = frozenset({"inner_thoughts", "request_heartbeat"})  # arguments
FINE = frozenset({"end_turn", "tool_rule", "max_steps", "cancelled"})  # stop reasons that are no failure


def _text(value: Any) -> Any:
    """Content may come as a text or as parts."""
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value if isinstance(part, dict))
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_text)]


class _Message(Result):
    id: str = Field("", validation_alias=AliasChoices("id", "message_id"))
    date: datetime | None = Field(None, repr=False, validation_alias=AliasChoices("date", "created_at"))
    run_id: str | None = Field(None, repr=False)
    step_id: str | None = Field(None, repr=False)


class UserMessage(_Message):
    """What a person said."""

    text: Text = Field("", validation_alias=AliasChoices("text", "content"))

    def __str__(self) -> str:
        return f"> {self.text}"


class Thought(_Message):
    """Inner monologue."""

    text: Text = Field("", validation_alias=AliasChoices("text", "reasoning"))

    def __str__(self) -> str:
        return f"({self.text})"


class FunctionCall(_Message):
    """A function that the agent calls. `arguments` is JSON text, as the model wrote it; `given` what it says."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, value: Any) -> Any:
        call = value.get("tool_call") if isinstance(value, dict) else None
        if not isinstance(call, dict):
            return value
        told = {"call_id": call.get("tool_call_id"), "name": call.get("name"), "arguments": call.get("arguments")}
        return {**value, **{name: part or "" for name, part in told.items()}}

    @property
    def given(self) -> dict[str, Any]:
        """The arguments, but for the thoughts and the heartbeat that every call has; none while they still come."""
        try:
            arguments = json.loads(self.arguments)
        except ValueError:
            return {}
        if not isinstance(arguments, dict):
            return {}
        return {name: value for name, value in arguments.items() if name not in EVERY_CALLS}

    def __str__(self) -> str:
        return f"→ {self.name} {json.dumps(self.given, ensure_ascii=False)}"


class FunctionResult(_Message):
    """What a call came to; `status` is success or error."""

    call_id: str = Field("", validation_alias=AliasChoices("call_id", "tool_call_id"))
    name: str | None = None
    status: str = "success"
    text: Text = Field("", validation_alias=AliasChoices("text", "tool_return"))

    def __str__(self) -> str:
        return f"{'←' if self.status == 'success' else '✗'} {self.text}"


class AgentMessage(_Message):
    """What the agent said to the person."""

    text: Text = Field("", validation_alias=AliasChoices("text", "content"))

    def __str__(self) -> str:
        return self.text


class SystemMessage(_Message):
    """What the system told the agent: instructions, an alert, a summary."""

    text: Text = Field("", validation_alias=AliasChoices("text", "content", "summary"))

    def __str__(self) -> str:
        return f"[{self.text}]"


class OtherMessage(_Message):
    """A message of a kind that this client does not know."""

    message_type: str = ""


KINDS = {
    "user_message": "user",
    "reasoning_message": "thought",
    "tool_call_message": "call",
    "tool_return_message": "result",
    "assistant_message": "agent",
    "system_message": "system",
    "summary_message": "system",
}
_CLASSES = {
    UserMessage: "user",
    Thought: "thought",
    FunctionCall: "call",
    FunctionResult: "result",
    AgentMessage: "agent",
    SystemMessage: "system",
}


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return KINDS.get(str(value.get("message_type")), "other")
    return _CLASSES.get(type(value), "other")


Message = Annotated[
    Annotated[UserMessage, Tag("user")]
    | Annotated[Thought, Tag("thought")]
    | Annotated[FunctionCall, Tag("call")]
    | Annotated[FunctionResult, Tag("result")]
    | Annotated[AgentMessage, Tag("agent")]
    | Annotated[SystemMessage, Tag("system")]
    | Annotated[OtherMessage, Tag("other")],
    Discriminator(_kind),
]
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)


class Usage(Result):
    """What an answer took, in tokens and steps."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    step_count: int = 0
    run_ids: Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())] = ()


class Stopped(Result):
    """Why a streamed answer ended."""

    reason: str = Field(validation_alias=AliasChoices("reason", "stop_reason"))


class Failed(Result):
    """Why a streamed answer failed, in a sentence."""

    text: str = Field("", validation_alias=AliasChoices("text", "message"))
    run_id: str | None = None


Piece = (
    UserMessage
    | Thought
    | FunctionCall
    | FunctionResult
    | AgentMessage
    | SystemMessage
    | OtherMessage
    | Failed
    | Stopped
    | Usage
)


class Reply(Result):
    """A whole answer: what was thought, called and said; `error` tells why it failed. Printed, it is a talk."""

    messages: tuple[Message, ...] = ()
    stop_reason: str = ""
    error: str = ""
    usage: Usage = Field(default_factory=Usage)
    run_id: str = ""

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("stop_reason"), dict):
            return value
        runs = (value.get("usage") or {}).get("run_ids") or [""]
        told = value["stop_reason"]
        reason, error = told.get("stop_reason") or "", told.get("message") or ""
        return {**value, "stop_reason": reason, "error": error, "run_id": runs[0]}

    @property
    def failed(self) -> bool:
        """Whether the answer ended because something went wrong."""
        return self.stop_reason not in FINE

    @property
    def thoughts(self) -> tuple[str, ...]:
        """The inner monologue, step by step."""
        return tuple(message.text for message in self.messages if isinstance(message, Thought))

    @property
    def calls(self) -> tuple[tuple[FunctionCall, FunctionResult | None], ...]:
        """Each function that was called, with what it came to."""
        results = {message.call_id: message for message in self.messages if isinstance(message, FunctionResult)}
        called = (message for message in self.messages if isinstance(message, FunctionCall))
        return tuple((call, results.get(call.call_id)) for call in called)

    @property
    def text(self) -> str:
        """What was said to the person."""
        return "\n\n".join(message.text for message in self.messages if isinstance(message, AgentMessage))

    def __str__(self) -> str:
        lines = [str(message) for message in self.messages if not isinstance(message, OtherMessage)]
        return "\n".join([*lines, f"[{self.stop_reason}] {self.error}".strip()] if self.failed else lines)
