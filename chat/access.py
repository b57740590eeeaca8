"""Who may see what: a stranger gets 404, as if it were not there. What belongs to whom is in `agents.access`."""

from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.db.models import Model
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from agents.access import owned_by
from agents.models import Agent

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=Model)


def person(request: HttpRequest) -> "User":
    """The logged-in user; LoginRequiredMiddleware has seen to it that there is one."""
    if not request.user.is_authenticated:
        raise Http404
    return request.user


def agent_for(request: HttpRequest, agent_id: UUID) -> Agent:
    """An agent of the person's own, with its summary and archive. One query. Raises Http404."""
    return get_object_or_404(owned_by(Agent, person(request)).select_related("summary", "archive"), pk=agent_id)


def part_for(request: HttpRequest, model: "type[M]", pk: int) -> M:
    """A row that is the person's own, or belongs to what is. Raises Http404."""
    return get_object_or_404(owned_by(model, person(request)), pk=pk)
