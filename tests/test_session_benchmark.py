"""How the benchmark of whole sessions judges what stands in memory and what was answered."""

import pytest

from benchmarks.session import claims, invented, is_right, load, outcome

BIRTHDAY = {"fact": "birthday", "now": [["birthday", "turns"], ["4 March"]], "old": ["14 March"]}


@pytest.mark.parametrize(
    ("memory", "came"),
    [
        ("Daughter turns 7 on 4 March.", "kept"),
        ("Birthday of the daughter.\nHoliday on 4 March.", "lost"),
        ("Daughter turns 7 on 14 March.", "wrong"),
        ("Birthday: 14 March.\nBirthday: 4 March.", "contradictory"),
        ("The birthday is on 4 March, not on 14 March.", "kept"),
        ("Birthday on 4 March.\nBefore: birthday on 14 March.", "kept"),
    ],
)
def test_a_fact_is_kept_where_one_line_has_all_of_it_and_none_the_old(memory: str, came: str) -> None:
    assert outcome(BIRTHDAY, memory) == came


def test_an_answer_has_one_text_of_each_group_and_none_that_is_wrong() -> None:
    turn = {"say": "", "right": [["Graz"], ["4", "four"]], "not": ["Linz"]}
    assert is_right(turn, "You live in Graz, with four cats.")
    assert not is_right(turn, "You live in Graz, with 14 cats.")
    assert not is_right(turn, "Four cats in Graz, then in Linz.")


def test_what_nobody_said_is_invented_and_advice_is_no_claim() -> None:
    assert invented("Lives in Graz with Otto, 41.", "I live in Graz") == ["41", "otto"]
    assert claims("You could try Rome. You live in Graz. Do you like Otto?") == "You live in Graz."


def test_every_session_has_ten_turns_and_every_text_that_is_right_was_said() -> None:
    for session in load():
        said = " ".join(turn["say"] for turn in session["turns"]).lower()
        assert len(session["turns"]) == 10
        for fact in session["facts"]:
            assert any(text.lower() in said for group in fact["now"] for text in group), (session["name"], fact)
