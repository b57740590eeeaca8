"""Both languages are whole: every text that can be translated is, and no text of a page is left out of it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.template.base import Lexer, TokenType
from django.utils import translation

from memweb.stack.env import PACKAGE_FOLDER
from tests.messages import FOLDER, texts

DOMAINS = ("django", "djangojs")
TEMPLATES = sorted(path for path in (PACKAGE_FOLDER / "templates").rglob("*.html") if path.name != "500.html")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}|</?(?:b|u|kbd|code)>")
# Names and code are the same in every language. The page for when nothing works does without the machinery.
NAMES = re.compile(
    r"memweb|\.env|OPENAI_\w+=\S+|MEMWEB_\w+=\S+|"
    r"\b(?:Ctrl|Alt|Shift|Enter|Esc|EN|K|M|N|S|s|id|of)\b"
)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_catalogue_holds_exactly_the_texts_of_the_sources(domain: str) -> None:
    """Run `make messages` after adding a text."""
    catalogue = polib.pofile(str(FOLDER / f"{domain}.po"))
    assert {(entry.msgid, entry.msgid_plural) for entry in catalogue} == set(texts(domain))


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_text_is_translated_with_its_placeholders(domain: str) -> None:
    for entry in polib.pofile(str(FOLDER / f"{domain}.po")):
        translated = entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr
        assert translated, f"not translated: {entry.msgid}"
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        assert set(PLACEHOLDER.findall(translated)) == wanted, entry.msgid


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_compiled_catalogue_is_of_this_source(domain: str) -> None:
    source, compiled = (FOLDER / f"{domain}.{ending}" for ending in ("po", "mo"))
    pairs = [
        {(e.msgid, e.msgid_plural, e.msgstr or e.msgstr_plural.get(0, "")) for e in catalogue}
        for catalogue in (polib.pofile(str(source)), polib.mofile(str(compiled)))
    ]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_nothing_that_is_not_to_be_translated(path: Path) -> None:
    assert not re.findall(r"[A-Za-z]{2,}", NAMES.sub("", bare_text(path.read_text())))


def bare_text(source: str) -> str:
    """What a reader sees or hears of a template without its tags, variables and translated parts."""
    kept, inside = [], False
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name = token.contents.split()[0]
            inside = name == "blocktranslate" or (inside and name != "endblocktranslate")
            kept.append("\x00")  # part of an attribute's value, perhaps
        elif token.token_type == TokenType.VAR:
            kept.append("\x00")
        elif token.token_type == TokenType.TEXT and not inside:
            kept.append(token.contents)
    reader = _Reader()
    reader.feed("".join(kept))
    reader.close()
    return " ".join(reader.parts)


class _Reader(HTMLParser):
    """Collects text and the attributes that are read out or shown."""

    SPOKEN = {"title", "aria-label", "placeholder", "alt"}

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts += [value or "" for name, value in attrs if name in self.SPOKEN]


def test_chinese_is_really_spoken() -> None:
    with translation.override("zh-hans"):
        assert translation.gettext("Core memory") == "核心记忆"
