"""Bare addresses as links: with http, https or www. and nothing else, and without the punctuation around them."""

import re
from functools import cached_property

from linkify_it import LinkifyIt
from linkify_it.main import Match
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

LONGEST_ADDRESS = 2000  # characters
# Punctuation of Chinese and Japanese, and quotes of any language, end an address.
_END = re.compile(r"[\u2018-\u201f\u2026\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65«»]")

_SCHEME = re.compile(r"(?:^|[^a-z0-9.+-])(https?)$", re.IGNORECASE)


class _Links(LinkifyIt):  # type: ignore[misc]
    def match(self, text: str) -> list[Match] | None:
        found: list[Match] | None = super().match(_END.sub(" ", text))
        return found

    def match_at_start(self, text: str) -> Match | None:
        end = _END.search(text)
        return super().match_at_start(text[: end.start()] if end else text)

    def normalize(self, match: Match) -> None:
        super().normalize(match)
        if match.schema == "www.":
            match.url = f"https://{match.text}"

    def host_after_www(self, text: str, position: int) -> int:
        """How much of `text`, from the end of a "www." on, belongs to the address."""
        found = self._host.match(text, position)
        return len(found.group()) if found else 0

    @cached_property
    def _host(self) -> re.Pattern[str]:
        name, end = self.re["src_domain"], self.re["src_port"] + self.re["src_host_terminator"] + self.re["src_path"]
        return re.compile(rf"{name}(?:\.{name}){{1,8}}{end}", re.IGNORECASE)


def use(parser: MarkdownIt) -> None:
    """Have `parser` draw bare addresses as links."""
    links = _Links(options={"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    for schema in ("ftp:", "//", "mailto:"):
        links.add(schema, None)
    links.add("www.", {"validate": links.host_after_www})
    parser.linkify = links
    parser.options["linkify"] = True
    parser.enable("linkify")
    parser.inline.ruler.at("linkify", _in_line)  # markdown-it's own reads all that went before, at each "://"


def _in_line(state: StateInline, silent: bool) -> bool:
    """An address wherever it begins, before its `_` and `*` are taken for emphasis."""
    if state.linkLevel or not state.src.startswith("://", state.pos) or not state.md.linkify:
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    if not scheme or not state.pending.endswith(scheme[1]):
        return False
    start = state.pos - len(scheme[1])
    match = state.md.linkify.match_at_start(state.src[start : start + LONGEST_ADDRESS])
    address = match.url.rstrip("*~") if match else ""
    target = state.md.normalizeLink(address)
    if not address or not state.md.validateLink(target):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[1])]
        state.push("link_open", "a", 1).attrs = {"href": target}
        state.push("text", "", 0).content = state.md.normalizeLinkText(address)
        state.push("link_close", "a", -1)
    state.pos = start + len(address)
    return True
