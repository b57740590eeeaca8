"""Everything that reads for a page, a terminal or the API. Writes are in `services`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from agents import queue_manager
from agents.agent_loop import config_of
from agents.functions import registry
from agents.llm.gateway import ModelConfig
from agents.llm.types import Prompt, Section
from agents.main_context import fifo_queue
from agents.main_context.compile import MainContext, compile, recompile
from agents.models import Agent, Archive, Block, Document, Human, Message, Persona, Run, Step
from agents.models.message import DERIVED

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TIMELINE_PAGE = 60  # rows
TIMELINE_CATCH_UP = 300  # rows an open page is brought; one that missed more is better loaded anew


@dataclass(frozen=True)
class Segment:
    """A section of the main context; `start` and `share` are percent of the window."""

    name: str
    tokens: int
    text: str
    start: float
    share: float


@dataclass(frozen=True)
class Gauge:
    """Sections of a prompt within a window. Figures are tokens."""

    sections: tuple[Section, ...]
    marks: queue_manager.Marks
    used: int

    @property
    def percent(self) -> int:
        return round(100 * self.used / self.marks.window)

    @property
    def segments(self) -> list[Segment]:
        """The sections as shares of the window, side by side, for a bar."""
        drawn, start = [], 0.0
        for section in self.sections:
            share = min(100 * section.tokens / self.marks.window, 100 - start)
            drawn.append(Segment(section.name, section.tokens, section.text, round(start, 2), round(share, 2)))
            start += share
        return drawn

    @property
    def flush_percent(self) -> float:
        return round(100 * self.marks.flush / self.marks.window, 1)

    @property
    def warning_percent(self) -> float:
        return round(100 * self.marks.warning / self.marks.window, 1)


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
    """The main context as a past step saw it; `prompt` is None if it was not kept."""

    step: Step
    prompt: Prompt | None


def context_view(agent: Agent) -> ContextView:
    config = config_of(agent)
    limits = queue_manager.marks(config)
    main = compile(agent, functions=registry.schemas(), budget=limits.flush)
    used = min(main.uncut_tokens, max(main.prompt.tokens, limits.flush))
    cut = fifo_queue.eviction_cut(main.messages)
    return ContextView(main.prompt.sections, limits, used, main=main, config=config, next_cut=cut)


def step_view(step: Step) -> StepView:
    prompt = recompile(step)
    sections = prompt.sections if prompt else tuple(Section(name, "", tokens) for name, tokens in step.sections)
    limits = queue_manager.marks_of(step.window or config_of(step.run.agent).context_window, step.flush_mark)
    return StepView(sections, limits, step.counted_tokens, step=step, prompt=prompt)


def steps_of(agent: Agent) -> "QuerySet[Step]":
    """Newest first."""
    return Step.objects.filter(run__agent=agent).select_related("run").order_by("-id")


@dataclass(frozen=True)
class Spark:
    """The last prompt of each of the newest runs, oldest first: (run id, tokens), beside the marks of now."""

    points: list[tuple[int, int]]
    marks: queue_manager.Marks

    @property
    def bars(self) -> list[dict[str, float]]:
        """Bars within a square of 100, the window its height."""
        step = 100 / max(len(self.points), 10)
        return [
            {
                "run": run,
                "tokens": tokens,
                "x": round(index * step, 2),
                "width": round(step * 0.8, 2),
                "y": self._y(tokens),
                "height": round(100 - self._y(tokens), 2),
            }
            for index, (run, tokens) in enumerate(self.points)
        ]

    @property
    def warning_y(self) -> float:
        return self._y(self.marks.warning)

    @property
    def flush_y(self) -> float:
        return self._y(self.marks.flush)

    def _y(self, tokens: int) -> float:
        return round(100 - min(100 * tokens / self.marks.window, 100), 2)


def sparkline(agent: Agent, runs: int) -> Spark:
    newest = agent.runs.filter(steps__isnull=False).distinct().order_by("-id").values("id")[:runs]
    steps = Step.objects.filter(run__in=list(newest.values_list("id", flat=True))).order_by("run", "number")
    last = {step.run_id: step.prompt_tokens or step.counted_tokens for step in steps}
    return Spark(sorted(last.items()), queue_manager.marks(config_of(agent)))


def agents_of(user: "User") -> "QuerySet[Agent]":
    return Agent.objects.filter(owner=user).order_by("-last_active_at")


def personas_for(user: "User") -> "QuerySet[Persona]":
    return Persona.objects.filter(Q(owner=user) | Q(owner=None)).order_by("-owner", "pk")


def humans_for(user: "User") -> "QuerySet[Human]":
    return Human.objects.filter(Q(owner=user) | Q(owner=None)).order_by("-owner", "pk")


def timeline_before(agent: Agent, seq: int | None = None) -> list[Message]:
    """The newest rows before `seq`, oldest first. One query, whatever the history's length."""
    rows = _timeline(agent)
    if seq is not None:
        rows = rows.filter(seq__lt=seq)
    return list(reversed(rows.order_by("-seq")[:TIMELINE_PAGE]))


