"""The tasks of the MemGPT paper (Packer et al., 2023, arXiv 2310.08560, section 3), asked of the model that is set.

    python benchmarks/evals.py [--tasks retrieval documents keys] [--cases 10] [--conversations FILE] [--json OUT]

Starts the whole product in a temporary data folder with the model of your environment and `.env`; without an endpoint
that is the local model. Each case is a fresh agent, written to as the page would, its run worked on by the workers.

- retrieval, deep memory retrieval: talks of weeks that have left the window, then a question about one thing said. With
  `--conversations` they are taken from a file in LoCoMo's format instead of made here.
- documents: question answering over an archive; each answer stands in several passages, more than one page of search
  results brings.
- keys, nested key-value lookup: 140 pairs of UUIDs in the archive; a value may be a key again, up to three times.

An answer is right if all that is asked for, and nothing that is wrong, stands in what the agent said. The paper's
figures are of its own data and of large models: they are printed to show what to look for, not to be compared to the
point.
"""

import argparse
import json
import random
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic import SecretStr
from tqdm import tqdm

from benchmarks import locomo
from benchmarks.product import running
from memweb.stack import catalogue, weights
from memweb.stack.env import Env, env
from memweb.stack.model_state import read_state
from memweb.stack.paths import StackPaths

if TYPE_CHECKING:
    from agents.models import Agent

PAPER = {
    "retrieval": "GPT-4: 92.5 % with MemGPT, 32.1 % without (table 2)",
    "documents": "GPT-4: MemGPT keeps its accuracy as documents grow, a fixed context loses it (figure 5)",
    "keys": "GPT-4: MemGPT stays level over the nesting, without it 0 % from the third level on (figure 7)",
}
OF_THE_MODEL = (
    "openai_",
    "memweb_model",
    "memweb_function_mode",
    "memweb_context_window",
    "memweb_request_timeout",
    "memweb_local_model",
    "memweb_embedding",
)
PERSONA = (
    "I answer from what was said and from what is filed. What I do not see before me I look up: what was said with "
    "conversation_search, what is filed with archival_memory_search. If it is not on the first page of the results, I "
    "read the next one."
)
LONGEST_RUN = 900  # seconds
PAIRS, DEEPEST = 140, 3

# What the person of a made-up conversation tells once, and what is asked about it weeks later.
FACTS = (
    ("By the way, my first boat was called Tern.", "What was my first boat called?", ("Tern",)),
    ("My sister Ines moved to Bergen last week.", "Where does my sister Ines live?", ("Bergen",)),
    ("I had an operation on my left knee when I was nine.", "Which knee was operated on?", ("left",)),
    ("Our neighbour keeps eleven peacocks, can you believe it?", "How many peacocks are next door?", ("eleven", "11")),
    ("I am allergic to walnuts, my throat swells up.", "Which nuts do I have to avoid?", ("walnut",)),
    ("My piano teacher was a Mrs Okafor, very strict.", "Who taught me the piano?", ("Okafor",)),
    ("We buried a time capsule under the pear tree.", "Under which tree is the time capsule?", ("pear",)),
    ("The combination of the shed is 7730, in case I forget.", "What opens the shed?", ("7730",)),
    ("I learnt to fly gliders in Tarbes, years ago.", "Where did I learn gliding?", ("Tarbes",)),
    ("My grandfather repaired clocks for the railway.", "What did my grandfather repair?", ("clock",)),
    ("The dog ate my passport in Lisbon once.", "What did the dog eat?", ("passport",)),
    ("I named the sourdough starter Gustav.", "What is the name of my sourdough?", ("Gustav",)),
)
REMARKS = ("I walked to the {place} today.", "It was quiet at the {place}.", "I met somebody nice at the {place}.")
REPLIES = ("How was the {place}?", "That sounds pleasant.", "The {place} must be lovely now.", "I see. Tell me more.")
PLACES = ("market", "library", "harbour", "park", "station", "bakery", "museum", "cinema", "garden", "school")
TALKS, TURNS = 6, 24  # of a made-up conversation: talks, a week apart, and turns of each

# Passages of one archive: several ships each with several mishaps, told in much the same words.
SHIPS = ("Albatross", "Bellona", "Calypso", "Dorothea", "Evangeline", "Fortuna", "Galatea", "Hesperus")
PORTS = (
    "Aberdeen",
    "Bilbao",
    "Cork",
    "Dakar",
    "Esbjerg",
    "Faro",
    "Genoa",
    "Haifa",
    "Izmir",
    "Jakarta",
    "Kiel",
    "Lagos",
)
MISHAPS = ("ran aground", "lost an anchor", "collided with a tug")
EACH = 4  # passages that make up one answer


