"""What belongs to whom, as querysets: the one answer for every door."""

from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, QuerySet

from agents.models import (
    Agent,
    Archive,
    Block,
    BlockRevision,
    Checkpoint,
    Document,
    Message,
    OpenSession,
    OutsideCall,
    Passage,
    Run,
    Step,
    Token,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=Model)

OWNER_PATHS: dict[type[Model], str] = {
    Agent: "owner",
    Archive: "owner",
    Block: "owner",
    BlockRevision: "block__owner",
    Checkpoint: "agent__owner",
    Document: "archive__owner",
    Message: "agent__owner",
    OpenSession: "owner",
    OutsideCall: "step__run__agent__owner",
    Passage: "archive__owner",
    Run: "agent__owner",
    Step: "run__agent__owner",
    Token: "owner",
}


def owned_by(model: "type[M]", user: "User") -> "QuerySet[M]":
    """All rows of a kind that are the person's own."""
    return model._default_manager.filter(**{OWNER_PATHS[model]: user})