def timeline_around(agent: Agent, seq: int) -> list[Message]:
    """A page of rows with `seq` in its middle, oldest first. Two queries."""
    before = _timeline(agent).filter(seq__lte=seq).order_by("-seq")[: TIMELINE_PAGE // 2]
    after = _timeline(agent).filter(seq__gt=seq).order_by("seq")[: TIMELINE_PAGE // 2]
    return [*reversed(before), *after]


def timeline_between(agent: Agent, after: int, before: int) -> list[Message]:
    """The oldest page of rows between two seqs, neither included."""
    return list(_timeline(agent).filter(seq__gt=after, seq__lt=before).order_by("seq")[:TIMELINE_PAGE])


def timeline_after(agent: Agent, seq: int) -> list[Message]:
    """The rows after `seq`, at most `TIMELINE_CATCH_UP` and one more, which tells that there are too many."""
    return list(_timeline(agent).filter(seq__gt=seq).order_by("seq")[: TIMELINE_CATCH_UP + 1])


def timeline_whole(agent: Agent) -> "Iterator[Message]":
    """Every row, oldest first, a few at a time."""
    return _timeline(agent).order_by("seq").iterator(chunk_size=1000)


def timeline_message(agent: Agent, pk: int) -> Message | None:
    return _timeline(agent).filter(pk=pk).first()


def _timeline(agent: Agent) -> "QuerySet[Message]":
    rows = agent.messages.filter(seq__isnull=False, retracted_at=None).defer(*DERIVED)
    return rows.select_related("step", "run")


def newest(agent: Agent, count: int) -> list[Message]:
    """The last entries of the timeline, newest first."""
    return list(_timeline(agent).order_by("-seq")[:count])


def last_turn(agent: Agent) -> Message | None:
    """What set off the newest run that is in the timeline: the beginning of the last turn."""
    events = agent.messages.filter(triggered__isnull=False, seq__isnull=False, retracted_at=None)
    return events.defer(*DERIVED).order_by("-seq").first()


def waiting(agent: Agent) -> "QuerySet[Message]":
    """Messages that wait for their run."""
    waiting = agent.messages.filter(seq__isnull=True, retracted_at=None, kind=Message.Kind.USER_MESSAGE)
    return waiting.defer(*DERIVED).order_by("id")


def running(agent: Agent) -> Run | None:
    return agent.runs.filter(status=Run.Status.RUNNING).first()


def archives_of(agent: Agent) -> "QuerySet[Archive]":
    """What it searches, its own first. `has_writer`: it belongs to an agent."""
    mine = Case(When(pk=agent.archive_id, then=0), default=1)
    owned = Exists(Agent.objects.filter(archive=OuterRef("pk")))
    searched = Archive.objects.filter(Q(pk=agent.archive_id) | Q(pk__in=agent.attached_archives.values("pk")))
    return searched.annotate(has_writer=owned, mine=mine).order_by("mine", "name")


def archives_to_attach(agent: Agent) -> "QuerySet[Archive]":
    """The person's other archives, those of other agents among them."""
    return Archive.objects.filter(owner=agent.owner_id).exclude(
        Q(pk=agent.archive_id) | Q(pk__in=agent.attached_archives.values("pk"))
    )


def blocks_to_attach(agent: Agent) -> "QuerySet[Block]":
    """The person's blocks that the agent does not have and whose label is free there."""
    others = Block.objects.filter(owner=agent.owner_id).exclude(agents=agent)
    return others.exclude(label__in=agent.blocks.values("label")).prefetch_related("agents")


def documents_of(agent: Agent) -> "QuerySet[Document]":
    searched = Q(archive=agent.archive_id) | Q(archive__in=agent.attached_archives.values("pk"))
    return Document.objects.filter(searched).select_related("archive")


def model_name() -> str:
    return str(settings.LLM["model"])