@dataclass(frozen=True)
class Case:
    """`right` holds groups: of each, one word has to stand in the answer; none of `wrong` may. `prepare` fills the
    fresh agent's memory."""

    question: str
    right: tuple[tuple[str, ...], ...]
    prepare: "Callable[[Agent], None]"
    wrong: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Outcome:
    task: str
    group: str
    right: bool
    calls: int
    seconds: float
    question: str
    answer: str


# The tasks


def retrieval(chance: random.Random, conversations: Path | None) -> Iterator[Case]:
    if conversations is not None:
        yield from _from_file(chance, conversations)
        return
    for fact, question, answers in chance.sample(FACTS, len(FACTS)):
        turns = _talks(chance, fact)
        yield Case(question, (answers,), lambda agent, turns=turns: remember(agent, turns))  # type: ignore[misc]


def _talks(chance: random.Random, fact: str) -> list[tuple[str, datetime]]:
    """What was said by turns, the person first; `fact` early on."""
    start = datetime(2026, 1, 5, 18, 0)
    turns = []
    for talk in range(TALKS):
        for turn in range(TURNS):
            text = chance.choice(REPLIES if turn % 2 else REMARKS).format(place=chance.choice(PLACES))
            turns.append((text, start + timedelta(weeks=talk, minutes=turn)))
    place = 2 * chance.randrange(TURNS // 2)
    turns[place] = (fact, turns[place][1])
    return turns


def _from_file(chance: random.Random, file: Path) -> Iterator[Case]:
    samples = json.loads(file.read_text())
    questions = [
        (sample["conversation"], one)
        for sample in samples
        for one in sample["qa"]
        if one["category"] in locomo.CATEGORIES and "answer" in one
    ]
    for talk, one in chance.sample(questions, len(questions)):
        spoken = [(turn["speaker"] == talk["speaker_a"], locomo.text_of(turn), at) for turn, at in locomo.spoken(talk)]
        right = tuple((word,) for word in re.findall(r"\w+", str(one["answer"])))
        yield Case(one["question"], right, lambda agent, spoken=spoken: remember_as(agent, spoken))  # type: ignore[misc]


def documents(chance: random.Random, _conversations: Path | None) -> Iterator[Case]:
    ports = {(ship, mishap): chance.sample(PORTS, EACH) for ship in SHIPS for mishap in MISHAPS}
    passages = [
        f"In {chance.randrange(1880, 1930)} the {ship}, on her way with a cargo of timber, {mishap} off {port}."
        for (ship, mishap), places in ports.items()
        for port in places
    ]
    chance.shuffle(passages)
    for (ship, mishap), places in chance.sample(list(ports.items()), len(ports)):
        question = f"Off which {EACH} ports does the archive say that the {ship} {mishap}? Name all {EACH}."
        wrong = tuple(port for port in PORTS if port not in places)
        yield Case(question, tuple((port,) for port in places), lambda agent: file_away(agent, passages), wrong)


def keys(chance: random.Random, _conversations: Path | None) -> Iterator[Case]:
    while True:
        for depth in range(DEEPEST + 1):
            ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(PAIRS + 1)]
            chain, rest = ids[: depth + 2], ids[depth + 2 :]
            pairs = list(pairwise(chain))
            pairs += [(key, str(uuid.UUID(int=chance.getrandbits(128), version=4))) for key in rest]
            passages = [f"key {key} value {value}" for key, value in chance.sample(pairs, len(pairs))]
            question = (
                f"The archive holds pairs of keys and values. What is the value of the key {chain[0]}? If that value "
                "is a key as well, look up its value, and so on until a value is no key. Tell me the last value."
            )
            fill = lambda agent, passages=passages: file_away(agent, passages)  # noqa: E731
            yield Case(question, ((chain[-1],),), fill, group=f"nesting {depth}")


TASKS = {"retrieval": retrieval, "documents": documents, "keys": keys}


# An agent's memory


def remember(agent: "Agent", turns: list[tuple[str, datetime]]) -> None:
    remember_as(agent, [(number % 2 == 0, text, at) for number, (text, at) in enumerate(turns)])


def remember_as(agent: "Agent", turns: list[tuple[bool, str, datetime]]) -> None:
    """As if it had been said, and had left the window since."""
    from django.utils import timezone

    from agents import queue_manager
    from agents.external_context import recall_storage
    from agents.models import Agent, Message

    kinds = {True: Message.Kind.USER_MESSAGE, False: Message.Kind.ASSISTANT}
    for person, text, at in turns:
        message = Message(kind=kinds[person], content=text, created_at=timezone.make_aware(at))
        queue_manager.append(agent, message)
    agent.refresh_from_db()
    Agent.objects.filter(pk=agent.pk).update(queue_start=agent.next_seq)
    list(recall_storage.embed_missing(agent))


