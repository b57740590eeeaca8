"""The main context as it is now, and as a past step saw it."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import QuerySet

from agents import queue_manager
from agents.functions import toolset
from agents.llm.gateway import ModelConfig, config_of
from agents.llm.types import Prompt, Section
from agents.main_context import fifo_queue
from agents.main_context.compile import MainContext, compile, recompile
from agents.models import Agent, Message, Step


@dataclass(frozen=True)
class Gauge:
    """Sections of a prompt within a window. Figures are tokens."""

    sections: tuple[Section, ...]
    marks: queue_manager.Marks
    used: int


@dataclass(frozen=True)
class ContextView(Gauge):
    """The main context as it is now; `next_cut` is the seq at which the queue would start after a flush."""

    main: MainContext
    config: ModelConfig
    next_cut: int | None

    @cached_property
    def leaving(self) -> list[Message]:
        """What the next flush would evict."""
        return [m for m in self.main.messages if self.next_cut and (m.seq or 0) < self.next_cut]


@dataclass(frozen=True)
class StepView(Gauge):
    """The main context as a past step saw it; `prompt` is None if it was not stored."""

    step: Step
    prompt: Prompt | None


def context_view(agent: Agent) -> ContextView:
    """The prompt of the next step, compiled now. Two queries."""
    config = config_of(agent)
    limits = queue_manager.marks(config)
    main = compile(agent, functions=toolset.of(agent).schemas, budget=limits.flush)
    used = min(main.uncut_tokens, max(main.prompt.tokens, limits.flush))
    cut = fifo_queue.eviction_cut(main.messages)
    return ContextView(main.prompt.sections, limits, used, main=main, config=config, next_cut=cut)


def step_view(step: Step) -> StepView:
    """The prompt of a past step, with the figures of then."""
    prompt = recompile(step)
    sections = prompt.sections if prompt else tuple(Section(name, "", tokens) for name, tokens in step.sections)
    limits = queue_manager.marks_of(step.window or config_of(step.run.agent).context_window, step.flush_mark)
    return StepView(sections, limits, step.counted_tokens, step=step, prompt=prompt)


def steps_of(agent: Agent) -> "QuerySet[Step]":
    """Newest first. By run, since a step does not name its agent; an agent's runs are carried out in their order."""
    return Step.objects.filter(run__agent=agent).select_related("run").order_by("-run_id", "-number")
