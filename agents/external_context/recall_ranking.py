"""How recall storage ranks: what was said, what it answered, when, by whom, and what else was said in that talk.

Four columns are searched: the vector of a message with the one before it, the vector of the message, BM25 of the
message with its date, BM25 of it with the two before it. Their z-scores are summed; a talk that scores well as a whole,
the speaker whom the query names, and a message that says much lift a score. The weights were measured on LoCoMo with
`benchmarks/locomo.py`.
"""

import math
import re
from collections import defaultdict
from statistics import fmean

from django.db.models import QuerySet

from agents.external_context.hybrid import (
    Candidate,
    Hit,
    Part,
    SearchColumns,
    candidates,
    standardised,
    total,
    weighted,
)
from agents.external_context.speakers import speakers_of
from agents.external_context.vector_index import RECALL
from agents.models import Agent, Message
from agents.text.cjk import CJK_RUN, spaced
from agents.text.word_form import folded

WEIGHTS = {"context_embedding": 0.42, "embedding": 0.18, "words": 0.25, "context_words": 0.15}
COLUMNS = SearchColumns(RECALL, vectors=("context_embedding", "embedding"), words=("words", "context_words"))
TALK, TALK_BEST = 0.8, 3
SPEAKER, LENGTH, QUESTION = 1.5, 0.4, 0.5
WORD = re.compile(r"[\w']+")
OF_THE_PERSON = {"i", "my", "me", "mine", "i'm", "i've", "我"}
OF_THE_AGENT = {"you", "your", "yours", "你", "您"}


def search(agent: Agent, rows: "QuerySet[Message]", query: str) -> list[Hit[Message]]:
    """The best messages of `rows`, some of the agent's, for `query`, best first. Four statements."""
    nominated = candidates(rows, [agent.pk], COLUMNS, query)
    scored = _scored(nominated, _speaker(agent, query))
    hits = [Hit(candidate.row, total(parts), parts) for candidate, parts in zip(nominated, scored, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, -(hit.row.seq or 0)))


def _scored(nominated: list[Candidate[Message]], speaker: str | None) -> list[tuple[Part, ...]]:
    """The parts of each one's score."""
    messages = [candidate.row for candidate in nominated]
    searched = weighted(nominated, WEIGHTS)
    talks: dict[int, list[float]] = defaultdict(list)
    for message, parts in zip(messages, searched, strict=True):
        talks[_talk(message)].append(total(parts))
    best = {talk: fmean(sorted(scores, reverse=True)[:TALK_BEST]) for talk, scores in talks.items()}
    lengths = [len(spaced(message.content).split()) for message in messages]
    relative_lengths = standardised(math.log(1 + length) for length in lengths)
    scored = []
    for message, parts, length, relative in zip(messages, searched, lengths, relative_lengths, strict=True):
        of_speaker = message.kind == speaker
        asks = message.content.rstrip().endswith(("?", "？"))
        further = (
            Part("talk", best[_talk(message)], TALK * best[_talk(message)]),
            Part("speaker", of_speaker, SPEAKER if of_speaker else 0.0),
            Part("length", length, LENGTH * relative),
            Part("question", asks, -QUESTION if asks else 0.0),
        )
        scored.append((*parts, *further))
    return scored


def _talk(message: Message) -> int:
    """A message whose talk is not known yet is one of its own."""
    return message.session or -message.pk


def _speaker(agent: Agent, query: str) -> str | None:
    """Whose messages the query is about, if it names one of the two alone."""
    speakers = speakers_of(agent)
    person = _names(query, {*OF_THE_PERSON, *speakers.person_names})
    itself = _names(query, {*OF_THE_AGENT, *WORD.findall(speakers.agent_name)})
    if person == itself:
        return None
    return Message.Kind.USER_MESSAGE if person else Message.Kind.ASSISTANT


def _names(text: str, names: set[str]) -> bool:
    """Whether one of them stands in it: as a word of its own, unless it is written without spaces."""
    text = folded(text)
    words = {word.removesuffix("'s") for word in WORD.findall(spaced(text))}
    return any(name in text if CJK_RUN.search(name) else name in words for name in map(folded, names))
