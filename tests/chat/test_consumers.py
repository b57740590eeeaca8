"""What a page is sent for each event of the engine."""

from agents.broadcast.events import ContextChanged, DraftDelta, MessagesAdded, TimelineCut, classes, event_of, newest
from chat.consumers import ANSWERS


def test_every_event_has_an_answer() -> None:
    assert set(ANSWERS) == set(classes().values())


def test_an_event_arrives_as_it_was_sent() -> None:
    event = TimelineCut(from_seq=3, to_seq=9, version=2)
    assert event_of(event.payload()) == event


def test_of_events_that_wait_together_the_newest_of_a_state_counts_and_each_delta() -> None:
    first, second = DraftDelta(1, 1, "reply", 0, "a"), DraftDelta(1, 1, "reply", 1, "b")
    events = [MessagesAdded(1), first, ContextChanged(), MessagesAdded(2), second]
    assert newest(events) == [first, ContextChanged(), MessagesAdded(2), second]
