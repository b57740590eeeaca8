"""Compiling the main context: the prompt, the gauge and the "exact prompt" view are this one list of sections."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.llm.types import ChatMessage, FunctionSchema, Prompt, Section
from agents.main_context import fifo_queue, kept_queue, working_context
from agents.models import Agent, Block, Message, PromptPrefix, Step
from agents.prompts import TIME_ZONE
from agents.text import tokens

THOUGHTS_TOKENS = 30  # `inner_thoughts` in each schema
LEAST_QUEUE = 200  # tokens
MOST_PREFIXES = 1000  # whose ids a process remembers


@dataclass(frozen=True)
class MainContext:
    """A compiled prompt and the rows it was made of."""

    prompt: Prompt
    blocks: list[Block]
    messages: list[Message]

    @property
    def fixed_tokens(self) -> int:
        """Everything but the queue's messages."""
        return sum(section.tokens for section in self.prompt.sections if section.name != "queue")

    @property
    def uncut_tokens(self) -> int:
        """The prompt with every queued message whole, and the newest pictures: what the queue manager steers by."""
        texts = sum(message.tokens for message in self.messages)
        return self.fixed_tokens + texts + fifo_queue.picture_tokens(self.messages)

    @property
    def last_seq(self) -> int:
        """Seq of the newest message in it; 0 if there is none."""
        return self.messages[-1].seq or 0 if self.messages else 0


def compile(
    agent: Agent,
    *,
    functions: tuple[FunctionSchema, ...],
    budget: int,
    event: Message | None = None,
    server: str = "",
) -> MainContext:
    """The prompt for the next step, in at most `budget` tokens unless the fixed sections alone are larger.

    `event`, what the run is about, stays in view even when a long run has pushed it out of the queue. `server` (as
    `ModelConfig.server`) is sent back what it wants back.

    Three queries. Nothing before the queue changes from turn to turn, so a provider's prompt cache hits.
    """
    blocks = working_context.blocks_of(agent)
    messages = kept_queue.messages_of(agent)
    if event and event.seq and event.seq < agent.queue_start:
        messages.insert(0, event)
    fixed = _fixed_sections(agent, blocks, functions)
    texts = {section.name: section.text for section in fixed}
    queue, queue_section = _queue(messages, fixed, budget)
    queue, queue_section = _with_pictures(queue, messages, fixed, queue_section, budget)
    if server:
        room = budget - sum(section.tokens for section in (*fixed, queue_section))
        queue, given_back = fifo_queue.with_state(queue, messages, server, event.run_id if event else None, room)
        queue_section = replace(queue_section, tokens=queue_section.tokens + given_back)
    prompt = Prompt(
        system=_system(texts["system_instructions"], texts["core_memory"]),
        blocks=working_context.prompt_blocks(blocks),
        summary=texts["summary"],
        queue=queue,
        functions=functions,
        sections=(*fixed, queue_section),
    )
    return MainContext(prompt, blocks, messages)


def fixed_tokens(agent: Agent, functions: tuple[FunctionSchema, ...]) -> int:
    """What stands before the queue's messages costs. One query, whatever the queue's length."""
    return sum(section.tokens for section in _fixed_sections(agent, working_context.blocks_of(agent), functions))


def core_memory_tokens(agent: Agent) -> int:
    """What core memory costs as it is now. One query."""
    return _section("core_memory", working_context.render(working_context.blocks_of(agent))).tokens


def _fixed_sections(agent: Agent, blocks: list[Block], functions: tuple[FunctionSchema, ...]) -> list[Section]:
    return [
        _section("system_instructions", _instructions(agent)),
        Section("functions", _functions_text(functions), functions_tokens(functions)),
        _section("core_memory", working_context.render(blocks)),
        _section("summary", fifo_queue.summary_text(agent.summary, agent.queue_start)),
    ]


