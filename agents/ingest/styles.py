"""What CSS says of an element, as far as it decides whether a person sees it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import soupsieve
import tinycss2
from bs4 import BeautifulSoup, Tag
from cssselect import SelectorError, parse
from cssselect.parser import Class, CombinedSelector, Element, Hash
from soupsieve.util import SelectorSyntaxError
from tinycss2.ast import AtRule, Declaration, QualifiedRule

Values = list[Any]  # a property's tokens, without white space
Style = dict[str, Values]
Rank = tuple[bool, tuple[int, ...], int]  # of two declarations the higher counts: important, specificity, order

TELLING = {
    *("display", "visibility", "opacity", "font-size", "font", "color", "background", "background-color"),
    *("position", "left", "top", "right", "bottom", "text-indent", "margin-left", "margin-top", "margin", "transform"),
    *("clip", "clip-path", "width", "height", "max-width", "max-height", "overflow", "content-visibility"),
}
ATTRIBUTE = (1, 0, 0, 0)  # a style attribute is above any selector


def styles_of(soup: BeautifulSoup, sheets: Iterable[str] = ()) -> dict[int, Style]:
    """The properties of each element, by its `id()`, that `sheets`, the page's own style elements and style attributes
    give it. Inheritance is not in it."""
    ranked: defaultdict[int, dict[str, tuple[Rank, Values]]] = defaultdict(dict)
    order = count()
    tags = _by_name(soup)

    def declare(tag: Tag, declaration: Declaration, specificity: tuple[int, ...]) -> None:
        rank = (declaration.important, specificity, next(order))
        held = ranked[id(tag)].get(declaration.lower_name)
        if held is None or held[0] < rank:
            values = [token for token in declaration.value if token.type not in ("whitespace", "comment")]
            ranked[id(tag)][declaration.lower_name] = (rank, values)

    for sheet in [*sheets, *_own_sheets(soup)]:
        rules = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
        for selector, declarations in _rules(rules):
            for tag, specificity in _matching(selector, tags):
                for declaration in declarations:
                    declare(tag, declaration, specificity)
    for tag in soup.select("[style]"):
        for declaration in _declarations(str(tag["style"])):
            declare(tag, declaration, ATTRIBUTE)
    return {tag: {name: values for name, (_, values) in style.items()} for tag, style in ranked.items()}


def _own_sheets(soup: BeautifulSoup) -> Iterator[str]:
    for tag in soup("style"):
        if _is_on_screen(str(tag.get("media", ""))) and not tag.find_parent(["noscript", "template"]):
            yield tag.get_text()


def _rules(rules: Iterable[Any]) -> Iterator[tuple[str, list[Declaration]]]:
    """Rules that say something telling, also within @media, @supports and @layer."""
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            declarations = _declarations(rule.content)
            if declarations:
                yield tinycss2.serialize(rule.prelude), declarations
        elif isinstance(rule, AtRule) and rule.content and _counts(rule):
            yield from _rules(tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True))


def _counts(rule: AtRule) -> bool:
    """Whether the rules within it hold on a screen."""
    if rule.lower_at_keyword == "media":
        return _is_on_screen(tinycss2.serialize(rule.prelude))
    return rule.lower_at_keyword in ("supports", "layer")


def _declarations(source: Any) -> list[Declaration]:
    found = tinycss2.parse_blocks_contents(source, skip_comments=True, skip_whitespace=True)
    return [item for item in found if isinstance(item, Declaration) and item.lower_name in TELLING]


def _by_name(soup: BeautifulSoup) -> dict[str, list[Tag]]:
    """The elements by their names, classes (".a") and ids ("#b"), and all of them ("")."""
    found: defaultdict[str, list[Tag]] = defaultdict(list)
    for tag in soup.find_all(True):
        classes = tag.get_attribute_list("class")
        for name in {"", tag.name, f"#{tag.get('id')}", *(f".{each}" for each in classes)}:
            found[name].append(tag)
    return found


def _matching(selectors: str, tags: dict[str, list[Tag]]) -> Iterator[tuple[Tag, tuple[int, ...]]]:
    try:
        for selector in parse(selectors):
            names = list(_names(selector.parsed_tree))
            if selector.pseudo_element or not all(name in tags for name in names):
                continue
            matcher = soupsieve.compile(selector.canonical())
            for tag in filter(matcher.match, tags[names[0]]):
                yield tag, (0, *selector.specificity())
    except (SelectorError, SelectorSyntaxError, NotImplementedError):
        return  # a browser leaves out what it does not know, too


def _names(tree: Any) -> Iterator[str]:
    """What elements must be called for a selector to match, as `_by_name` has it; the element itself first."""
    if isinstance(tree, CombinedSelector):
        yield from _names(tree.subselector)
        yield from _names(tree.selector)
        return
    while not isinstance(tree, Element):
        if isinstance(tree, Hash):
            yield f"#{tree.id}"
        elif isinstance(tree, Class):
            yield f".{tree.class_name}"
        tree = tree.selector
    yield (tree.element or "").lower()


def _is_on_screen(media: str) -> bool:
    """On a screen that is wide enough for anything."""
    queries = [query.strip() for query in media.lower().split(",")]
    return any(
        not query.startswith(("print", "speech", "not ", "only print"))
        and "max-" not in query
        and "prefers" not in query
        for query in queries
    )
