"""Guided mode with what many people tell, change and put right, each in their own words. The model only labels.

`told_facts.jsonl` and `told_changes.jsonl`: what the notes say, what was `said` before, the `message`; of each group of
`now` one text has to stand in the notes after it, and none of `gone` but as what was so before.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.agents.llm.test_guided import SmallModel, did, note, prompt, says, step

HERE = Path(__file__).parent
PAST = re.compile(
    r"\b(not|no longer|no more|used to|former(ly)?|instead|was|until|given up|gave up|left|previously|sold|swapped|"
    r"stopped|quit)\b|\bBefore:|n['’]t\b|不|以前|原来|曾|换|改|戒",
    re.IGNORECASE,
)
MAX_STEPS = 5


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


def notes_after(case: dict[str, Any]) -> str:
    human = "\n".join(case["notes"])
    answers = {"label": ["new"], "write": note(""), "check": ["yes"], "reply": ["OK."]}
    model = SmallModel(**{kind: texts * MAX_STEPS for kind, texts in answers.items()})
    queue = []
    for text in case["said"]:
        queue += [says(text), *did("send_message", "", message="I'll remember that.")]
    queue.append(says(case["message"]))
    for _ in range(MAX_STEPS):
        name, arguments = step(prompt(*queue, human=human), model)
        if name == "core_memory_append":
            human += "\n" + arguments["content"]
        elif name == "core_memory_replace":
            assert human.count(arguments["old_content"]) == 1
            human = human.replace(arguments["old_content"], arguments["new_content"])
        elif name != "archival_memory_insert":
            break
        queue += did(name, "Done.", **arguments)
    return human


def faults(case: dict[str, Any]) -> list[str]:
    """The groups of `now` that are not in the notes, and the texts of `gone` that are."""
    notes = notes_after(case)
    standing = "\n".join(part for part in re.split(r"(?<=[.!?。！？])\s*|\n", notes) if not PAST.search(part)).lower()
    lost = [f"lost {group}" for group in case["now"] if not any(text.lower() in notes.lower() for text in group)]
    return lost + [f"still {text}" for text in case["gone"] if _stands(text.lower(), standing)]


def _stands(text: str, where: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(text)}(?![a-z0-9])", where) is not None


@pytest.mark.parametrize("case", cases("told_facts.jsonl"), ids=lambda case: case["message"][:40])
def test_what_was_told_is_noted_and_what_was_asked_is_not(case: dict[str, Any]) -> None:
    assert faults(case) == []


@pytest.mark.parametrize("case", cases("told_changes.jsonl"), ids=lambda case: case["message"][:40])
def test_what_changed_is_changed_and_the_rest_stays(case: dict[str, Any]) -> None:
    assert faults(case) == []
