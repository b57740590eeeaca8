"""Working context: the core memory blocks, always in view (paper section 2.1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from agents.broadcast import bus
from agents.broadcast.events import BlockChanged, BlocksChanged, ContextChanged
from agents.exceptions import BlockOverLimit, StaleEdit
from agents.llm.types import PromptBlock
from agents.models import Agent, Block, BlockRevision, Step
from agents.prompts import MEMORY_IS_DATA
from agents.text import framing
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User


# Written out, as every turn asks it twice.
BLOCKS_SQL = """
    SELECT block.* FROM agents_block AS block JOIN agents_agentblock AS place ON place.block_id = block.id
    WHERE place.agent_id = %s ORDER BY place.position, place.id
"""


@dataclass(frozen=True)
class Editor:
    """Whose edit it is: an agent (in a step), a person, or an import.

    `restores` is the number of the revision whose text comes back. `rollback`: with the turn that had changed it.
    """

    agent: Agent | None = None
    user: "User | None" = None
    step: Step | None = None
    restores: int | None = None
    rollback: bool = False

    @property
    def kind(self) -> str:
        """As the revision names it: a `BlockRevision.Editor`."""
        if self.rollback:
            return BlockRevision.Editor.ROLLBACK
        if self.agent:
            return BlockRevision.Editor.AGENT
        return BlockRevision.Editor.USER if self.user else BlockRevision.Editor.IMPORT


def blocks_of(agent: Agent) -> list[Block]:
    """In the order of the prompt. One query."""
    return list(Block.objects.raw(BLOCKS_SQL, [agent.pk]))


def prompt_blocks(blocks: list[Block]) -> tuple[PromptBlock, ...]:
    """The blocks as data, for a mode that shows them its own way, and for files."""
    return tuple(
        PromptBlock(block.label, block.value, block.limit, block.description, block.read_only) for block in blocks
    )


def render(blocks: list[Block]) -> str:
    """The text of the working context. It changes only when a block does, so that the prompt's prefix stays cached."""
    parts = ["# Core memory", MEMORY_IS_DATA]
    for block in blocks:
        notes = f' description="{framing.attribute(block.description)}"' if block.description else ""
        notes += ' read_only="true"' if block.read_only else ""
        used = f"{len(block.value)}/{block.limit}"
        head = f'<block label="{framing.attribute(block.label)}" characters="{used}"{notes}>'
        parts += [head, framing.indented(block.value), "</block>"]
    return "\n".join(parts)


def check_fits(block: Block, value: str) -> None:
    """Raises BlockOverLimit."""
    if len(value) > block.limit:
        raise BlockOverLimit(block.label, len(value), block.limit)


def write(*, block: Block, value: str, from_revision: int, editor: Editor) -> Block:
    """Give `block` another text as a new revision. Locks the block's row; an unchanged text makes no revision.

    Raises BlockOverLimit; StaleEdit if the block is no longer at `from_revision`.
    """
    value = typed(value)
    with transaction.atomic():
        current = Block.objects.select_for_update(no_key=True).get(pk=block.pk)
        if current.revision != from_revision:
            raise StaleEdit(current.label, current.value, current.revision)
        check_fits(current, value)
        if value != current.value:
            current.value = value
            current.revision += 1
            current.save(update_fields=["value", "revision", "updated_at"])
            record(current, editor)
            announce(current)
    return current


def record(block: Block, editor: Editor) -> BlockRevision:
    """Keep the block's present text as its present revision."""
    return BlockRevision.objects.create(
        block=block,
        number=block.revision,
        value=block.value,
        editor=editor.kind,
        user=editor.user,
        agent=editor.agent,
        step=editor.step,
        restores=editor.restores,
    )


def announce(block: Block) -> None:
    """Tell the pages of every agent that has the block."""
    for agent_id in block.agents.values_list("pk", flat=True):
        group = bus.agent_group(agent_id)
        bus.publish_on_commit(group, BlockChanged(block.pk, block.label))
        bus.publish_on_commit(group, ContextChanged())


def announce_places(agent: Agent) -> None:
    """Tell an agent's pages that its blocks came, went or changed places."""
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, BlocksChanged())
    bus.publish_on_commit(group, ContextChanged())
