"""Differences between two texts are whole words, and lose nothing of either."""

import itertools
import random

import pytest

from agents.text.diff import Piece, words

TEXTS = [
    "",
    " ",
    "Name: Ada.",
    "Name: Ada Lovelace.\nLives in Lisbon.",
    "Lives in Porto.\n\nName: Ada Lovelace.",
    "不知道这个人的名字。住在里斯本。",
    "住在里斯本,有一只猫。",
    "It's 5 o'clock—isn’t it? 🙂\t\tyes",
    '<b>not</b> bold & "quoted"\r\n',
]


def old_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if piece.op != "added")


def new_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if piece.op != "removed")


@pytest.mark.parametrize(("old", "new"), list(itertools.product(TEXTS, TEXTS)))
def test_both_texts_can_be_read_back(old: str, new: str) -> None:
    pieces = words(old, new)
    assert (old_of(pieces), new_of(pieces)) == (old, new)
    assert all(piece.text for piece in pieces)


def test_both_texts_can_be_read_back_after_any_edits() -> None:
    chance = random.Random(7)
    vocabulary = ["lisbon", " ", "\n", "it's", "x-ray", ".", "  ", "猫", "é", "Ada", ","]
    for _ in range(200):
        old = "".join(chance.choices(vocabulary, k=chance.randrange(40)))
        new = list(old)
        for _ in range(chance.randrange(6)):
            place = chance.randrange(len(new) + 1)
            new[place : place + chance.randrange(5)] = chance.choices(vocabulary, k=chance.randrange(3))
        pieces = words(old, "".join(new))
        assert (old_of(pieces), new_of(pieces)) == (old, "".join(new))


def test_the_same_text_has_no_difference() -> None:
    assert words("Name: Ada.", "Name: Ada.") == [Piece("same", "Name: Ada.")]


def test_a_changed_word_is_changed_whole() -> None:
    assert words("Lives in Lisbon.", "Lives in Lisboa.") == [
        Piece("same", "Lives in "),
        Piece("removed", "Lisbon"),
        Piece("added", "Lisboa"),
        Piece("same", "."),
    ]


@pytest.mark.parametrize(("old", "new"), [("it's", "its"), ("isn’t", "is"), ("x-ray", "x-rays"), ("café", "cafe")])
def test_words_with_apostrophes_hyphens_and_accents_are_one_word(old: str, new: str) -> None:
    assert words(old, new) == [Piece("removed", old), Piece("added", new)]


def test_an_added_line_leaves_the_others_alone() -> None:
    assert words("We have just met.", "We have just met.\nName: Ada.") == [
        Piece("same", "We have just met."),
        Piece("added", "\nName: Ada."),
    ]
