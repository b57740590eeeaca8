"""What a page is sent for each event of the engine."""

from agents.broadcast.events import Event, TimelineCut, event_of
from chat.consumers import ANSWERS


def test_every_event_has_an_answer() -> None:
    assert set(ANSWERS) == set(Event.__subclasses__())


def test_an_event_arrives_as_it_was_sent() -> None:
    event = TimelineCut(from_seq=3, to_seq=9, version=2)
    assert event_of(event.payload()) == event
