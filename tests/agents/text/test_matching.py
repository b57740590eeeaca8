"""What somebody copied is found though it differs in what cannot be seen, and in nothing else."""

import unicodedata

import pytest

from agents.text import matching

COPIES = {
    "normal form": (unicodedata.normalize("NFD", "Name: José Müller"), "Name: José Müller"),
    "normal form, the other way": ("Name: José Müller", unicodedata.normalize("NFD", "Name: José Müller")),
    "Hangul in letters": (unicodedata.normalize("NFD", "이름: 김민수"), "이름: 김민수"),
    "English quotes": ("Anna’s cat is called “Momo”.", 'Anna\'s cat is called "Momo".'),
    "German and French quotes": ("Sagt „ja“ und « oui »", 'Sagt "ja" und " oui "'),
    "Chinese quotes": ("喜欢《红楼梦》和「茶」", '喜欢"红楼梦"和"茶"'),
    "no-break space": ("Likes\u00a0tea", "Likes tea"),
    "thin and ideographic space": ("10\u2009km\u3000far", "10 km far"),
    "zero width": ("Lives in\u200b Ro\u200dme\ufeff.", "Lives in Rome."),
    "soft hyphen": ("Donau\u00addampf", "Donaudampf"),
    "dashes": ("2019–2024 — Oslo", "2019-2024 - Oslo"),
    "full width": ("电话：１２３（家）", "电话:123(家)"),
    "line ends": ("Name: Ann.\nLikes tea.", "Name: Ann.\r\nLikes tea."),
    "spaces at a line's end": ("Name: Ann.  \nLikes tea.", "Name: Ann.\nLikes tea."),
    "spaces at the ends": ("Likes tea.", "  Likes tea. \n"),
    "ligature": ("oﬀice", "office"),
    "ellipsis": ("Waits…", "Waits..."),
}


@pytest.mark.parametrize(("text", "copy"), COPIES.values(), ids=COPIES)
def test_a_copy_that_looks_the_same_is_found_as_the_very_stretch(text: str, copy: str) -> None:
    before, after = "Other — text.\n", "\n“More”…"
    start = len(before)
    found = matching.stretches(before + text + after, copy)
    assert [(before + text + after)[left:right].strip("\ufeff") for left, right in found] == [text.strip("\ufeff")]
    assert found[0][0] == start


@pytest.mark.parametrize(
    ("text", "other"),
    [("Likes tea", "likes tea"), ("10² km", "102 km"), ("jose", "josé"), ("oﬀice", "of"), ("e\u0301t", "e"), ("", "x")],
)
def test_what_looks_otherwise_is_not_found(text: str, other: str) -> None:
    assert not matching.stretches(text, other)


def test_the_exact_text_goes_before_one_that_looks_like_it() -> None:
    assert matching.stretches('“a” and "a"', '"a"') == [(8, 11)]


def test_white_space_at_the_ends_tells_one_place_from_another() -> None:
    assert matching.stretches("tea\ntea time", "tea\n") == [(0, 3)]
    assert len(matching.stretches("tea\ntea time", "tea")) == 2


def test_places_that_overlap_are_counted_each() -> None:
    assert len(matching.stretches("aaa", "aa")) == 2


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("Lives in Paris.", ("Lives in", "Lives in Rome.")),
        ("Lives in Romania.", ("Lives in", "Lives in Rome.")),
        ("She lives in Rome", ("", "Lives in Rome.")),
        ("住在北京", ("住在", "住在上海。")),
        ("Name: Ann.\nHas a dog.", ("Name: Ann.", "Name: Ann.")),
        ("Quite another thing", ("", "")),
    ],
)
def test_what_stands_there_of_a_text_that_does_not(part: str, expected: tuple[str, str]) -> None:
    assert matching.nearest("Name: Ann.\nLives in Rome.\n住在上海。", part) == expected
