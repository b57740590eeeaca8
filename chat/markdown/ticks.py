"""Ticked lists: `- [x] bread` with a box before it."""

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

BOXES = {"[ ] ": "☐", "[x] ": "☑", "[X] ": "☑"}


def use(parser: MarkdownIt) -> None:
    """Have `parser` draw ticked lists."""
    parser.core.ruler.after("inline", "ticks", _tick)


def _tick(state: StateCore) -> None:
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, paragraph.type) != ("list_item_open", "paragraph_open") or not inline.children:
            continue
        first = inline.children[0]
        box = BOXES.get(first.content[:4])
        if box and first.type == "text":
            first.content = first.content[4:]
            inline.children.insert(0, Token("tick", "", 0, content=box))
            item.attrSet("class", "task")
