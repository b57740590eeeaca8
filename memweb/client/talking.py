"""Messages to an agent, what it answers, what happens to it, and what was said before."""

from dataclasses import replace
from typing import Any

from memweb.client.events import Event, Gone, read_event
from memweb.client.messages import KINDS, MESSAGE, Failed, Message, Piece, Reply, Stopped, Usage
from memweb.client.results import Run
from memweb.client.steps import Request, Steps, ask, get, new_key, path, post, read_as
from memweb.client.streams import Stream


def user_message(*, agent_id: str, message: str, key: str = "") -> Steps[Reply]:
    """Say something and wait for the whole answer.

    A lost connection is mended without saying it twice. With a `key` of your own the same holds for a program that was
    started again: the message of that key is said once, and its answer returned each time.
    """
    return read_as(Reply, (yield from ask(_said(message, key, path("agents", agent_id, "messages")))))


def send_message(*, agent_id: str, message: str, key: str = "") -> Steps[Run]:
    """Say something and do not wait: `wait_for_run` or `events` tell what comes of it."""
    return read_as(Run, (yield from ask(_said(message, key, path("agents", agent_id, "messages", "async")))))


def stream_message(*, agent_id: str, message: str, tokens: bool = True, key: str = "") -> Stream[Piece]:
    """Say something and get the answer as it comes: messages, then Stopped and Usage; Failed where it failed.

    With `tokens` a text comes in pieces; all pieces of one message have its id.
    """
    request = _said(message, key, path("agents", agent_id, "messages", "stream"), stream_tokens=tokens)
    return Stream(replace(request, streamed=True), _piece)


def _said(message: str, key: str, address: str, **more: Any) -> Request:
    key = key or new_key()
    return post(address, {"messages": [{"role": "user", "content": message, "otid": key}], **more}, key=key)


def _piece(event: dict[str, Any]) -> Piece | None:
    kind = event.get("message_type")
    if kind in KINDS:
        return MESSAGE.validate_python(event)
    others: dict[Any, type[Failed | Stopped | Usage]] = {
        "error_message": Failed,
        "stop_reason": Stopped,
        "usage_statistics": Usage,
    }
    return others[kind].model_validate(event) if kind in others else None


def events(agent_id: str, *, after: int | None = None) -> Stream[Event]:
    """What happens to an agent, from whichever door, without end; the first is a State.

    With `after` what was kept since that `seq` comes first, so that nothing is missed between two connections.
    """
    params = {} if after is None else {"after": after}
    request = Request(method="GET", path=path("agents", agent_id, "events"), params=params, streamed=True)
    return Stream(request, read_event, lambda event: isinstance(event, Gone))


def recent_messages(agent_id: str, *, limit: int = 20) -> Steps[list[Message]]:
    """The last messages of the conversation, the oldest first."""
    rows = yield from ask(get(path("agents", agent_id, "messages"), limit=limit, order="desc"))
    return read_as(list[Message], list(reversed(rows)))


def search_messages(*, agent_id: str, query: str, limit: int = 10) -> Steps[list[Message]]:
    """Search everything that was ever said, by meaning and by words; the best first."""
    rows = yield from ask(post(path("messages", "search"), {"agent_id": agent_id, "query": query, "limit": limit}))
    return read_as(list[Message], rows)
