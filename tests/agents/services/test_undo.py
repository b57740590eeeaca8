"""Taking back one edit of a block: exactly that edit, and only if nobody touched it since."""

import pytest

from agents.text.diff import without


@pytest.mark.parametrize(
    ("before", "edited", "current", "wanted"),
    [
        ("We met.", "We met.\nName: Ada.", "We met.\nName: Ada.", "We met."),
        ("We met.", "We met.\nName: Ada.", "We met.\nName: Ada.\nLives in Lisbon.", "We met.\nLives in Lisbon."),
        ("We met.", "We met.\nName: Ada.", "We met in May.\nName: Ada.", "We met in May."),
        ("Likes tea and rain.", "Likes rain.", "Likes rain. Plays chess.", "Likes tea and rain. Plays chess."),
        ("Lives in Porto.", "Lives in Lisbon.", "Ada lives.\nLives in Lisbon.", "Ada lives.\nLives in Porto."),
        ("", "Name: Ada.", "Name: Ada.", ""),
        ("她住在波尔图。", "她住在里斯本。", "她住在里斯本。喜欢茶。", "她住在波尔图。喜欢茶。"),
    ],
)
def test_one_edit_goes_and_later_ones_stay(before: str, edited: str, current: str, wanted: str) -> None:
    assert without(current, edited, before) == wanted


@pytest.mark.parametrize(
    ("before", "edited", "current"),
    [
        ("We met.", "We met.\nName: Ada.", "We met.\nName: Ada Lovelace."),
        ("Lives in Porto.", "Lives in Lisbon.", "Lives in Braga."),
        ("Likes tea.", "", "Everything is new."),
        ("We met.", "We met.\nName: Ada.", "Mine alone."),
    ],
)
def test_an_edit_whose_words_were_changed_since_is_not_guessed_at(before: str, edited: str, current: str) -> None:
    assert without(current, edited, before) is None
