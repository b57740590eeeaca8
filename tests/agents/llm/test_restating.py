"""What the user told, restated as notes about them."""

import pytest

from agents.llm.guided.restating import as_note


@pytest.mark.parametrize(
    ("told", "noted"),
    [
        ("I drive the number 12 bus", "Drives the number 12 bus."),
        ("I've got a shed where I keep my tools.", "Has a shed where the user keeps their tools."),
        ("I’ve been vegan for three years.", "Has been vegan for three years."),
        ("I also play the oboe.", "Also plays the oboe."),
        ("I study law", "Studies law."),
        ("I sold the van!", "Sold the van!"),
        ("I used to be a pilot.", "Used to be a pilot."),
        ("I don't like fish", "Doesn't like fish."),
        ("I'm a welder.", "A welder."),
        ("I'm going to move to Linz.", "Is going to move to Linz."),
        ("I ride a moped now.", "Rides a moped."),
        ("我现在改成晚上跑步了", "改成晚上跑步了。"),
        ("im a welder, my sister helps me", "A welder, their sister helps the user."),
        ("So, by the way, my dog is called Bo.", "Dog is called Bo."),
        ("My sister was ill, and we were sad as well.", "Sister was ill, and they were sad as well."),
        ("My id is new and I’m glad.", "Id is new and the user is glad."),
        ("We have two kids.", "Has two kids."),
        (
            "Red wine gives me migraines, so I never touch it.",
            "Red wine gives the user migraines, so the user never touches it.",
        ),
        ("Our landlord put the rent up to 2,450.", "Landlord put the rent up to 2,450."),
        ("我在西安开了一家小书店", "在西安开了一家小书店。"),
        ("对了，我儿子上小学。", "儿子上小学。"),
        ("医生让我歇两个星期", "医生让用户歇两个星期。"),
        ("Ich wohne in Bonn.", "The user said: “Ich wohne in Bonn.”"),
        ("Vivo en Lima.", "The user said: “Vivo en Lima.”"),
    ],
)
def test_first_person_becomes_a_note(told: str, noted: str) -> None:
    assert as_note(told) == noted


def test_a_long_text_is_clipped() -> None:
    assert len(as_note("I like " + "very " * 200 + "long walks")) < 420
