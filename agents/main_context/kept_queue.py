"""The queues that this process compiled lately: a step reads only what was added since, not its whole window again.

Messages in the timeline change only with the agent's `timeline_version`, and leave the queue only with its
`queue_start`; while both stay the same, a queue grows at its end. Nothing is kept of a transaction, which could be
undone.
"""

import threading
from collections import OrderedDict
from uuid import UUID

from django.db import connection

from agents.models import Agent, Message

MOST_KEPT = 5000  # messages of all queues together: some 10 MB
# As `fifo_queue.messages_of` asks, written out: composing it took longer than the whole rest of a step's compiling.
COLUMNS = ", ".join(str(f.column) for f in Message._meta.concrete_fields if f.name not in Message.SEARCH_COLUMNS)
NEW_SQL = f"""
    SELECT {COLUMNS} FROM agents_message
    WHERE agent_id = %s AND seq > %s AND retracted_at IS NULL AND kind <> '{Message.Kind.NOTICE}' ORDER BY seq
"""

Version = tuple[int, int]

_queues: OrderedDict[UUID, tuple[Version, list[Message]]] = OrderedDict()  # the one used last is at the end
_changing = threading.Lock()


def messages_of(agent: Agent) -> list[Message]:
    """The queue as `fifo_queue.messages_of` reads it, oldest first. One query, for the messages that are new here."""
    version = (agent.queue_start, agent.timeline_version)
    with _changing:
        kept_version, kept = _queues.get(agent.pk, (version, []))
    if kept_version != version:
        kept = []
    last = kept[-1].seq if kept else agent.queue_start - 1
    messages = [*kept, *Message.objects.raw(NEW_SQL, [agent.pk, last])]
    if not connection.in_atomic_block:
        _keep(agent.pk, version, messages)
    return list(messages)


def _keep(agent_id: UUID, version: Version, messages: list[Message]) -> None:
    with _changing:
        _queues[agent_id] = version, messages
        _queues.move_to_end(agent_id)
        kept = sum(len(messages) for _version, messages in _queues.values())
        while kept > MOST_KEPT:
            _agent_id, (_version, dropped) = _queues.popitem(last=False)
            kept -= len(dropped)
