"""What tests of calls that reach outside share: a worker that is struck, and what became of its calls."""

import json
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from agents import outside_calls
from agents.functions import installed
from agents.models import Agent, Message, OutsideCall

Kind = Message.Kind


class Killed(BaseException):
    """As if the worker were no more."""


def killed(point: str) -> AbstractContextManager[Any]:
    """Within it the worker is struck there, in the middle of a call."""
    call_it = installed.OutsideFunction.call

    def killed_after(self: installed.OutsideFunction, *arguments: str, **more: object) -> str:
        call_it(self, *arguments, **more)  # type: ignore[arg-type]
        raise Killed

    points: dict[str, AbstractContextManager[Any]] = {
        "before it begins": patch.object(outside_calls, "_begin", side_effect=Killed),
        "while it runs": patch.object(installed.OutsideFunction, "call", killed_after),
        "before its result is written": patch.object(outside_calls, "end", side_effect=Killed),
    }
    return points[point]


def results(agent: Agent) -> list[str]:
    """What its calls brought, in their order."""
    rows = agent.messages.filter(kind=Kind.FUNCTION_RESULT).order_by("seq")
    return [json.loads(row.content)["message"] for row in rows]


def answered_once(agent: Agent) -> bool:
    """Every call that the agent wrote has one result, and none is open."""
    asked = [one["id"] for row in agent.messages.filter(kind=Kind.ASSISTANT) for one in row.calls]
    given = list(agent.messages.filter(kind=Kind.FUNCTION_RESULT).values_list("call_id", flat=True))
    return sorted(asked) == sorted(given) and not OutsideCall.objects.filter(ended_at=None).exists()