def prefix_of(agent: Agent, context: MainContext) -> PromptPrefix:
    """What stands before the queue, stored once for all steps that share it. No query for one this process has met
    lately, one for others, two for a new one."""
    texts = {section.name: section.text for section in context.prompt.sections}
    parts = {
        "system_instructions": texts["system_instructions"],
        "core_memory": texts["core_memory"],
        "summary": texts["summary"],
        "functions": [{**vars(function)} for function in context.prompt.functions],
    }
    sha256 = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    key = f"{agent.pk} {sha256}"
    if (pk := _prefixes.get(key)) is None:
        pk = PromptPrefix.objects.get_or_create(agent=agent, sha256=sha256, defaults=parts)[0].pk
        transaction.on_commit(lambda: _remember_prefix(key, pk))
    return PromptPrefix(pk=pk, agent=agent, sha256=sha256, **parts)


_prefixes: dict[str, int] = {}  # ids of committed rows, by agent and SHA-256


def _remember_prefix(key: str, pk: int) -> None:
    if len(_prefixes) >= MOST_PREFIXES:
        _prefixes.clear()
    _prefixes[key] = pk


def recompile(step: Step) -> Prompt | None:
    """The very prompt that a past step was shown, without `blocks`; None for a step that kept no prefix. Three queries.

    Messages taken back or edited since are shown as they were.
    """
    prefix, agent = step.prefix, step.run.agent
    if prefix is None:
        return None
    event = step.run.event
    in_view = Q(seq__gte=step.queue_start, seq__lte=step.last_seq)
    if event and event.seq and event.seq < step.queue_start:
        in_view |= Q(pk=event.pk)
    messages = fifo_queue.messages_then(agent, step.created_at, in_view)
    functions = tuple(FunctionSchema(**function) for function in prefix.functions)
    texts = {
        "system_instructions": prefix.system_instructions,
        "functions": _functions_text(functions),
        "core_memory": prefix.core_memory,
        "summary": prefix.summary,
    }
    counted = dict(step.sections)
    fixed = [Section(name, text, counted.get(name, 0)) for name, text in texts.items()]
    queue, queue_section = _queue(messages, fixed, step.flush_mark)
    queue, queue_section = _with_pictures(queue, messages, fixed, queue_section, step.flush_mark)
    return Prompt(
        system=_system(prefix.system_instructions, prefix.core_memory),
        blocks=(),
        summary=prefix.summary,
        queue=queue,
        functions=functions,
        sections=(*fixed, queue_section),
    )


def _instructions(agent: Agent) -> str:
    """The agent's own, and the zone of the stamps in the queue, which changes only when the person goes elsewhere."""
    zone = TIME_ZONE.format(zone=timezone.get_current_timezone_name())
    return f"{agent.system_instructions}\n\n{zone}"


def _system(instructions: str, core: str) -> str:
    return f"{instructions}\n\n{core}"


def _queue(messages: list[Message], fixed: list[Section], budget: int) -> tuple[tuple[ChatMessage, ...], Section]:
    """The messages in chat form, cut only if they do not fit, and the section that they make."""
    room = max(budget - sum(section.tokens for section in fixed), LEAST_QUEUE)
    turns = [fifo_queue.wire(message) for message in messages]
    cost = sum(message.tokens for message in messages)
    if cost > room:
        turns = fifo_queue.fit(turns, room)
        cost = sum(map(fifo_queue.wire_tokens, turns))
    return tuple(turns), Section("queue", "", cost)


def _with_pictures(
    queue: tuple[ChatMessage, ...], messages: list[Message], fixed: list[Section], section: Section, budget: int
) -> tuple[tuple[ChatMessage, ...], Section]:
    if not any(message.pictures for message in messages):
        return queue, section
    room = budget - sum(each.tokens for each in (*fixed, section))
    queue, cost = fifo_queue.with_pictures(queue, messages, room)
    return queue, replace(section, tokens=section.tokens + cost)


def _section(name: str, text: str) -> Section:
    return Section(name, text, _counted(text) + tokens.MESSAGE_OVERHEAD if text else 0)


@lru_cache(maxsize=500)
def _counted(text: str) -> int:
    """Tokens of what stands before the queue: the same from step to step."""
    return tokens.count(text)


def _functions_text(functions: tuple[FunctionSchema, ...]) -> str:
    return "\n".join(
        json.dumps({"name": f.name, "description": f.description, "parameters": f.parameters}) for f in functions
    )


def functions_tokens(functions: tuple[FunctionSchema, ...]) -> int:
    """What these cost in every prompt."""
    return _counted(_functions_text(functions)) + THOUGHTS_TOKENS * len(functions)
