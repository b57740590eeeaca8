"""Bounds on websockets: how many one person has open, and how much each may say. A page that behaves meets neither."""

from collections import Counter
from time import monotonic

from agents.telemetry import metrics

MOST_SOCKETS = 120  # of one person, in one web process
BURST, A_SECOND = 60, 10.0  # messages of one socket: at once, and then

_open: Counter[int] = Counter()


class Place:
    """One socket among those of its person."""

    def __init__(self, person_id: int) -> None:
        self.person_id = person_id
        self.left, self.spoke_at = float(BURST), monotonic()
        _open[person_id] += 1
        metrics.websockets_changed(1)

    @classmethod
    def taken_by(cls, person_id: int) -> "Place | None":
        """None if the person has no more."""
        return cls(person_id) if _open[person_id] < MOST_SOCKETS else None

    def leave(self) -> None:
        """The socket is closed."""
        _open[self.person_id] -= 1
        metrics.websockets_changed(-1)
        if _open[self.person_id] <= 0:
            del _open[self.person_id]

    def may_speak(self) -> bool:
        """Whether one more message is no flood."""
        now = monotonic()
        self.left = min(BURST, self.left + (now - self.spoke_at) * A_SECOND)
        self.spoke_at = now
        self.left -= 1
        return self.left >= 0
