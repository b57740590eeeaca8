"""Everything that reads for a page, a terminal or the API. Writes are in `services`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q, QuerySet

from agents import queue_manager
from agents.agent_loop import config_of
from agents.functions import registry
from agents.llm.gateway import ModelConfig
from agents.main_context import fifo_queue
from agents.main_context.compile import MainContext, compile
from agents.models import Agent, Archive, Document, Human, Message, Persona, Run

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
class ContextView:
    """The main context as the Context tab shows it. Figures are tokens."""

    main: MainContext
    config: ModelConfig
    marks: queue_manager.Marks
    used: int
    next_cut: int | None  # seq at which the queue would start after a flush

    @property
    def percent(self) -> int:
        return round(100 * self.used / self.marks.window)

    @property
    def segments(self) -> list[Segment]:
        """The sections as shares of the window, side by side, for a bar."""
        drawn, start = [], 0.0
        for section in self.main.prompt.sections:
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

    @property
    def leaving(self) -> list[Message]:
        """What the next flush would evict."""
        return [m for m in self.main.messages if self.next_cut and (m.seq or 0) < self.next_cut]


def context_view(agent: Agent) -> ContextView:
    config = config_of(agent)
    limits = queue_manager.marks(config)
    main = compile(agent, functions=registry.schemas(), budget=limits.flush)
    used = min(main.uncut_tokens, max(main.prompt.tokens, limits.flush))
    return ContextView(main, config, limits, used, fifo_queue.eviction_cut(main.messages))


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


def timeline_after(agent: Agent, seq: int) -> list[Message]:
    """The rows after `seq`, at most `TIMELINE_CATCH_UP` and one more, which tells that there are too many."""
    return list(_timeline(agent).filter(seq__gt=seq).order_by("seq")[: TIMELINE_CATCH_UP + 1])


def _timeline(agent: Agent) -> "QuerySet[Message]":
    rows = agent.messages.filter(seq__isnull=False, retracted_at=None).defer("embedding", "words")
    return rows.select_related("step")


def waiting(agent: Agent) -> "QuerySet[Message]":
    """Messages that wait for their run."""
    waiting = agent.messages.filter(seq__isnull=True, retracted_at=None, kind=Message.Kind.USER_MESSAGE)
    return waiting.defer("embedding", "words").order_by("id")


def running(agent: Agent) -> Run | None:
    return agent.runs.filter(status=Run.Status.RUNNING).first()


def archives_of(agent: Agent) -> "QuerySet[Archive]":
    return Archive.objects.filter(Q(writer=agent) | Q(readers=agent)).distinct()


def documents_of(agent: Agent) -> "QuerySet[Document]":
    return Document.objects.filter(archive__in=archives_of(agent))


def model_name() -> str:
    return str(settings.LLM["model"])
