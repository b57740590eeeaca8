"""Guided mode works out a sum that is asked for."""

import pytest

from agents.llm.guided.sums import worked_out
from tests.agents.llm.test_guided import SmallModel, prompt, says, step


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        ("what's seven times eight, Ana needs it for homework", "7 × 8 = 56"),
        ("What is 15% of 80?", "15 % of 80 = 12"),
        ("How much is 100 divided by eight?", "100 ÷ 8 = 12.5"),
        ("Is twenty-one plus 4 right?", "21 + 4 = 25"),
        ("What is 12 - 20?", "12 − 20 = -8"),
        ("6乘以7是多少？", "6 × 7 = 42"),
        ("三加五等于几？", "3 + 5 = 8"),
        ("What is 3 + 4 * 5?", ""),
        ("What is 1,000 times 3?", ""),
        ("1.5加2是多少？", ""),
        ("二十加三等于几？", ""),
        ("How do I get from 5 - 10 kg?", ""),
        ("What is 4 divided by 0?", ""),
        ("What is planned for 10/12/2020?", ""),
        ("Which bus times are good for 2-3 people?", ""),
    ],
)
def test_a_sum_is_worked_out(asked: str, result: str) -> None:
    assert worked_out(asked) == result


def test_the_model_is_told_the_result() -> None:
    model = SmallModel(label=["chat"], reply=["Seven times eight is 56."])
    step(prompt(says("What is seven times eight?")), model)
    assert "[Worked out: 7 × 8 = 56]" in model.last_prompt("reply")
