"""What people, files and models wrote, framed so that it cannot pose as words of memweb's own in a prompt.

Lines of memweb begin at the left margin; lines from outside stand behind an indent. Events are JSON, which a text
inside cannot end. What a chat template or this frame would take as a mark is parted by a character that nobody sees.
Nor does `agents.text.matching`, so that what a model copies out of its prompt is still found.
"""

import re
from xml.sax.saxutils import escape

INDENT = "  "
UNSEEN = "\u2060"  # word joiner
# How the control tokens of chat templates are written. Servers that run open models make tokens of them wherever they
# stand in a prompt. Sources: the tokenizer files of Llama, Mistral, Qwen, Gemma, Phi, DeepSeek, GLM, Command, MiniMax.
_ANGLED = (
    r"s|bos|eos|pad|unk|mask|sop|eop|cls|sep|image|audio|video|think|reserved_\w+|unused\d+|tool_\w+|"
    r"\w*(?:start|end)_of_\w+"
)
_SQUARE = r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w+|ARGS|CALL_ID|THINK|IMG\w*|gMASK|sMASK|PREFIX|SUFFIX|MIDDLE"
_CONTROL = re.compile(
    rf"<(?=[|｜]|/?(?:{_ANGLED})>|<?/?SYS>)|\[(?=/?(?:{_SQUARE})\]|e~\[)|\](?=~[!a-z]*[\]\[])", re.IGNORECASE
)
BEGINNINGS = "<[]"  # of what `_CONTROL` finds
_TAG = re.compile(r"[<＜](?=[\s/\\／]*block\b)", re.IGNORECASE)


def without_control_marks(text: str) -> str:
    """Any text that goes to a model, JSON too, with no mark in it that a chat template gives a meaning."""
    if not any(sign in text for sign in BEGINNINGS):  # most texts, and each step sends the whole window again
        return text
    return _CONTROL.sub(rf"\g<0>{UNSEEN}", text)


def indented(text: str) -> str:
    """Every line of it behind the indent, and no tag of a block in it."""
    return "\n".join(map(_behind, _parted(text).splitlines()))


def continued(text: str) -> str:
    """As what follows a mark of memweb's on the same line: every line but the first behind the indent."""
    first, *rest = _parted(text).splitlines() or [""]
    return "\n".join([first, *map(_behind, rest)])


def one_line(text: str) -> str:
    """A name from outside, within brackets of memweb's: no line ends, no brackets."""
    return " ".join(text.split()).replace("[", "(").replace("]", ")")


def attribute(text: str) -> str:
    """As the value of an attribute of a tag, on its line and within its quotes."""
    return escape(" ".join(_parted(text).split()), {'"': "&quot;"})


def unindented(text: str) -> str:
    """What a model copied out of a prompt, indent and all: without it, where every line after the first has it."""
    first, *rest = text.split("\n")
    if not rest or any(line.strip() and not line.startswith(INDENT) for line in rest):
        return text
    return "\n".join([first.removeprefix(INDENT), *(line.removeprefix(INDENT) for line in rest)])


def _behind(line: str) -> str:
    return INDENT + line if line.strip() else ""


def _parted(text: str) -> str:
    return _TAG.sub(rf"\g<0>{UNSEEN}", text)
