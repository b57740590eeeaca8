"""Which agents began with a persona's or a human's text. Nothing records it: a block's first revision tells."""

from typing import Any

from django.db.models import Count, Expression, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from agents.models import AgentBlock, Block, Human, Persona

Preset = Persona | Human


def agents_begun() -> Expression:
    """For a list of presets: how many agents began with each."""
    begun = AgentBlock.objects.filter(_theirs(OuterRef("owner")), **_first(OuterRef("text"))).order_by()
    text = begun.annotate(text=F("block__revisions__value")).values("text")
    return Coalesce(Subquery(text.annotate(agents=Count("agent", distinct=True)).values("agents")), 0)


def places_of(preset: Preset) -> "QuerySet[AgentBlock]":
    """Where blocks that began with the preset are."""
    owner = Q() if preset.owner_id is None else Q(block__owner=preset.owner_id)
    return AgentBlock.objects.filter(owner, **_first(preset.text)).select_related("agent", "block").order_by("agent")


def presets_of(block: Block) -> list[Preset]:
    """What the block began with."""
    text = block.revisions.filter(number=1).values("value")[:1]
    near = Q(owner=None) | Q(owner=block.owner_id)
    return [preset for model in (Persona, Human) for preset in model._default_manager.filter(near, text=Subquery(text))]


def _first(text: Any) -> dict[str, Any]:
    return {"block__revisions__number": 1, "block__revisions__value": text}


def _theirs(owner: OuterRef) -> Q:
    """Blocks of the preset's owner; of anybody, where it is offered to everybody."""
    return Q(block__owner=owner) | Q(IsNull(owner, True))
