"""The recursive summary: old summary and evicted messages in, new summary out (paper section 2.2)."""

from collections import deque
from collections.abc import Collection, Iterator

from django.db import transaction
from django.utils.translation import gettext as _

from agents import dispatch
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged
from agents.exceptions import LLMError
from agents.llm import gateway
from agents.llm.gateway import ModelConfig
from agents.llm.types import SEND_MESSAGE
from agents.locks import PLACE_PAUSE, place_of, try_lock
from agents.main_context import fifo_queue
from agents.models import Agent, Message, Summary
from agents.prompts import SUMMARIZE
from agents.text import framing, tokens

MOST_WORDS = 250
SHARE_OF_WINDOW = 0.10  # what the summary may take of a small window
LINE_LIMIT = 4000  # characters of one message
AT_ONCE = 2  # summaries of one person: others must not wait for their endpoint


def write(agent: Agent, covers_to: int, *, config: ModelConfig, searches: Collection[str]) -> Summary | None:
    """Summarise everything below seq `covers_to`, in as many model calls as its length needs, and adopt the result.

    `searches` are the functions whose results are part of what is summarised. None if another worker is at it or it is
    done already. Raises LLMError; nothing is lost then, it can be asked again.
    """
    place = place_of(agent.owner_id, "summary", at_once=AT_ONCE)
    with try_lock(f"summary {agent.pk}") as acquired, place as free:
        if acquired and not free:
            dispatch.summarize(agent.pk, covers_to, delay=PLACE_PAUSE)
        return _write(agent, covers_to, config, searches) if acquired and free else None


def _write(agent: Agent, covers_to: int, config: ModelConfig, searches: Collection[str]) -> Summary | None:
    last = agent.summaries.order_by("-covers_to").first()
    if last and last.covers_to >= covers_to:
        adopt(agent, last)
        return None
    start = last.covers_to if last else 0
    messages = fifo_queue.messages_of(agent, queue_start=start, last_seq=covers_to - 1)
    lines = [line for message in messages if (line := _line(message, searches))]
    text = last.text if last else ""
    words = min(MOST_WORDS, int(config.context_window * SHARE_OF_WINDOW * 0.6))
    for batch in _batches(lines, room=config.context_window // 2):
        request = _request(text, batch, words)
        text = gateway.complete(request, config, max_tokens=words * 3, check=lambda: None)
        if not text:
            raise LLMError(_("The model gave no summary."), retryable=True)
    with transaction.atomic():
        now = Agent.objects.select_for_update(no_key=True).filter(pk=agent.pk).only("timeline_version").first()
        if now is None or now.timeline_version != agent.timeline_version:
            return None  # what it tells of was taken back meanwhile; the reaper asks for another if one is needed
        summary = Summary.objects.create(agent=agent, text=text, covers_to=covers_to, tokens=tokens.count(text))
        adopt(agent, summary)
    return summary


def adopt(agent: Agent, summary: Summary) -> None:
    """Put a summary that came after its messages had left at the head of the queue. Locks the agent's row."""
    with transaction.atomic():
        locked = Agent.objects.select_for_update(no_key=True).select_related(None).get(pk=agent.pk)
        newer = locked.summary is None or locked.summary.covers_to < summary.covers_to
        if newer and summary.covers_to <= locked.queue_start:
            locked.summary = summary
            locked.save(update_fields=["summary"])
            bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())


def _batches(lines: list[str], *, room: int) -> Iterator[list[str]]:
    """The lines in their order, in batches of at most `room` tokens; a longer line is a batch of its own."""
    left = deque((line, tokens.count(line)) for line in lines)
    while left:
        line, spent = left.popleft()
        batch = [line]
        while left and spent + left[0][1] <= room:
            line, cost = left.popleft()
            batch.append(line)
            spent += cost
        yield batch


def _request(summary: str, lines: list[str], words: int) -> list[dict[str, str]]:
    parts = [f"Summary so far:\n{framing.indented(summary)}"] if summary else []
    parts.append("Messages that leave the window:\n" + "\n".join(lines))
    return [
        {"role": "system", "content": SUMMARIZE.format(words=words)},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


def _line(message: Message, searches: Collection[str]) -> str:
    """A message as a line to be summarised; empty for what says nothing of the conversation."""
    if message.kind == Message.Kind.USER_MESSAGE:
        return f"Person: {framing.continued(message.content[:LINE_LIMIT])}"
    if message.kind == Message.Kind.ASSISTANT:
        calls = "".join(f" [{c['name']} {c['arguments'][:300]}]" for c in message.calls if c["name"] != SEND_MESSAGE)
        reply = f"Agent: {framing.continued(message.content[:LINE_LIMIT])}" if message.content else "Agent:"
        return f"{reply}{calls}" if message.content or calls else ""
    if message.kind == Message.Kind.FUNCTION_RESULT and message.function in searches:
        return f"Found: {message.content[:1000]}"
    return ""
