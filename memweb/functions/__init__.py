"""Functions of your own: what a module in MEMWEB_HOME/functions/ or a package imports.

    from memweb.functions import function

    @function()
    def weather(city: str) -> str:
        '''What the weather is like.

        Args:
            city: Its name in English.
        '''
        return "Sunny."

Types and docstring become what the model is told. `async def` works too. Each call runs in a process of its own, which
memweb ends when the time is over; what the function returns, or the error it raises, is what the model reads. A first
parameter with the type `Call` gets to know who calls. Nothing here knows Django or the rest of memweb.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from memweb.functions.signature import Signature, signature_of

__all__ = ["Call", "OwnFunction", "function"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what model servers allow
LONGEST_TIME = 3600  # seconds

Body = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """Who calls. `id` is another one for each call, and the same if memweb tries that call again."""

    id: str
    agent: str
    agent_id: str
    person: str


@dataclass(frozen=True)
class OwnFunction:
    """A function as its module wrote it down. `time_limit` is in seconds."""

    body: Body
    signature: Signature
    wants_call: bool
    idempotent: bool
    ask_first: bool
    time_limit: float


_found: dict[str, OwnFunction] = {}


def function(*, idempotent: bool = False, ask_first: bool = False, time_limit: float = 60) -> Callable[[Body], Body]:
    """Offer a function to agents. `idempotent`: calling it twice does no more than once, so that memweb may call it
    again where it cannot know whether a call came to its end. `ask_first`: a person has to say yes to each call, unless
    they decide otherwise for an agent.

    Raises ValueError for a name that models cannot be told, a name that there is already, or a time limit out of range.
    """
    if not 0 < time_limit <= LONGEST_TIME:
        raise ValueError(f"time_limit is from 1 to {LONGEST_TIME} seconds, not {time_limit}")

    def offer(body: Body) -> Body:
        name = body.__name__
        if not NAME.fullmatch(name):
            raise ValueError(f"“{name}”: a function's name has up to 64 letters of English, digits and underscores")
        if name in _found:
            raise ValueError(f"There are two functions “{name}” in the module")
        hints = list(get_type_hints(body).values())
        wants_call = bool(hints) and hints[0] is Call
        signature = signature_of(body, heartbeat_default=True, first=1 if wants_call else 0)
        _found[name] = OwnFunction(body, signature, wants_call, idempotent, ask_first, time_limit)
        return body

    return offer


def found() -> dict[str, OwnFunction]:
    """All that were offered in this process, by name."""
    return dict(_found)
