"""Whole talks with the model that is set: what an agent knows at the end of ten turns, and what it answered on the way.

    python benchmarks/session.py [--sessions NAME ...] [--set SET] [--verbose] [--json OUT]

Starts the whole product in a temporary data folder, as `benchmarks/evals.py` does. Each session of
`benchmarks/data/sessions.jsonl` is a fresh agent with the page's first persona and first human block. Its turns are
sent one by one; then its core memory (all blocks but the persona) and its archival storage are read.

Judged by plain rules on strings. A text stands somewhere if it is there as a word, in small or large letters, with or
without a plural's s; a Chinese one, if it is there at all.

- A fact is `kept` if one line has of each group of `now` one text, and no sentence has one of `old`, `contradictory` if
  one has, `wrong` if only `old` is there, else `lost`. A sentence that says itself that the old is past (“not”, “no
  longer”, “不”) does not count for `old`.
- A question is right if the reply has of each group of `right` one text, and none of `not`. What is asked for beside a
  fact ("I'm allergic to nuts. Which cake?") is a question as well.
- `invented` are numbers and names (capital letters within a sentence) of the human block that neither the person nor
  the first block said, a Chinese line of it with fewer than half of its character pairs from there, and numbers and
  names that a reply gives as the person's ("You ...", "Your ...", "你...").
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.guided.words import CJK, mentions, names, numbers, overlap, sentences
from benchmarks.evals import ask, settings, wait_for_the_model
from benchmarks.product import running
from memweb.stack.env import env

if TYPE_CHECKING:
    from agents.models import Agent

SESSIONS = Path(__file__).parent / "data" / "sessions.jsonl"
PAST = re.compile(
    r"\b(not|no longer|no more|used to|former(ly)?|instead|was|until|given up|gave up|left|"
    r"previously|moved from|switched from|swapped)\b|\bBefore:|n['’]t\b|不|以前|原来|曾|戒|从.{1,6}[调改换转]",
    re.IGNORECASE,
)
MONTHS = {"january", "february", "august", "september", "october", "november", "december"}
CLAIM = re.compile(
    r"(I know that )?(you|your|you['’]re)\b(?! (can|could|may|might|should|would))|[你您](?!可以|可能|应该|能)",
    re.IGNORECASE,
)
# In the order in which they were written, each after the rules had been mended for those before it; from the third on
# by somebody who had not read the rules. The third to fifth tell changes mostly in other words than what they change.
SETS = ("seen", "fresh", "last", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
OUTCOMES = ("kept", "lost", "wrong", "contradictory")


@dataclass
class Result:
    """What came of one session. `facts`: fact -> one of `OUTCOMES`; `answers`: question -> whether it was right."""

    name: str
    set: str
    facts: dict[str, str] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)
    invented: list[str] = field(default_factory=list)
    talk: list[tuple[str, str]] = field(default_factory=list)
    memory: str = ""
    seconds: float = 0.0


def load() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SESSIONS.read_text("utf-8").splitlines()]


# Judging


def stands(text: str, where: str) -> bool:
    if CJK.search(text):
        return text in where
    letter = r"[^\W_\u3400-\u9fff]"  # “29” stands in “29岁”
    ending = "(st|nd|rd|th)?" if text[-1:].isdigit() else "s?"
    return re.search(rf"(?<!{letter}){re.escape(text)}{ending}(?!{letter})", where, re.IGNORECASE) is not None


def has_all(groups: list[list[str]], where: str) -> bool:
    return all(any(stands(text, where) for text in group) for group in groups)


def outcome(fact: dict[str, Any], memory: str) -> str:
    now = any(has_all(fact["now"], line) for line in memory.splitlines())
    valid = [sentence for sentence in sentences(memory) if not PAST.search(sentence)]
    old = any(stands(text, sentence) for text in fact.get("old", ()) for sentence in valid)
    return {(True, False): "kept", (True, True): "contradictory", (False, True): "wrong"}.get((now, old), "lost")


def is_right(turn: dict[str, Any], reply: str) -> bool:
    return has_all(turn.get("right", []), reply) and not any(stands(text, reply) for text in turn.get("not", ()))


def invented(text: str, said: str) -> list[str]:
    """Numbers, names and Chinese lines of `text` that `said` does not have."""
    own = [number for number in sorted(numbers(text)) if number not in numbers(said)]
    given = names(text) - {"am", "pm"}
    given = {name[:3] if name in MONTHS else name for name in given}  # “November” for “nov”
    return own + [name for name in sorted(given) if not CJK.search(name) and not mentions(said, name.rstrip("s"))]


def foreign_lines(text: str, said: str) -> list[str]:
    lines = [re.sub("^(以前|姓名)：|用户", "", line) for line in text.splitlines() if CJK.search(line)]
    return [line for line in lines if line.strip("。") not in said and overlap(line, said) < 0.5]


def claims(reply: str) -> str:
    """The sentences that say something of the person; advice ("You could ...") and questions do not."""
    return " ".join(part for part in sentences(reply) if CLAIM.match(part) and not part.endswith(("?", "？")))


# Running


def play(session: dict[str, Any], number: int) -> Result:
    agent = _new_agent(f"{session['name']} {number}")
    result, started = Result(session["name"], session["set"]), time.monotonic()
    said = _human(agent)
    for turn in session["turns"]:
        reply, _calls, _seconds = ask(agent, turn["say"])
        said += "\n" + turn["say"]
        result.talk.append((turn["say"], reply))
        if "right" in turn:
            result.answers[turn["say"]] = is_right(turn, reply)
            result.invented += [f"{text} (reply)" for text in invented(claims(reply), said)]
    human = _human(agent)
    passages = agent.archive.passages.values_list("text", flat=True)
    result.memory = "\n".join([human, *passages])
    result.facts = {fact["fact"]: outcome(fact, result.memory) for fact in session["facts"]}
    result.invented += [*invented(human, said), *foreign_lines(human, said)]
    result.seconds = round(time.monotonic() - started, 1)
    return result


def _new_agent(name: str) -> "Agent":
    """As the page's form proposes it."""
    from django.contrib.auth.models import User

    from agents import selectors, services

    owner, _new = User.objects.get_or_create(username="sessions")
    persona, human = selectors.personas_for(owner).first(), selectors.humans_for(owner).first()
    assert persona and human
    draft = services.AgentDraft(name=name, persona=persona.text, human=human.text)
    return services.agent_create(owner=owner, draft=draft)


