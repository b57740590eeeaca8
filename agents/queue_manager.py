"""The queue manager: who leaves the FIFO queue, when, and what is told about it (paper section 2.2).

    warning mark   70 % of the window    one system alert; a summary of what would leave is begun in the background
    flush mark     the window less the reply reserve    the oldest ~half of the queue leaves; the summary is swapped in

A run never waits for a summary: if none is ready at the flush mark, the old one stays until the new one arrives.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import tzinfo
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents import dispatch
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged, MessagesAdded
from agents.exceptions import LLMError
from agents.external_context import recall_storage
from agents.llm.gateway import ModelConfig
from agents.llm.types import FunctionSchema
from agents.main_context import fifo_queue
from agents.main_context.compile import MainContext, compile
from agents.models import Agent, Message
from agents.person import zone_or_default
from agents.prompts import MEMORY_PRESSURE
from agents.text.clean import storable

WARNING_SHARE = 0.70
TAKE_SEQS_SQL = """
    UPDATE agents_agent SET next_seq = next_seq + %s, last_active_at = %s WHERE id = %s
    RETURNING next_seq, (
        SELECT coalesce(nullif(chosen_zone, ''), browser_zone) FROM agents_preferences
        WHERE user_id = agents_agent.owner_id
    )
"""


@dataclass(frozen=True)
class Marks:
    """In tokens of the whole prompt."""

    window: int
    warning: int
    flush: int


def marks(config: ModelConfig) -> Marks:
    """Of a prompt for this model: the flush mark leaves room for the reply."""
    return marks_of(config.context_window, config.context_window - config.reply_reserve)


def marks_of(window: int, flush: int) -> Marks:
    """Of a window of so many tokens; `flush` 0 is the whole window."""
    return Marks(window, int(window * WARNING_SHARE), flush or window)


def append(agent: Agent, *messages: Message) -> None:
    """Put new messages at the end of the timeline, with the next seqs. Two statements; locks the agent's row until
    commit.

    A message that waited for its run is written by itself. Pages are told of the messages; that the prompt is another
    one is for the caller to tell.
    """
    with transaction.atomic(savepoint=False):
        agent.last_active_at = timezone.now()
        agent.next_seq, zone = _take_seqs(agent, len(messages))
        new = []
        for seq, message in enumerate(messages, start=agent.next_seq - len(messages)):
            message.agent, message.seq = agent, seq
            message.utc_offset = message.created_at.astimezone(zone).utcoffset()
            message.content, message.inner_monologue = storable(message.content), storable(message.inner_monologue)
            message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
            if message._state.adding:
                recall_storage.index_words(message)
                new.append(message)
            else:
                message.save(update_fields=["seq", "tokens", "run", "utc_offset"])
        Message.objects.bulk_create(new)
        bus.publish_on_commit(bus.agent_group(agent.pk), MessagesAdded(agent.next_seq - 1))


def _take_seqs(agent: Agent, count: int) -> tuple[int, tzinfo]:
    """The agent's next seq after `count` more are taken, and the zone its owner is in, whoever it is that appends."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_SEQS_SQL, [count, agent.last_active_at, agent.pk])
        next_seq, zone = cursor.fetchone()
    return next_seq, zone_or_default(zone)


def admit(
    agent: Agent, *, functions: tuple[FunctionSchema, ...], config: ModelConfig, event: Message | None = None
) -> MainContext:
    """The compiled prompt for the next step of the run about `event`, after whatever the marks demand.

    Never above the flush mark.

    Raises LLMError if the fixed sections alone leave no room.
    """
    limits = marks(config)

    def compiled() -> MainContext:
        return compile(agent, functions=functions, budget=limits.flush, event=event, server=config.server)

    context = compiled()
    while context.uncut_tokens > limits.flush and flush(agent, context.messages):
        context = compiled()
    if context.uncut_tokens >= limits.warning and not agent.pressure_alerted:
        _warn(agent, context, limits)
        context = compiled()
    if context.prompt.tokens > limits.flush:
        raise LLMError(
            _(
                "Instructions, functions and core memory fill the window of %(window)s tokens. "
                "Shorten a memory block or give the agent a larger context window."
            )
            % {"window": f"{limits.window:,}"}
        )
    return context


def flush(agent: Agent, messages: list[Message]) -> bool:
    """Evict the oldest part of the queue; true if anything left. A summary that is ready goes in at once."""
    with transaction.atomic():
        locked = Agent.objects.select_for_update(no_key=True)
        agent.refresh_from_db(fields=["queue_start", "summary"], from_queryset=locked)
        ready = agent.summaries.filter(covers_to__gt=agent.queue_start).order_by("covers_to").first()
        cut = ready.covers_to if ready else fifo_queue.eviction_cut(messages)
        if not cut or cut <= agent.queue_start:
            return False
        left = sum(1 for message in messages if agent.queue_start <= (message.seq or 0) < cut)
        agent.queue_start, agent.pressure_alerted = cut, False
        agent.summary = ready or agent.summary
        agent.save(update_fields=["queue_start", "pressure_alerted", "summary"])
        note = ngettext(
            "%(count)d message left the window. It stays in recall storage.",
            "%(count)d messages left the window. They stay in recall storage.",
            left,
        ) % {"count": left}
        append(agent, Message(kind=Message.Kind.NOTICE, content=note, created_at=timezone.now()))
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())
        if not ready:
            dispatch.summarize(agent.pk, cut)
    return True


def _warn(agent: Agent, context: MainContext, limits: Marks) -> None:
    percent = round(100 * context.uncut_tokens / limits.window)
    alert = Message(
        kind=Message.Kind.SYSTEM_ALERT,
        content=MEMORY_PRESSURE.format(percent=percent),
        created_at=timezone.now(),
    )
    with transaction.atomic():
        agent.pressure_alerted = True
        agent.save(update_fields=["pressure_alerted"])
        append(agent, alert)
        cut = fifo_queue.eviction_cut(context.messages)
        if cut:
            dispatch.summarize(agent.pk, cut)


def gauge_after(
    context: MainContext, config: ModelConfig, added: Sequence[Message], core_tokens: int
) -> dict[str, Any]:
    """The figures of the prompt that follows a step, as `ContextChanged` carries them. No query.

    They are those of the step's own prompt, with what was `added` to the queue, and with `core_tokens` of core memory
    as it is now.
    """
    limits = marks(config)
    tokens = {section.name: section.tokens for section in context.prompt.sections}
    tokens["core_memory"] = core_tokens
    tokens["queue"] += sum(message.tokens for message in added)
    shown = sum(tokens.values())
    uncut = shown + context.uncut_tokens - context.prompt.tokens
    used = min(uncut, max(shown, limits.flush))
    return {"sections": [list(section) for section in tokens.items()], "used": used, **asdict(limits)}
