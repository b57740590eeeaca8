"""Evidence recall on LoCoMo (Maharana et al., 2024, arXiv 2402.17753; CC BY-NC: the data stays out of this repository).

    python benchmarks/locomo.py --data locomo.json [--json OUT] [--home FOLDER]

Each conversation becomes an agent's messages with their own times, embedded by the product's own background work;
each question is asked as the agent would, through `recall_storage.find`. Recall at k is the share of a question's
evidence among the first k messages found, averaged over questions of categories 1-4. Beside it: the substring match of
the original, full text alone, vectors alone. Minutes, nearly all of them for embedding; with `--home` the embedded rows
are kept.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tqdm import tqdm

from benchmarks.database import database

if TYPE_CHECKING:
    from agents.models import Agent

DEPTHS = (5, 10, 20)
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
TURN = re.compile(r"D\d+:\d+")

Search = Callable[["Agent", str, int], list[int]]
"""Agent, query and how many: seqs of messages, best first."""


def remember(sample: dict[str, Any]) -> tuple["Agent", dict[str, int]]:
    """The conversation as an agent's recall storage, and the seq of each turn."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from agents import queue_manager, services
    from agents.external_context import recall_storage, reindexing
    from agents.models import Agent, Message

    talk = sample["conversation"]
    owner, _new = User.objects.get_or_create(username=f"{sample['sample_id']}", first_name=talk["speaker_a"])
    agent = Agent.objects.filter(owner=owner).first()
    turns = list(spoken(talk))
    if agent is None:
        draft = services.AgentDraft(name=talk["speaker_b"], persona="", human="")
        agent = services.agent_create(owner=owner, draft=draft)
        for turn, time in turns:
            kind = Message.Kind.USER_MESSAGE if turn["speaker"] == talk["speaker_a"] else Message.Kind.ASSISTANT
            message = Message(kind=kind, content=text_of(turn), created_at=timezone.make_aware(time))
            queue_manager.append(agent, message)
    with tqdm(total=recall_storage.not_embedded(agent).count(), desc=agent.name) as bar:
        for done in recall_storage.embed_missing(agent):
            bar.update(done)
    while reindexing.work():  # rows that `--home` kept from before
        pass
    seqs = recall_storage.spoken(agent).order_by("seq").values_list("seq", flat=True)
    return agent, {turn["dia_id"]: seq or 0 for (turn, _time), seq in zip(turns, seqs, strict=True)}


def spoken(talk: dict[str, Any]) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Turns with their times: those of a session a minute apart."""
    number = 1
    while f"session_{number}_date_time" in talk:
        start = datetime.strptime(talk[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y")
        for minute, turn in enumerate(talk.get(f"session_{number}", [])):
            yield turn, start + timedelta(minutes=minute)
        number += 1


def text_of(turn: dict[str, Any]) -> str:
    """What was said; a picture as its caption."""
    caption = turn.get("blip_caption")
    return f"{turn['text']} [shares a picture: {caption}]" if caption else str(turn["text"])


def product(agent: "Agent", query: str, most: int) -> list[int]:
    from agents.external_context import recall_storage

    return [hit.row.seq or 0 for hit in recall_storage.find(agent, query, size=most).hits]


def substring(agent: "Agent", query: str, most: int) -> list[int]:
    """What MemGPT's own conversation_search did."""
    from agents.external_context import recall_storage

    matches = recall_storage.spoken(agent).filter(content__icontains=query).order_by("-seq")
    return [seq or 0 for seq in matches.values_list("seq", flat=True)[:most]]


def by_column(column: str) -> Search:
    """One column of the product's search alone."""

    def search(agent: "Agent", query: str, most: int) -> list[int]:
        from agents.external_context import recall_storage
        from agents.external_context.hybrid import SearchColumns, candidates
        from agents.external_context.vector_index import RECALL

        is_words = column.endswith("words")
        columns = SearchColumns(RECALL, words=(column,) if is_words else (), vectors=() if is_words else (column,))
        hits = candidates(recall_storage.spoken(agent), [agent.pk], columns, query)
        hits.sort(key=lambda hit: -hit.scores[column])
        return [hit.row.seq or 0 for hit in hits[:most]]

    return search


METHODS: dict[str, Search] = {
    "product": product,
    "substring": substring,
    "full text": by_column("words"),
    "vectors": by_column("embedding"),
}


class Tally:
    """Recall of one method, question by question."""

    def __init__(self) -> None:
        self.recall: dict[int, dict[int, list[float]]] = {k: defaultdict(list) for k in DEPTHS}
        self.whole: dict[int, dict[int, list[float]]] = {k: defaultdict(list) for k in DEPTHS}

    def note(self, category: int, evidence: set[int], retrieved: list[int]) -> None:
        for k in DEPTHS:
            share = len(evidence & set(retrieved[:k])) / len(evidence)
            self.recall[k][category].append(share)
            self.whole[k][category].append(float(share == 1))

    def figures(self) -> dict[str, Any]:
        """In percent; `by_category` by the names of CATEGORIES."""
        return {
            "recall": {str(k): _mean(values) for k, values in self.recall.items()},
            "all_evidence": {str(k): _mean(values) for k, values in self.whole.items()},
            "by_category": {
                name: {
                    "questions": len(self.recall[5][category]),
                    "recall": {str(k): _mean({0: self.recall[k][category]}) for k in DEPTHS},
                    "all_evidence": {str(k): _mean({0: self.whole[k][category]}) for k in DEPTHS},
                }
                for category, name in CATEGORIES.items()
                if self.recall[5][category]
            },
        }


def _mean(values: dict[int, list[float]]) -> float:
    return round(100 * fmean([value for group in values.values() for value in group]), 1)


def measure(samples: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    tallies = {name: Tally() for name in METHODS}
    for sample in samples:
        agent, seqs = remember(sample)
        agent.refresh_from_db()
        for question in tqdm(sample["qa"], desc=f"questions about {agent.name}"):
            evidence = {seqs[turn] for item in question["evidence"] for turn in TURN.findall(item) if turn in seqs}
            if question["category"] not in CATEGORIES or not evidence:
                continue
            for name, search in METHODS.items():
                tallies[name].note(question["category"], evidence, search(agent, question["question"], max(DEPTHS)))
    return {name: tally.figures() for name, tally in tallies.items()}


def show(figures: dict[str, dict[str, Any]]) -> None:
    heads = [f"R@{k}" for k in DEPTHS] + [f"all@{k}" for k in DEPTHS]
    print(f"{'':28}" + "".join(f"{head:>8}" for head in heads))
    for name, total in figures.items():
        rows = [(name, total)] + [(f"  {kind}", row) for kind, row in total["by_category"].items() if name == "product"]
        for label, row in rows:
            cells = [row["recall"][str(k)] for k in DEPTHS] + [row["all_evidence"][str(k)] for k in DEPTHS]
            print(f"{label:28}" + "".join(f"{cell:8.1f}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="conversations in LoCoMo's format")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--home", type=Path, help="keep the embedded rows in this folder")
    options = parser.parse_args()
    samples = json.loads(options.data.read_text())
    with database(options.home):
        figures = measure(samples)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