def _human(agent: "Agent") -> str:
    blocks = agent.blocks.exclude(label="persona").values_list("value", flat=True)
    return "\n".join(blocks)


# Showing


def figures(results: list[Result]) -> dict[str, Any]:
    facts = Counter(outcome for one in results for outcome in one.facts.values())
    answers = [right for one in results for right in one.answers.values()]
    return {
        "sessions": len(results),
        "facts": facts.total(),
        **{name: facts[name] for name in OUTCOMES},
        "invented": sum(len(one.invented) for one in results),
        "questions": len(answers),
        "right": sum(answers),
        "seconds": round(sum(one.seconds for one in results)),
    }


def show(results: list[Result]) -> dict[str, Any]:
    rows = {one.name: figures([one]) for one in results}
    for name in dict.fromkeys(one.set for one in results):
        rows[f"all {name}"] = figures([one for one in results if one.set == name])
    rows["all"] = figures(results)
    columns = ("facts", *OUTCOMES, "invented", "questions", "right", "seconds")
    print(f"\n{'':20}" + "".join(f"{name:>14}" for name in columns))
    for name, row in rows.items():
        print(f"{name:20}" + "".join(f"{row[column]:>14}" for column in columns))
    total = rows["all"]
    print(f"\nfacts kept {_percent(total['kept'], total['facts'])}", end=", ")
    print(f"answers right {_percent(total['right'], total['questions'])}")
    return rows


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def tell(result: Result, *, verbose: bool) -> None:
    """What went wrong in a session; the whole talk and the memory at its end if `verbose`."""
    print(f"\n{result.name}")
    if verbose:
        for said, reply in result.talk:
            mark = {True: "  [right]", False: "  [WRONG]", None: ""}[result.answers.get(said)]
            print(f"  > {said}\n    {reply}{mark}")
        print("  memory:\n" + "\n".join(f"    {line}" for line in result.memory.splitlines()))
    bad = [f"{fact}: {came}" for fact, came in result.facts.items() if came != "kept"]
    bad += [f"not answered: {question}" for question, right in result.answers.items() if not right]
    bad += [f"invented: {text}" for text in result.invented]
    print("\n".join(f"  - {line}" for line in bad) or "  - nothing wrong")


def main() -> None:
    sessions = load()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", nargs="+", choices=[one["name"] for one in sessions], help="only these")
    parser.add_argument("--set", choices=SETS, help="only those of one set")
    parser.add_argument("--verbose", action="store_true", help="print every talk and the memory at its end")
    parser.add_argument("--json", type=Path, help="write figures and talks there")
    options = parser.parse_args()
    wanted = [one for one in sessions if options.set in (None, one["set"])]
    wanted = [one for one in wanted if one["name"] in (options.sessions or (one["name"],))]
    own, results = env(), []
    with running(settings()) as product:
        wait_for_the_model(own, Path(product.environment["MEMWEB_HOME"]))
        for number, session in enumerate(wanted):
            results.append(play(session, number))
            tell(results[-1], verbose=options.verbose)
            sys.stdout.flush()
    rows = show(results)
    if options.json:
        report = {"figures": rows, "sessions": [asdict(one) for one in results]}
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
