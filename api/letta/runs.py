"""Runs and their steps."""

from typing import Any, ClassVar, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from agents.access import owned_by
from agents.models import Run, Step
from agents.services.letta_writing import PROVIDER
from api.access import agent_for, person, row_for
from api.answers import answer
from api.asked import MOST_NAMES, Listing, Name, Time, between, only_known
from api.letta import shapes, timeline
from api.pages import page_of

router = Router(tags=["runs"])

STATUSES = {name: status for status, name in shapes.STATUS.items()}
Status = Literal["created", "running", "completed", "cancelled", "failed"]
StopReason = Literal[
    "end_turn",
    "error",
    "llm_api_error",
    "invalid_llm_response",
    "invalid_tool_call",
    "max_steps",
    "max_tokens_exceeded",
    "no_tool_call",
    "tool_rule",
    "cancelled",
    "insufficient_credits",
    "requires_approval",
    "context_window_overflow_in_system_prompt",
]


class RunOut(BaseModel):
    """The agent's work on one event."""

    id: str
    agent_id: str
    status: str
    stop_reason: str | None
    created_at: str
    completed_at: str | None


class RunListing(Listing):
    """Runs, newest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset({"conversation_id"})

    agent_id: Name | None = None
    agent_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)
    active: bool = False
    statuses: list[Status] | None = Field(None, max_length=MOST_NAMES)
    ascending: bool | None = None
    background: bool | None = None
    stop_reason: StopReason | None = None


@router.get("/runs", response=list[RunOut])
@only_known
def run_list(request: HttpRequest, asked: Query[RunListing]) -> HttpResponse:
    """The runs of the person's agents. All are in the background: they go on without the program that asked."""
    rows = owned_by(Run, person(request))
    ids = [*([asked.agent_id] if asked.agent_id else []), *(asked.agent_ids or [])]
    if ids:
        rows = rows.filter(agent__in=[agent_for(request, text).pk for text in ids])
    if asked.active:
        rows = rows.filter(status__in=Run.OPEN)
    if asked.background is False:
        rows = rows.none()
    if asked.statuses:
        rows = rows.filter(status__in=[STATUSES[name] for name in asked.statuses])
    if asked.stop_reason:
        rows = _stopped_by(rows, asked.stop_reason)
    page = page_of(rows, asked, "run", newest_first=not asked.ascending, limit=100)
    return answer([shapes.run(row) for row in page])


def _stopped_by(rows: Any, reason: str) -> Any:
    if reason == "end_turn":
        return rows.filter(status=Run.Status.DONE, stop_reason="")
    if reason == "cancelled":
        return rows.filter(status=Run.Status.STOPPED)
    return rows.filter(stop_reason__in=[own for own, name in shapes.STOP_REASON.items() if name == reason])


def _run(request: HttpRequest, run_id: str) -> Run:
    return row_for(request, Run, "run", run_id)


@router.get("/runs/{run_id}", response=RunOut)
@only_known
def run_retrieve(request: HttpRequest, run_id: str) -> HttpResponse:
    """One run."""
    return answer(shapes.run(_run(request, run_id)))


@router.get("/runs/{run_id}/messages", response=list[dict[str, Any]])
@only_known
def run_messages(request: HttpRequest, run_id: str, asked: Query[Listing]) -> HttpResponse:
    """What set the run off and what it came to, oldest first unless asked otherwise."""
    run = _run(request, run_id)
    rows = timeline.rows_of(run.agent).filter(run=run)
    return answer(timeline.page(rows, asked, newest_first=False, types=frozenset()))


@router.get("/runs/{run_id}/steps", response=list[dict[str, Any]])
@only_known
def run_steps(request: HttpRequest, run_id: str, asked: Query[Listing]) -> HttpResponse:
    """The steps of a run, oldest first unless asked otherwise."""
    rows = _run(request, run_id).steps.select_related("run")
    return answer([shapes.step(row) for row in page_of(rows, asked, "step", newest_first=False, limit=100)])


@router.get("/runs/{run_id}/usage", response=dict[str, Any])
@only_known
def run_usage(request: HttpRequest, run_id: str) -> HttpResponse:
    """What a run took, in tokens."""
    run = _run(request, run_id)
    return answer(shapes.usage(run.steps.all(), [run.pk]))


class StepListing(Listing):
    """Steps, newest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset("feedback has_feedback project_id tags trace_ids".split())

    agent_id: Name | None = None
    model: Name | None = None
    start_date: Time | None = None
    end_date: Time | None = None


@router.get("/steps", response=list[dict[str, Any]])
@only_known
def step_list(request: HttpRequest, asked: Query[StepListing]) -> HttpResponse:
    """The steps of the person's agents."""
    rows = owned_by(Step, person(request)).select_related("run")
    if asked.agent_id:
        rows = rows.filter(run__agent=agent_for(request, asked.agent_id))
    if asked.model:
        rows = rows.filter(model=asked.model.removeprefix(f"{PROVIDER}/"))
    rows = between(rows, asked.start_date, asked.end_date)
    return answer([shapes.step(row) for row in page_of(rows, asked, "step", newest_first=True)])


def _step(request: HttpRequest, step_id: str) -> Step:
    return row_for(request, Step, "step", step_id)


@router.get("/steps/{step_id}", response=dict[str, Any])
@only_known
def step_retrieve(request: HttpRequest, step_id: str) -> HttpResponse:
    """One step."""
    return answer(shapes.step(_step(request, step_id)))


@router.get("/steps/{step_id}/messages", response=list[dict[str, Any]])
@only_known
def step_messages(request: HttpRequest, step_id: str, asked: Query[Listing]) -> HttpResponse:
    """What was thought, called, returned and said in a step."""
    step = _step(request, step_id)
    rows = timeline.rows_of(step.run.agent).filter(step=step)
    return answer(timeline.page(rows, asked, newest_first=False, types=frozenset()))
