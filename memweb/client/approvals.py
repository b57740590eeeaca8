"""Calls that wait for a person's yes."""

from memweb.client.results import AskedCall
from memweb.client.steps import Steps, ask, get, new_key, path, post, read_as


def list_asked_calls(agent_id: str) -> Steps[list[AskedCall]]:
    """The calls that the agent may not make by itself, the oldest first."""
    return read_as(list[AskedCall], (yield from ask(get(path("agents", agent_id, "asked")))))


def allow_call(*, agent_id: str, number: int, always: bool = False) -> Steps[list[AskedCall]]:
    """Say yes; `always`: and to all later calls of it. What still waits. Raises NotNow if it was decided."""
    body = {"number": number, "approve": True, "always": always}
    return read_as(list[AskedCall], (yield from ask(post(path("agents", agent_id, "asked"), body, key=new_key()))))


def deny_call(*, agent_id: str, number: int, reason: str = "") -> Steps[list[AskedCall]]:
    """Say no; the agent reads the reason. What still waits. Raises NotNow if it was decided."""
    body = {"number": number, "approve": False, "reason": reason}
    return read_as(list[AskedCall], (yield from ask(post(path("agents", agent_id, "asked"), body, key=new_key()))))
