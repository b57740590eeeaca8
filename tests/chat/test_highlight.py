"""What matched is marked, in the part of the text that has it; everything else stays text."""

import re

import pytest

from chat.highlight import EXCERPT, LEAD, excerpt


def marked(text: str, query: str) -> list[str]:
    return re.findall(r"<mark>(.*?)</mark>", excerpt(text, query))


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("The keeper lit the lamp.", "lamp", ["lamp"]),
        ("The Keeper lit the LAMP.", "lamp keeper", ["Keeper", "LAMP"]),
        ("One keeper, two keepers.", "keepers", ["keeper", "keepers"]),
        ("Whales swim. A whale swims. Swimming.", "whales swim", ["Whales", "swim", "whale", "swims", "Swimming"]),
        ("Lampshade and clamp.", "lamp", []),
        ("lamp lamp lamp", "lamp lamp", ["lamp", "lamp", "lamp"]),
        ("The lamp, (lamp) lamp!", "(lamp)", ["lamp", "lamp", "lamp"]),
        ("Nothing of that.", "lighthouse", []),
        ("Nothing was looked for.", "", []),
        ("a & b | c", "&|!", []),
        ("Café in Köln", "köln café", ["Café", "Köln"]),
        ("我上个星期搬到里斯本了", "里斯本", ["里斯本"]),
        ("里斯本和马德里", "里斯本", ["里斯本"]),
        ("我住在北京市，也喜欢北京。", "北京", ["北京", "北京"]),
        ("我在Lisbon住", "lisbon", ["Lisbon"]),
        ("我在Lisbon住", "在 lisbon", ["在", "Lisbon"]),
        ("灯塔keeper与灯", "灯塔 keeper", ["灯塔", "keeper"]),
    ],
)
def test_what_matches_is_marked(text: str, query: str, found: list[str]) -> None:
    assert marked(text, query) == found


@pytest.mark.parametrize("query", ["", "lamp", "script b"])
def test_everything_else_stays_text(query: str) -> None:
    attack = '<script>alert("lamp")</script> <b>&amp;'
    shown = excerpt(attack, query)
    assert "<script" not in shown and "<b>" not in shown and "&amp;amp;" in shown
    assert re.sub(r"</?mark>", "", shown) == excerpt(attack, "")


def test_a_short_text_is_shown_whole() -> None:
    text = "x" * EXCERPT
    assert excerpt(text, "") == text and excerpt(text + "y", "") == text + "…"


def test_a_long_text_is_shown_from_shortly_before_its_first_match() -> None:
    text = "word " * 400 + "lamp " + "word " * 400
    shown = excerpt(text, "lamp")
    before, after = re.split(r"<mark>lamp</mark>", shown)
    assert before.startswith("…") and after.endswith("…")
    assert len(before) == LEAD + 1 and len(before) + len("lamp") + len(after) == EXCERPT + 2


def test_a_match_near_the_beginning_shows_the_beginning() -> None:
    shown = excerpt("The lamp. " + "word " * 400, "lamp")
    assert shown.startswith("The <mark>lamp</mark>. word") and shown.endswith("…")


def test_a_match_across_the_end_is_marked_up_to_it() -> None:
    text = "lamp " + "x" * (EXCERPT - 8) + " lamplight"
    shown = excerpt(text, "lamp lamplight")
    assert shown.startswith("<mark>lamp</mark> x") and shown.endswith(" <mark>la</mark>…")


def test_a_match_after_the_end_is_not_shown() -> None:
    assert excerpt("lamp " + "x" * EXCERPT + " lamp", "lamp").count("<mark>") == 1


def test_only_so_many_words_of_a_query_are_marked() -> None:
    query = " ".join(f"w{number}" for number in range(100))
    assert marked("w1 w63 w64 w99", query) == ["w1", "w63"]


def test_a_query_of_nothing_but_signs_marks_nothing() -> None:
    for query in ("!!! ???", "…", "'", "\\", "[(", "%"):
        assert marked("What? [Now] (then) it's \\ % …", query) == []


def test_accents_and_case_make_no_difference() -> None:
    assert excerpt("Im CAFÉ mit Jose", "café josé") == "Im <mark>CAFÉ</mark> mit <mark>Jose</mark>"
