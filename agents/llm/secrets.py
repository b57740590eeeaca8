"""What a connection keeps sealed: the key and further headers."""

import json
from dataclasses import dataclass, field
from typing import Self

from agents.sealing import seal, unseal

SHORTEST_SECRET = 6  # characters; a shorter text is found everywhere
HIDDEN = "•••"


@dataclass(frozen=True)
class Secrets:
    """A key, empty where the server wants none, and headers with their values."""

    key: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, sealed: str) -> Self:
        """As they were sealed. Raises Unreadable."""
        kept = json.loads(unseal(sealed))
        return cls(kept["key"], tuple(kept["headers"].items()))

    def sealed(self) -> str:
        """As they may be stored; empty if there are none."""
        if not (self.key or self.headers):
            return ""
        return seal(json.dumps({"key": self.key, "headers": dict(self.headers)}))

    def hide(self, text: str) -> str:
        """The text without them: servers quote in their errors what was sent to them."""
        for secret in (self.key, *(value for _name, value in self.headers)):
            for part in {secret, *secret.split()}:
                if len(part) >= SHORTEST_SECRET:
                    text = _without(text.replace(part, HIDDEN), part)
        return text


def _without(text: str, secret: str) -> str:
    """Without the beginning of a secret at its end: a long text was cut there."""
    for length in range(len(secret) - 1, SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + HIDDEN
    return text
