"""Core memory: blocks made, edited, undone, ordered, shared and put away by people."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput, NameTaken, StaleEdit
from agents.main_context import working_context
from agents.main_context.working_context import Editor
from agents.models import Agent, AgentBlock, Block, BlockRevision
from agents.models.block import DEFAULT_LIMIT
from agents.text import diff
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_LABEL = 40  # characters
LONGEST_DESCRIPTION = 300  # characters
LARGEST_LIMIT = 100_000  # characters


@dataclass(frozen=True, kw_only=True)
class BlockSettings:
    """Everything about a block but its text. `limit` is in characters."""

    label: str
    description: str = ""
    limit: int = DEFAULT_LIMIT
    read_only: bool = False

    @classmethod
    def of(cls, block: Block) -> "BlockSettings":
        """As the block has them now."""
        return cls(label=block.label, description=block.description, limit=block.limit, read_only=block.read_only)


def block_attach_new(*, agent: Agent, settings: BlockSettings, value: str, editor: "User | None" = None) -> Block:
    """Make a block and attach it. Raises BlockOverLimit; InvalidInput for a label the agent has already."""
    value = typed(value).strip()
    settings = _checked(settings)
    block = Block(owner_id=agent.owner_id, value=value, **vars(settings))
    working_context.check_fits(block, value)
    with transaction.atomic():
        _check_free(agent, settings.label)
        block.save()
        working_context.record(block, Editor(user=editor))
        _attach(agent, block)
    return block


def block_create(*, owner: "User", settings: BlockSettings, value: str) -> Block:
    """Make a block that no agent has yet. Raises BlockOverLimit, InvalidInput."""
    value = typed(value).strip()
    block = Block(owner=owner, value=value, **vars(_checked(settings)))
    working_context.check_fits(block, value)
    with transaction.atomic():
        block.save()
        working_context.record(block, Editor(user=owner))
    return block


def block_note(*, block: Block, **own: Any) -> None:
    """Set `tags` or `metadata`, which nothing of memweb reads."""
    for name, value in own.items():
        setattr(block, name, value)
    block.save(update_fields=[*own])


def block_edit(*, block: Block, value: str, from_revision: int, editor: "User") -> Block:
    """A person's edit, made from the revision they had before them. Raises BlockOverLimit, StaleEdit."""
    return working_context.write(block=block, value=value, from_revision=from_revision, editor=Editor(user=editor))


def block_describe(*, block: Block, settings: BlockSettings) -> Block:
    """Change what surrounds the text. Raises InvalidInput, also for a label one of its agents has already."""
    settings = _checked(settings)
    with transaction.atomic():
        block = Block.objects.select_for_update(no_key=True).get(pk=block.pk)
        if len(block.value) > settings.limit:
            sizes = {"used": f"{len(block.value):,}", "limit": f"{settings.limit:,}"}
            raise InvalidInput(
                _("The block has %(used)s characters now; a limit of %(limit)s would cut it. Shorten it first.") % sizes
            )
        if settings.label != block.label:
            for agent in block.agents.all():
                _check_free(agent, settings.label)
        for name, value in vars(settings).items():
            setattr(block, name, value)
        block.save(update_fields=[*vars(settings), "updated_at"])
        working_context.announce(block)
    return block


def block_restore(*, revision: BlockRevision, from_revision: int, editor: "User") -> Block:
    """Bring back the text of an earlier revision. Raises BlockOverLimit, StaleEdit."""
    return working_context.write(
        block=revision.block,
        value=revision.value,
        from_revision=from_revision,
        editor=Editor(user=editor, restores=revision.number),
    )


def block_undo(*, revision: BlockRevision, editor: "User") -> Block:
    """Take back one edit and nothing else: what was written since stays.

    Raises StaleEdit, with the text from before the edit in `proposed`, if later edits touched the same words.
    """
    before = revision.block.revisions.filter(number=revision.number - 1).first()
    if before is None:
        raise InvalidInput(_("This is how the block began: there is nothing before it."))
    with transaction.atomic():
        block = Block.objects.select_for_update(no_key=True).get(pk=revision.block_id)
        value = diff.without(block.value, revision.value, before.value)
        if value is None:
            raise StaleEdit(block.label, block.value, block.revision, proposed=before.value)
        restores = before.number if value == before.value else None
        return working_context.write(
            block=block, value=value, from_revision=block.revision, editor=Editor(user=editor, restores=restores)
        )


def block_share(*, block: Block, agent: Agent) -> None:
    """Attach a block to another agent of its owner; both see and edit one text. Raises InvalidInput."""
    if block.owner_id != agent.owner_id:
        raise InvalidInput(_("There is no such block."))
    with transaction.atomic():
        _check_free(agent, block.label)
        _attach(agent, block)


def block_detach(*, agent: Agent, block: Block) -> None:
    """The agent sees the block no more. The block stays, for its other agents or to be attached again."""
    with transaction.atomic():
        AgentBlock.objects.filter(agent=agent, block=block).delete()
        working_context.announce_places(agent)
        working_context.announce(block)


def block_delete(*, block: Block) -> None:
    """Delete a block with its history, for every agent that has it."""
    with transaction.atomic():
        for agent in block.agents.all():
            working_context.announce_places(agent)
        block.delete()


def blocks_order(*, agent: Agent, block_ids: list[int]) -> None:
    """Put the agent's blocks into this order, which is the order of the prompt; those not named come last."""
    with transaction.atomic():
        places = list(AgentBlock.objects.select_for_update().filter(agent=agent))
        rank = {block_id: index for index, block_id in enumerate(block_ids)}
        places.sort(key=lambda place: (rank.get(place.block_id, len(rank)), place.position, place.pk))
        for position, place in enumerate(places):
            place.position = position
        AgentBlock.objects.bulk_update(places, ["position"])
        working_context.announce_places(agent)


def block_record_import(*, block: Block) -> None:
    """Give a block that was made outside an agent its first revision."""
    working_context.record(block, Editor())


def _checked(settings: BlockSettings) -> BlockSettings:
    label = "_".join(typed(settings.label).split())
    if not label:
        raise InvalidInput(_("Give the block a label: the agent calls it by that."))
    if len(label) > LONGEST_LABEL:
        raise InvalidInput(_("A label has at most %(most)d characters.") % {"most": LONGEST_LABEL})
    if not 1 <= settings.limit <= LARGEST_LIMIT:
        raise InvalidInput(_("The limit must be from 1 to %(most)s characters.") % {"most": f"{LARGEST_LIMIT:,}"})
    description = " ".join(typed(settings.description).split())
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidInput(_("A description has at most %(most)d characters.") % {"most": LONGEST_DESCRIPTION})
    return BlockSettings(label=label, description=description, limit=settings.limit, read_only=settings.read_only)


def _check_free(agent: Agent, label: str) -> None:
    Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)  # two of one label at once, one after the other
    if agent.blocks.filter(label=label).exists():
        names = {"agent": agent.name, "label": label}
        raise NameTaken(_("%(agent)s already has a block “%(label)s”.") % names)


def _attach(agent: Agent, block: Block) -> None:
    last = AgentBlock.objects.filter(agent=agent).order_by("-position").first()
    AgentBlock.objects.create(agent=agent, block=block, position=last.position + 1 if last else 0)
    working_context.announce_places(agent)
    working_context.announce(block)  # its other agents are shown with whom they share it
