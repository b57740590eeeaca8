"""Writing the recursive summary: old summary and evicted messages in, new summary out (paper section 2.2)."""

from collections.abc import Callable

from django.db import transaction
from django.utils.translation import gettext as _

from agents import tokens
from agents.exceptions import LLMError
from agents.llm import gateway
from agents.llm.gateway import ModelConfig
from agents.main_context import fifo_queue
from agents.models import Agent, Message, Summary
from agents.prompts import SUMMARIZE
from agents.queue_manager import adopt_summary
from agents.single import alone

MOST_WORDS = 250
SHARE_OF_WINDOW = 0.10  # what the summary may take of a small window
LINE_LIMIT = 4000  # characters of one message


def write(agent: Agent, covers_to: int, *, config: ModelConfig, check: Callable[[], None]) -> Summary | None:
    """Summarise everything below seq `covers_to`, in as many model calls as its length needs, and adopt the result.

    None if another worker is at it or it is done already. Raises LLMError; nothing is lost then, it can be asked again.
    """
    with alone(f"summary {agent.pk}") as first:
        return _write(agent, covers_to, config, check) if first else None


def _write(agent: Agent, covers_to: int, config: ModelConfig, check: Callable[[], None]) -> Summary | None:
    last = agent.summaries.order_by("-covers_to").first()
    if last and last.covers_to >= covers_to:
        adopt_summary(agent, last)
        return None
    start = last.covers_to if last else 0
    messages = [m for m in fifo_queue.messages_of(agent, queue_start=start, last_seq=covers_to - 1) if _line(m)]
    text = last.text if last else ""
    words = min(MOST_WORDS, int(config.context_window * SHARE_OF_WINDOW * 0.6))
    room = config.context_window // 2
    while messages:
        batch: list[str] = []
        spent = 0
        while messages and (not batch or spent + tokens.count(_line(messages[0])) <= room):
            spent += tokens.count(_line(messages[0]))
            batch.append(_line(messages.pop(0)))
        text = gateway.complete(_request(text, batch, words), config, max_tokens=words * 3, check=check)
        if not text:
            raise LLMError(_("The model gave no summary."), retryable=True)
    with transaction.atomic():
        now = Agent.objects.select_for_update(no_key=True).filter(pk=agent.pk).only("timeline_version").first()
        if now is None or now.timeline_version != agent.timeline_version:
            return None  # what it tells of was taken back meanwhile; the reaper asks for another if one is needed
        summary = Summary.objects.create(agent=agent, text=text, covers_to=covers_to, tokens=tokens.count(text))
        adopt_summary(agent, summary)
    return summary


def _request(summary: str, lines: list[str], words: int) -> list[dict[str, str]]:
    parts = [f"Summary so far:\n{summary}"] if summary else []
    parts.append("Messages that leave the window:\n" + "\n".join(lines))
    return [
        {"role": "system", "content": SUMMARIZE.format(words=words)},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


def _line(message: Message) -> str:
    """A message as a line to be summarised; empty for what says nothing of the conversation."""
    if message.kind == Message.Kind.USER_MESSAGE:
        return f"Person: {message.content[:LINE_LIMIT]}"
    if message.kind == Message.Kind.ASSISTANT:
        calls = "".join(f" [{c['name']} {c['arguments'][:300]}]" for c in message.calls if c["name"] != "send_message")
        said = f"Agent: {message.content[:LINE_LIMIT]}" if message.content else "Agent:"
        return f"{said}{calls}" if message.content or calls else ""
    if message.kind == Message.Kind.FUNCTION_RESULT and message.function.endswith("search"):
        return f"Found: {message.content[:1000]}"
    return ""
