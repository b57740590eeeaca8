"""Editing the working context (paper section 2.3)."""

from agents.exceptions import FunctionError, InvalidInput, StaleEdit
from agents.functions.registry import Context, function
from agents.llm.types import Role
from agents.main_context import working_context
from agents.main_context.working_context import Editor
from agents.models import Block


@function(role=Role.WRITES_CORE_MEMORY)
def core_memory_append(context: Context, label: str, content: str) -> str:
    """Add a line to a block of core memory.

    Args:
        label: Which block: human, persona or another one in view.
        content: The line to add, short and complete in itself.
    """
    block = _block(context, label)
    if not content.strip():
        raise FunctionError("content is empty: nothing was added.")
    value = f"{block.value}\n{content.strip()}" if block.value else content.strip()
    return _write(context, block, value)


@function(role=Role.WRITES_CORE_MEMORY)
def core_memory_replace(context: Context, label: str, old_content: str, new_content: str) -> str:
    """Replace text in a block of core memory; with an empty new_content, delete it.

    Args:
        label: Which block.
        old_content: Text that stands in the block exactly once, to the letter.
        new_content: What stands there instead.
    """
    block = _block(context, label)
    if not old_content.strip():
        raise FunctionError("old_content is empty. Give the exact text to replace, or use core_memory_append.")
    count = block.value.count(old_content)
    if count == 0:
        raise FunctionError(f"old_content does not stand in “{label}”. It must match to the letter.")
    if count > 1:
        raise FunctionError(
            f"old_content stands {count} times in “{label}”. Give a longer piece that stands there once."
        )
    value = block.value.replace(old_content, new_content.strip())
    if not new_content.strip():
        value = "\n".join(line for line in value.splitlines() if line.strip())
    return _write(context, block, value)


def _block(context: Context, label: str) -> Block:
    blocks = working_context.blocks_of(context.agent)
    for block in blocks:
        if block.label == label:
            if block.read_only:
                raise FunctionError(f"The block “{label}” is read-only: only people change it.")
            return block
    raise FunctionError(f"There is no block “{label}”. The blocks are: {', '.join(b.label for b in blocks)}.")


def _write(context: Context, block: Block, value: str) -> str:
    """Write from the revision that the prompt showed, or from the one this very step made since."""
    mine = block.revisions.filter(step=context.step, number=block.revision).exists()
    shown = block.revision if mine else context.block_revisions.get(block.pk, block.revision)
    try:
        editor = Editor(agent=context.agent, step=context.step)
        written = working_context.write(block=block, value=value, from_revision=shown, editor=editor)
    except StaleEdit as error:
        raise FunctionError(
            f"Somebody changed “{block.label}” while you were at work. It now says: {error.current_value} "
            "Decide anew what to change."
        ) from error
    except InvalidInput as error:
        raise FunctionError(f"{error} Shorten it, or move details to archival storage.") from error
    return f"Done. “{block.label}” now has {len(written.value)} of {written.limit} characters."
