"""Core memory blocks, as they are shown to people: cards, history."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import F, OuterRef, QuerySet, Subquery, prefetch_related_objects

from agents.main_context import working_context
from agents.models import Agent, Block, BlockRevision, Message
from agents.text import diff
from agents.text.diff import Piece

REVISIONS = 15  # a page of history


@dataclass(frozen=True)
class BlockCard:
    """A block with its last revision, what that changed if it is not the first, and the other agents that have it."""

    block: Block
    last: BlockRevision | None
    change: list[Piece] | None
    others: list[Agent]


def block_cards(agent: Agent) -> list[BlockCard]:
    """All of the agent's blocks in the order of the prompt. Three queries, however many blocks."""
    return _cards(agent, working_context.blocks_of(agent))


def block_card(agent: Agent, block: Block) -> BlockCard:
    """The card of one of the agent's blocks, read anew. Three queries."""
    return _cards(agent, [agent.blocks.get(pk=block.pk)])[0]


def _cards(agent: Agent, blocks: Sequence[Block]) -> list[BlockCard]:
    revisions = BlockRevision.objects.filter(block__in=blocks, number__gte=F("block__revision") - 1)
    newest: dict[int, list[BlockRevision]] = {}
    for revision in revisions.select_related("user", "agent").order_by("block", "-number"):
        newest.setdefault(revision.block_id, []).append(revision)
    cards = []
    prefetch_related_objects(blocks, "agents")
    for block in blocks:
        last = newest.get(block.pk, [])
        change = diff.words(last[1].value, last[0].value) if len(last) == 2 else None
        others = [other for other in block.agents.all() if other.pk != agent.pk]
        cards.append(BlockCard(block, last[0] if last else None, change, others))
    return cards


def blocks_to_attach(agent: Agent) -> "QuerySet[Block]":
    """The person's blocks that the agent does not have and whose label is free there."""
    others = Block.objects.filter(owner=agent.owner_id).exclude(agents=agent)
    return others.exclude(label__in=agent.blocks.values("label")).prefetch_related("agents")


@dataclass(frozen=True)
class Revisions:
    """A page of a block's history, newest first, each revision with its difference from the one before it."""

    page: "Page[BlockRevision]"
    rows: list[tuple[BlockRevision, list[Piece]]]


def revisions_page(block: Block, number: int) -> Revisions:
    """Page `number` of a block's history, counted from 1. Three queries."""
    page = Paginator(block.revisions.select_related("user", "agent", "step"), REVISIONS).get_page(number)
    numbers = [revision.number for revision in page]
    shown = block.revisions.filter(number__gte=min(numbers) - 1, number__lte=max(numbers))
    texts = dict(shown.values_list("number", "value"))
    return Revisions(page, [(r, diff.words(texts.get(r.number - 1, ""), r.value)) for r in page])


@dataclass(frozen=True)
class MemoryEdit:
    """An edit that a step made, with its difference."""

    revision: BlockRevision
    pieces: list[Piece]


def edits_of(answers: Sequence[Message]) -> dict[int, list[MemoryEdit]]:
    """By step, what one agent's answers wrote to memory, each edit against the revision before it. One query.

    This agent's own alone: one that was made from a checkpoint shares steps with the agent it comes from.
    """
    edits: dict[int, list[MemoryEdit]] = {}
    if not answers:
        return edits
    before = BlockRevision.objects.filter(block=OuterRef("block"), number=OuterRef("number") - 1)
    steps = {message.step_id for message in answers if message.step_id}
    revisions = BlockRevision.objects.filter(step__in=steps, agent=answers[0].agent_id)
    revisions = revisions.annotate(old=Subquery(before.values("value")[:1]))
    for revision in revisions.select_related("block").order_by("block", "number"):
        pieces = diff.words(revision.old or "", revision.value)
        edits.setdefault(revision.step_id or 0, []).append(MemoryEdit(revision, pieces))
    return edits
