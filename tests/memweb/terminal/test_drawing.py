"""Texts and drafts as they are drawn."""

import io

import pytest
from rich.console import Console

from memweb.client import Change, Delta, Dropped, FunctionCall
from memweb.terminal.draft import Draft
from memweb.terminal.language import gettext, language
from memweb.terminal.safe import one_line, safe
from memweb.terminal.screen import Screen, call_line

SEQUENCES = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b[?1049h\x1b[2Ja", "a"),
    ("\x9b31ma", "a"),
    ("\x1b]0;title\x07a", "a"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x9dtitle\x9ca", "a"),
    ("\x1bP1$q\x1b\\a\x1b_x\x1b\\b\x1b^y\x1b\\c", "abc"),
    ("\x1bca\x1b(Bb\x1b", "ab"),
    ("\x1b[", ""),
    ("\x1b]never ends", ""),
    ("a\x00\x07\x08\x7f\x85b", "a\nb"),
    ("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne"),
    ("a\u202eb\u2066c\u200fd", "abcd"),
    ("a\tb", "a    b"),
    ("\ud800x", "x"),
    ("👨‍👩‍👧 é 中文 [red]", "👨‍👩‍👧 é 中文 [red]"),
]


@pytest.mark.parametrize(("text", "shown"), SEQUENCES)
def test_what_a_terminal_would_carry_out_is_taken_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_one_line_is_one() -> None:
    assert one_line(" a\n\r b\u2029c\t") == "a b c"


def screen(columns: int = 40, **how: bool) -> tuple[Screen, io.StringIO]:
    output = io.StringIO()
    return Screen(Console(file=output, width=columns, **how)), output  # type: ignore[arg-type]


def test_a_long_call_is_one_line_of_the_terminal() -> None:
    drawing, output = screen(30)
    drawing.message(FunctionCall(name="f", arguments='{"a": "' + "x" * 99 + '"}', call_id="1"), "Sam")
    drawing.note("next")
    first, second = output.getvalue().splitlines()
    assert len(first) <= 30 and first.startswith("  → f(a=x") and first.endswith("…") and second == "next"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ('{"inner_thoughts": "x", "n": 1, "t": "两", "request_heartbeat": true}', "→ f(n=1, t=两)"),
        ("{broken\n", "→ f()"),
        ("[1]", "→ f()"),
        ("", "→ f()"),
    ],
)
def test_a_call_in_one_line(arguments: str, line: str) -> None:
    assert call_line(FunctionCall(name="f", arguments=arguments)) == line


def test_what_stayed_is_shortened_and_what_changed_is_not() -> None:
    drawing, _output = screen()
    change: Change = (
        ("equal", "a " * 100),
        ("insert", "n" * 90),
        ("equal", "b " * 100),
        ("delete", "old"),
        ("equal", "c " * 100),
    )
    text = drawing.difference(change).plain
    assert "{+" + "n" * 90 + "+}" in text and "[-old-]" in text
    assert text.startswith("…a a") and text.endswith("c c …") and len(text) < 300


def delta(text: str, offset: int, step: int = 1) -> Delta:
    return Delta(run_id="run-1", step=step, part="reply", offset=offset, text=text)


def test_a_draft_grows_is_mended_and_dropped() -> None:
    draft = Draft()
    draft.add(delta("Hello", 0))
    draft.add(delta("lo Bob", 3))
    assert draft.parts == {"reply": "Hello Bob"}
    draft.add(delta("far on", 50))  # what lies between was missed
    draft.add(delta("!", 56))
    assert draft.parts == {"reply": "far on!"}
    draft.drop(Dropped(run_id="run-1", step=2))
    assert draft.parts
    draft.add(delta("anew", 0, step=2))
    assert draft.parts == {"reply": "anew"}
    draft.drop(Dropped(run_id="run-1", step=2))
    assert draft.drawn("Sam", []) is None


def test_the_language_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert language() == "en"
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert language() == "zh-hans" and gettext("Nothing was done.") == "什么都没有改动。"
    monkeypatch.setenv("LC_ALL", "C")
    assert language() == "en" and gettext("Nothing was done.") == "Nothing was done."
