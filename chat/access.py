"""Who may touch what: two helpers, used by every view and consumer. A stranger gets 404, as if it were not there."""

from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from agents.models import Agent, Archive, Block, BlockRevision, Checkpoint, Document, Message, Passage, Run, Step

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=Model)


def person(request: HttpRequest) -> "User":
    """The logged-in user; LoginRequiredMiddleware has seen to it that there is one."""
    if not request.user.is_authenticated:
        raise Http404
    return request.user


def agent_for(request: HttpRequest, agent_id: UUID) -> Agent:
    return get_object_or_404(Agent.objects.select_related("summary", "archive"), pk=agent_id, owner=person(request))


def part_for(request: HttpRequest, rows: "type[M]", pk: int) -> M:
    """A row that is the person's own, or belongs to what is."""
    return get_object_or_404(owned_by(rows, person(request)), pk=pk)


OWNER_PATHS: dict[type[Model], str] = {
    Archive: "owner",
    Block: "owner",
    BlockRevision: "block__owner",
    Checkpoint: "agent__owner",
    Document: "archive__owner",
    Message: "agent__owner",
    Passage: "archive__owner",
    Run: "agent__owner",
    Step: "run__agent__owner",
}


def owned_by(rows: "type[M]", user: "User") -> "QuerySet[M]":
    """All rows of a kind that are the person's own."""
    return rows._default_manager.filter(**{OWNER_PATHS[rows]: user})