def file_away(agent: "Agent", passages: list[str]) -> None:
    from agents.external_context import archival_storage

    for text in passages:
        archival_storage.insert(agent.archive, text)


def ask(agent: "Agent", question: str) -> tuple[str, int, float]:
    """What the agent said, how many functions it called, and how long it took in seconds."""
    from agents import services
    from agents.models import Message, Run

    started = time.monotonic()
    run = services.message_send(agent=agent, text=question)
    while run.status in (Run.Status.QUEUED, Run.Status.RUNNING):
        if time.monotonic() - started > LONGEST_RUN:
            services.run_cancel(agent=agent)
            break
        time.sleep(0.1)
        run.refresh_from_db()
    messages = agent.messages.filter(run=run, kind=Message.Kind.ASSISTANT)
    calls = sum(len(message.calls) for message in messages)
    return " ".join(message.content for message in messages if message.content), calls, time.monotonic() - started


def is_right(case: Case, answer: str) -> bool:
    def stands(word: str) -> bool:
        return re.search(rf"\b{re.escape(word)}s?\b", answer, re.IGNORECASE) is not None

    return all(any(map(stands, group)) for group in case.right) and not any(map(stands, case.wrong))


def evaluate(task: str, case: Case, number: int) -> Outcome:
    from django.contrib.auth.models import User

    from agents import services

    owner, _new = User.objects.get_or_create(username="evals")
    draft = services.AgentDraft(name=f"{task} {number}", persona=PERSONA, human="")
    agent = services.agent_create(owner=owner, draft=draft)
    case.prepare(agent)
    answer, calls, seconds = ask(agent, case.question)
    return Outcome(task, case.group, is_right(case, answer), calls, round(seconds, 1), case.question, answer)


# All together


def settings() -> Mapping[str, str]:
    """What you have set of the model, and of the embeddings."""
    own = env()
    values: dict[str, Any] = own.model_dump(exclude_none=True)
    if not own.has_own_endpoint:
        paths = StackPaths(own.memweb_home)
        paths.create()
        model = catalogue.find(own.memweb_local_model)
        bar = weights.TerminalBar(model.name)
        file = weights.resolve(model, paths.models, users_file=own.memweb_local_model_file, progress=bar)
        values["memweb_local_model_file"] = file
    return {name.upper(): _plain(value) for name, value in values.items() if name.startswith(OF_THE_MODEL)}


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def wait_for_the_model(own: Env, home: Path) -> None:
    while not own.has_own_endpoint and (state := read_state(StackPaths(home))).stage != "ready":
        if state.stage == "failed":
            raise SystemExit(state.message)
        time.sleep(0.5)


def show(outcomes: list[Outcome]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for task in dict.fromkeys(one.task for one in outcomes):
        groups = {"": [one for one in outcomes if one.task == task]}
        for one in groups[""]:
            if one.group:
                groups.setdefault(one.group, []).append(one)
        figures[task] = {name or "all": _figures(group) for name, group in groups.items()}
        print(f"\n{task}  (the paper: {PAPER[task]})")
        for name, row in sorted(figures[task].items()):
            print(
                f"  {name:12}{row['right']:4} of {row['cases']:<4}{100 * row['accuracy']:6.1f} %"
                f"{row['calls']:8.1f} calls{row['seconds']:8.1f} s"
            )
    return figures


def _figures(group: list[Outcome]) -> dict[str, Any]:
    """Calls on average, seconds in the middle."""
    return {
        "cases": len(group),
        "right": sum(one.right for one in group),
        "accuracy": round(fmean(one.right for one in group), 3),
        "calls": round(fmean(one.calls for one in group), 1),
        "seconds": median(one.seconds for one in group),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--cases", type=int, default=10, help="of each task; there are 12 and 24 of the first two")
    parser.add_argument("--conversations", type=Path, help="for the first task, in LoCoMo's format")
    parser.add_argument("--json", type=Path, help="write figures and answers there")
    options = parser.parse_args()
    own, outcomes = env(), []
    with running(settings()) as product:
        wait_for_the_model(own, Path(product.environment["MEMWEB_HOME"]))
        for task in options.tasks:
            cases = TASKS[task](random.Random(7), options.conversations)
            for number, case in zip(tqdm(range(options.cases), desc=task), cases, strict=False):
                outcomes.append(evaluate(task, case, number))
    figures = show(outcomes)
    if options.json:
        report = {"figures": figures, "outcomes": [asdict(one) for one in outcomes]}
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
