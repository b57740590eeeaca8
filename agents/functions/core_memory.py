"""Editing the working context (paper section 2.3)."""

from agents.exceptions import FunctionError, InvalidInput, StaleEdit
from agents.functions.registry import Context, function
from agents.llm.types import Role
from agents.main_context import working_context
from agents.main_context.working_context import Editor
from agents.models import Block
from agents.text import editing, framing, matching

MOST_QUOTED = 200  # characters of a block in an error


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
    value = editing.with_lines(block.value, content)
    return _write(context, block, value) if value is not None else _unchanged(block)


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
    old_content, new_content = _as_noted(block, old_content, new_content)
    found = matching.stretches(block.value, old_content)
    if not found:
        raise FunctionError(_absent(block, old_content))
    if len(found) > 1:
        raise FunctionError(
            f"old_content stands {len(found)} times in “{label}”. Give a longer piece that stands there once."
        )
    if new_content.strip():
        value = editing.replaced(block.value, found[0], new_content)
    else:
        value = editing.deleted(block.value, found[0], old_content)
    return _write(context, block, value) if value != block.value else _unchanged(block)


def _as_noted(block: Block, old: str, new: str) -> tuple[str, str]:
    """Without the indent that the prompt shows before each line, if the model copied it."""
    bare = framing.unindented(old)
    if old.strip() in block.value or not matching.stretches(block.value, bare):
        return old, new
    return bare, framing.unindented(new)


def _unchanged(block: Block) -> str:
    """A model that repeats itself is told that all is well, and what comes next: an error would have it try again."""
    return f"It stands there already: “{block.label}” is as you want it. Go on: answer the person."


def _absent(block: Block, old_content: str) -> str:
    """For a small model: what of it does stand there, and the line it must have meant."""
    begun, line = matching.nearest(block.value, old_content)
    fault = f"old_content does not stand in “{block.label}”."
    if begun:
        fault += f" Of it, only “{_short(begun)}” does."
    if not line:
        return f"{fault} To add something new, use core_memory_append."
    return f"{fault} This line does: “{_short(line)}”. Copy from it to the letter, or use core_memory_append."


def _short(text: str) -> str:
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"


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
            f"Somebody changed “{block.label}” while you were at work. Decide anew what to change. "
            f"It now says:\n{framing.indented(error.current_value)}"
        ) from error
    except InvalidInput as error:
        raise FunctionError(f"{error} Shorten it, or move details to archival storage.") from error
    return f"Done. “{block.label}” now has {len(written.value)} of {written.limit} characters."
