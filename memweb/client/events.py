"""What happens to an agent, as it happens, through whichever door."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from memweb.client.messages import Message
from memweb.client.results import Change, Result


class WaitingMessage(Result):
    """A message that the agent has not begun with."""

    id: str
    content: str


class State(Result):
    """How things are; the first event of a stream. Go on after `last_seq`; another `version` means: look anew."""

    event: Literal["state"] = Field("state", repr=False)
    last_seq: int = 0
    version: int = 0
    running: bool = False
    run_id: str | None = None
    waiting: tuple[WaitingMessage, ...] = ()


class MessageAdded(Result):
    """A message was kept."""

    event: Literal["message"] = Field("message", repr=False)
    seq: int
    message: Message


class MemoryEdited(Result):
    """The agent edited a block of core memory; `change` has the words."""

    event: Literal["memory_edit"] = Field("memory_edit", repr=False)
    seq: int
    block_id: str = ""
    label: str = ""
    change: Change = ()


class Notice(Result):
    """Something that a person should know: why a run failed, for one."""

    event: Literal["notice"] = Field("notice", repr=False)
    seq: int
    text: str
    failed: bool = False
    run_id: str | None = None


class StepBegan(Result):
    """The model is asked."""

    event: Literal["step"] = Field("step", repr=False)
    run_id: str
    step: int


class Delta(Result):
    """Words of a step that is not kept yet. `part` is thinking, call or reply; they begin in it at `offset`."""

    event: Literal["delta"] = Field("delta", repr=False)
    run_id: str
    step: int
    part: str
    offset: int
    text: str


class Dropped(Result):
    """The words so far of that step are void: it was kept, or is tried again."""

    event: Literal["dropped"] = Field("dropped", repr=False)
    run_id: str
    step: int


class RunChanged(Result):
    """A run goes its way: `status` is queued, running, waiting (for a person: see `list_asked_calls`), done,
    stopped or failed."""

    event: Literal["run"] = Field("run", repr=False)
    run_id: str
    status: str


class WaitingChanged(Result):
    """Other messages are waiting than before."""

    event: Literal["waiting"] = Field("waiting", repr=False)
    messages: tuple[WaitingMessage, ...] = ()


class Cut(Result):
    """Everything from `from_seq` to `to_seq` was taken back."""

    event: Literal["cut"] = Field("cut", repr=False)
    from_seq: int
    to_seq: int
    version: int = 0


class Edited(Result):
    """A message reads otherwise now, as `messages` tell."""

    event: Literal["edited"] = Field("edited", repr=False)
    message_id: str
    version: int = 0
    messages: tuple[Message, ...] = ()


class Gone(Result):
    """The agent was deleted; the last event of a stream."""

    event: Literal["gone"] = Field("gone", repr=False)


Event = (
    State
    | MessageAdded
    | MemoryEdited
    | Notice
    | StepBegan
    | Delta
    | Dropped
    | RunChanged
    | WaitingChanged
    | Cut
    | Edited
    | Gone
)

_READER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
_KNOWN = {kind.model_fields["event"].default for kind in Event.__args__}


def read_event(value: dict[str, Any]) -> Event | None:
    """An event of the server's JSON; None for a kind that this client does not know."""
    return _READER.validate_python(value) if value.get("event") in _KNOWN else None
