"""What the engine tells whoever listens. Sent on commit through `bus`; delivery may fail, the database is the truth.

Event
├── MessagesAdded       the timeline grew: read on from your last seq
├── WaitingChanged      messages that wait for a run came or went
├── RunChanged          a run was queued, started, ended, waits for a person
├── CallsAsked          calls wait for a person's yes, or no longer
├── StepStarted ┐
├── DraftDelta  ├       what the model is writing now, not yet committed
├── DraftDropped┘
├── TimelineCut         the timeline ends earlier: everything from a seq on was taken back
├── MessageEdited       a message in the timeline reads otherwise now
├── BlockChanged        a core memory block has another text or other settings
├── BlocksChanged       an agent's blocks came, went or changed places
├── ContextChanged      the prompt is another one: gauge, queue, summary
├── PassagesChanged     an archive gained or lost passages
├── DocumentChanged     a document's progress or status
├── AgentsChanged       an agent was made, renamed or deleted
└── PersonChanged       the person logged out somewhere, or their account is another: may they still listen?
"""

from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

DraftPart = Literal["thinking", "call", "reply"]


@dataclass(frozen=True)
class Event:
    """What every event is: its fields are plain JSON types."""

    @property
    def replaces(self) -> Hashable | None:
        """Of events that wait to be sent together, only the last with the same key counts; None: each counts.

        Most events say that a state is another one now, which their reader then reads.
        """
        return type(self).__name__

    def payload(self) -> dict[str, Any]:
        """The event as it is sent: its fields, with its class's name under `event`."""
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True)
class Occurrence(Event):
    """What every event is that tells something by itself."""

    @property
    def replaces(self) -> None:
        """Nothing."""
        return


def newest(events: Iterable[Event]) -> list[Event]:
    """Those of `events` that count, in their order."""
    latest: dict[Hashable, Event] = {}
    for number, event in enumerate(events):
        key = event.replaces
        if key is not None:
            latest.pop(key, None)
        latest[number if key is None else key] = event
    return list(latest.values())


def event_of(payload: dict[str, Any]) -> Event:
    """The event that was sent as this payload. Raises KeyError for a class that is not in this file."""
    fields = dict(payload)
    return classes()[fields.pop("event")](**fields)


@cache
def classes() -> dict[str, type[Event]]:
    """Every event class of this file by its name."""
    every = (*Event.__subclasses__(), *Occurrence.__subclasses__())
    return {event.__name__: event for event in every if event is not Occurrence}


@dataclass(frozen=True)
class MessagesAdded(Event):
    """The timeline grew up to `last_seq`."""

    last_seq: int


@dataclass(frozen=True)
class WaitingChanged(Event):
    """Messages that wait for a run came or went."""


@dataclass(frozen=True)
class RunChanged(Event):
    """A run was queued, started or ended, or waits for a person."""

    run: int
    status: str


@dataclass(frozen=True)
class CallsAsked(Event):
    """A call waits for a person's yes or no, or has it."""


@dataclass(frozen=True)
class StepStarted(Occurrence):
    """The model is asked."""

    run: int
    step: int


@dataclass(frozen=True)
class DraftDelta(Occurrence):
    """`text` goes at character `offset` of `part`, so that a reader notices a gap."""

    run: int
    step: int
    part: DraftPart
    offset: int
    text: str


@dataclass(frozen=True)
class DraftDropped(Occurrence):
    """The draft is void: the step is tried again, or ended without a message."""

    run: int
    step: int


@dataclass(frozen=True)
class TimelineCut(Occurrence):
    """`version` is the agent's timeline version now: a page that has another missed something and starts anew.

    What came after `to_seq` stays: an answer to an edited message may reach a page before the cut does.
    """

    from_seq: int
    to_seq: int
    version: int


@dataclass(frozen=True)
class MessageEdited(Occurrence):
    """A message in the timeline reads otherwise now; `version` as in TimelineCut."""

    message: int
    version: int


@dataclass(frozen=True)
class BlocksChanged(Event):
    """An agent's blocks came, went or changed places."""


@dataclass(frozen=True)
class BlockChanged(Event):
    """A block has another text or other settings."""

    block: int
    label: str

    @property
    def replaces(self) -> Hashable:
        """Other news of the same block."""
        return type(self).__name__, self.block


@dataclass(frozen=True)
class ContextChanged(Event):
    """The prompt is another one. `gauge` holds its figures where they are at hand, as after a step; else ask for them.

    It is `{"sections": [[name, tokens], ...], "used", "window", "warning", "flush"}`, in tokens.
    """

    gauge: dict[str, Any] | None = None


@dataclass(frozen=True)
class PassagesChanged(Event):
    """An archive gained or lost passages."""

    archive: int


@dataclass(frozen=True)
class DocumentChanged(Event):
    """A document's progress or status."""

    document: int


@dataclass(frozen=True)
class AgentsChanged(Event):
    """An agent was made, renamed or deleted."""


@dataclass(frozen=True)
class PersonChanged(Event):
    """The person logged out somewhere, or their account changed: a listener must see whether it may go on."""
