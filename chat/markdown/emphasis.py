"""Emphasis beside Chinese, Japanese and Korean, which have no spaces around words: `**重点：**内容`.

CommonMark takes stars after punctuation for the end of an emphasis only before a space or more punctuation. As
github.com/tats-u/markdown-cjk-friendly has it, a CJK character does as well. `_` is left as it is.
"""

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

from agents.text.cjk import is_wide


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 - markdown-it's own name
        scanned = super().scanDelims(start, canSplitWord)
        before = self.src[start - 1] if start else " "
        end = start + scanned.length
        after = self.src[end] if end < self.posMax else " "
        if not canSplitWord or not (_is_cjk(before) or _is_cjk(after)):
            return scanned
        can_open = not isWhiteSpace(ord(after)) and (_is_cjk(after) or not _is_mark(after) or not _is_word(before))
        can_close = not isWhiteSpace(ord(before)) and (_is_cjk(before) or not _is_mark(before) or not _is_word(after))
        return Scanned(can_open, can_close, scanned.length)


class _Inline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def inline_parser() -> ParserInline:
    """To stand in place of markdown-it's own."""
    return _Inline()


def _is_cjk(character: str) -> bool:
    return is_wide(character) or "\U00020000" <= character <= "\U0003ffff"


def _is_mark(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


def _is_word(character: str) -> bool:
    """Of a word that is written with spaces around it."""
    return not (_is_cjk(character) or _is_mark(character) or isWhiteSpace(ord(character)))
