"""A person's agents, and what a new one can be made from."""

from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from agents.access import owned_by
from agents.models import Agent, Human, Persona

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def agents_of(user: "User") -> "QuerySet[Agent]":
    """Those used last come first."""
    return owned_by(Agent, user).order_by("-last_active_at")


def personas_for(user: "User") -> "QuerySet[Persona]":
    """Their own first, then those for everybody."""
    return Persona.objects.filter(Q(owner=user) | Q(owner=None)).order_by("-owner", "pk")


def humans_for(user: "User") -> "QuerySet[Human]":
    """Their own first, then those for everybody."""
    return Human.objects.filter(Q(owner=user) | Q(owner=None)).order_by("-owner", "pk")
