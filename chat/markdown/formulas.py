r"""Formulas: `\(...\)`, `\[...\]`, `$$...$$`, and `$...$` where it can be nothing else, as MathML.

What is no formula, or cannot be drawn, is shown as it was written.
"""

import re
from bisect import bisect_left

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from math_core import LatexError, LatexToMathML

CLOSING = {"\\(": "\\)", "\\[": "\\]", "$$": "$$", "$": "$"}
LONGEST = 3000  # characters of a formula
# The converter calls itself for what is within what, without a bound of its own: some 1.8 kB of the stack for each.
MOST_NESTED = 800
WIDE = 60  # characters from which on a formula within a line may be wider than a phone

_NESTS = re.compile(r"[\\{^_]")
_DEFINES = re.compile(r"\\(?:(?:re)?newcommand|def|let|providecommand)\b")
_NAMES = re.compile(r"\\[A-Za-z]+\*?\s*(?:\{[^{}]*\})?|[_^]\{[^{}]*\}")  # commands, with what may be their text
_WORD = re.compile(r"[^\W\d_]{4,}|[\u2e80-\uffef]")
_SIGN = re.compile(r"[\\^_=<>+\-*/(|!≤≥≠≈∈→×·±]")
_SYMBOL = re.compile(r"\s*(?:[^\W\d_]{1,3}'*|\d+(?:[.,]\d+)?)\s*")
_STYLE = re.compile(r' style="([^"<>]*)"')
_CLASSES = {
    "text-align: right": "right",
    "text-align: left": "left",
    "border-right": "rule-right",
    "border-top": "rule-top",
}

_converter = LatexToMathML(fancy_error=False, max_expansions=0)


def use(parser: MarkdownIt) -> None:
    """Have `parser` draw formulas."""
    parser.inline.ruler.before("escape", "formula", _in_line)
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula_block", _on_lines, interrupts)


def drawn(opening: str, source: str) -> str:
    """A formula as HTML; its source between its signs where it cannot be drawn."""
    block = opening in ("\\[", "$$")
    name = "formula wide" if block or len(source) > WIDE else "formula"
    try:
        mathml = _converter.convert_with_local_state(source.strip(), displaystyle=block) if _is_safe(source) else ""
    except LatexError:
        mathml = ""
    shown = _STYLE.sub(_as_classes, mathml) or escapeHtml(f"{opening}{source}{CLOSING[opening]}")
    return f'<span class="{name}">{shown}</span>'


def _is_safe(source: str) -> bool:
    return len(_NESTS.findall(source)) <= MOST_NESTED and not _DEFINES.search(source)


def _as_classes(style: re.Match[str]) -> str:
    """The policy of the pages allows no styles inside: those that matter have a class each."""
    names = [name for sign, name in _CLASSES.items() if sign in style[1]]
    return f' class="{" ".join(names)}"' if names else ""


def _is_formula(opening: str, source: str) -> bool:
    """Whether the signs around it are meant as such: `$5 and $10` is money, and `\\[1\\]` a note with its brackets."""
    if not source.strip():
        return False
    if _SYMBOL.fullmatch(source):
        return opening != "\\[" or not source.strip().isdigit()
    return bool(_SIGN.search(source)) and not _WORD.search(_NAMES.sub(" ", source))


def _in_line(state: StateInline, silent: bool) -> bool:
    opening = next((sign for sign in CLOSING if state.src.startswith(sign, state.pos)), "")
    if not opening:
        return False
    start = state.pos + len(opening)
    end = state.src.find(CLOSING[opening], start, min(start + LONGEST, state.posMax))
    if end < 0 or (opening == "$" and not _stands_apart(state, start, end)):
        return False
    source = state.src[start:end]
    if not _is_formula(opening, source):
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.markup, token.content = opening, source
    state.pos = end + len(opening)
    return True


def _stands_apart(state: StateInline, start: int, end: int) -> bool:
    r"""Whether a pair of `$` is close around its content and has no letter, digit or `\` at its outside."""
    source = state.src
    before, after = source[start - 2 : start - 1], source[end + 1 : end + 2]
    inside = source[start:end]
    outside = not re.match(r"[A-Za-z0-9_$\\]", before or " ") and not re.match(r"[A-Za-z0-9_$]", after or " ")
    return outside and inside == inside.strip() and "\n" not in inside and not inside.endswith("\\")


def _on_lines(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A formula with lines of its own: from one that begins with its sign to one that ends with it."""
    start = state.bMarks[start_line] + state.tShift[start_line]
    opening = state.src[start : start + 2]
    if opening not in ("\\[", "$$") or state.is_code_block(start_line):
        return False
    end = state.src.find(CLOSING[opening], start + 2, start + 2 + LONGEST)
    line = bisect_left(state.eMarks, end, start_line) if end >= 0 else end_line
    if line >= end_line or state.src[end + 2 : state.eMarks[line]].strip(" \t.,;。，；"):
        return False
    if any(0 <= state.sCount[n] < state.blkIndent and not state.isEmpty(n) for n in range(start_line + 1, line + 1)):
        return False
    lines = state.getLines(start_line, line + 1, state.blkIndent, False).strip()
    source, _, mark = lines[2:].rpartition(CLOSING[opening])
    if not _is_formula(opening, source):
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.markup, token.content, token.info = opening, source, mark
        token.map = [start_line, line + 1]
    state.line = line + 1
    return True
