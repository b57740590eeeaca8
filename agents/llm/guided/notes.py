"""Core memory as the small prompts see it: lines that can be replaced, and the few that matter for a message."""

import re

from agents.llm.guided.words import clip, overlap, sentences, weight
from agents.llm.types import Prompt, PromptBlock

_PLACEHOLDER = re.compile(r"^\W*(nothing|no facts?|none|unknown|empty|n/a|还不知道|暂无)\b[^.:：]*\W*$", re.IGNORECASE)
_UNKNOWN = re.compile(r"[^.:：\n]*[:：] ?(not known yet|还不知道)[.。]?\s*", re.IGNORECASE)
_PAST = re.compile(
    r"\b(before|used to|was|were|did|earlier|former|previous\w*)\b|以前|之前|原来|过去|曾", re.IGNORECASE
)
BEFORE = ("Before: ", "以前：")
"""How a line begins that tells what was so, and is no more."""
PERSONA = "persona"
HUMAN = "human"


def lines_of(block: PromptBlock) -> list[str]:
    """The stretches of the block that can be replaced alone: its sentences that stand there once."""
    if is_blank(block):
        return []
    units = [unit for line in block.value.splitlines() for unit in units_of(line)]
    return [unit for unit in units if block.value.count(unit) == 1 and not _UNKNOWN.match(unit)]


def units_of(line: str) -> list[str]:
    """The sentences of a line; a line that quotes someone stays whole."""
    return [line.strip()] if "“" in line else sentences(line)


def is_blank(block: PromptBlock) -> bool:
    """Empty, or only a phrase that says so."""
    return not block.value.strip() or _PLACEHOLDER.match(block.value.strip()) is not None


def asks_of_the_past(message: str) -> bool:
    """Whether a question is about what was so before."""
    return _PAST.search(message) is not None


def notes_for(prompt: Prompt, message: str, budget: int) -> str:
    """All blocks but the persona as one text of at most `budget` in weight, the lines nearest to `message` kept."""
    parts = [line for line in known_lines(prompt) if asks_of_the_past(message) or not line.startswith(BEFORE)]
    whole = "\n".join(parts)
    if weight(whole) <= budget:
        return whole or "(nothing known yet)"
    return nearest_lines(parts, message, budget)


def known_lines(prompt: Prompt) -> list[str]:
    """The lines of all blocks but the persona that say something, others than `human` under their name."""
    lines = []
    for block in prompt.blocks:
        if block.label == PERSONA or is_blank(block):
            continue
        value = _UNKNOWN.sub("", block.value).strip()
        told = [line for line in value.splitlines() if line.strip() and not _PLACEHOLDER.match(line.strip())]
        if told and block.label != HUMAN:
            told[0] = f"{block.label}: {told[0]}"
        lines += told
    return lines


def nearest_lines(lines: list[str], message: str, budget: int) -> str:
    """The lines that share most words with `message`, in their own order, within `budget` in weight."""
    units = [unit for line in lines for unit in units_of(line)]
    ranked = sorted(range(len(units)), key=lambda index: -overlap(message, units[index]))
    chosen: list[int] = []
    room = budget
    for index in ranked:
        if weight(units[index]) < room:
            chosen.append(index)
            room -= weight(units[index]) + 1
    return "\n".join(units[index] for index in sorted(chosen)) or clip("\n".join(lines), budget)


def block_named(prompt: Prompt, label: str) -> PromptBlock | None:
    """The block with this label; None if there is none or the agent may not change it."""
    return next((block for block in prompt.blocks if block.label == label and not block.read_only), None)


def writable_block(prompt: Prompt, label: str) -> PromptBlock | None:
    """The block to write to: the one named `label`, else `human`, else any but the persona that is not read-only."""
    named = block_named(prompt, label) or block_named(prompt, HUMAN)
    if named:
        return named
    return next((block for block in prompt.blocks if not block.read_only and block.label != PERSONA), None)


def holds(text: str, line: str) -> bool:
    """Whether the line stands in the text already, whatever the spacing and punctuation."""
    return _plain(line) in _plain(text)


def _plain(text: str) -> str:
    words = " ".join(re.findall(r"[^_\W]+", text.lower()))
    return f" {words} "
