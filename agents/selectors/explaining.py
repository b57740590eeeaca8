"""Why a search found what it found: the parts of each score, the words that matched, what was just below the cut.

Nothing is searched in another way here: `search_explained` asks as the agent's function does, `call_explained` as it
did then, by the view of that run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from django.db.models import QuerySet, prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.exceptions import FunctionError, InvalidInput
from agents.external_context import archival_storage, recall_ranking, recall_storage
from agents.external_context.archival_storage import AsOf
from agents.external_context.hybrid import Hit, Page, Part
from agents.external_context.matched_words import Beside, Match, matched_words
from agents.functions import archival_memory, recall_memory, registry
from agents.functions.paging import LAST_PAGE, LONGEST_QUERY
from agents.main_context.fifo_queue import result_text
from agents.models import Agent, Message, Passage

Kind = Message.Kind
Storage = Literal["recall", "archival"]
COLUMNS = {"recall": recall_ranking.COLUMNS, "archival": archival_storage.COLUMNS}
FUNCTIONS: Mapping[str, Storage] = {
    recall_memory.conversation_search.__name__: "recall",
    archival_memory.archival_memory_search.__name__: "archival",
}
YES_OR_NO = ("speaker", "question")

t = gettext_lazy
PARTS = {
    ("recall", "context_embedding"): t("meaning, with the message before it"),
    ("recall", "embedding"): t("meaning"),
    ("recall", "words"): t("words, with the day and who said it"),
    ("recall", "context_words"): t("words, with the two messages before it"),
    ("recall", "talk"): t("the best of its talk"),
    ("recall", "speaker"): t("said by whom the query names"),
    ("recall", "length"): t("how many words it has"),
    ("recall", "question"): t("asks a question"),
    ("archival", "embedding"): t("meaning"),
    ("archival", "words"): t("words"),
}
BESIDE = {"day": t("%(word)s (its day)"), "name": t("%(word)s (who said it)")}


class Figure(NamedTuple):
    """A part of a score. `told` is its figure as people read it; of all `shown`, to hundredths, the sum is the score
    to hundredths too."""

    part: Part
    label: str
    told: str
    shown: float
    words: tuple[Match, ...]

    @property
    def adds(self) -> str:
        """What it adds to the score, with its sign."""
        return _hundredths(self.shown, "+") if self.shown else "0.00"

    @property
    def line(self) -> str:
        """All of it in one line."""
        words = f": {self.words_told}" if self.words else ""
        return f"{self.adds} {self.label} ({self.told}){words}"

    @property
    def words_told(self) -> str:
        """The words of the query that matched, one after the other."""
        return ", ".join(BESIDE[m.beside] % {"word": m.word} if m.beside else m.word for m in self.words)


@dataclass(frozen=True)
class Why:
    """Why one row was found: its score's figures, and a sentence about what is missing among them, if something is."""

    row: Message | Passage
    score: float
    figures: tuple[Figure, ...]
    note: str

    @property
    def text(self) -> str:
        """What the row says."""
        return self.row.content if isinstance(self.row, Message) else self.row.text

    @property
    def lines(self) -> list[str]:
        """What adds to its score or takes from it, line by line, and what that makes."""
        adding = [figure.line for figure in self.figures if figure.shown]
        return [*filter(None, [self.note]), *adding, f"= {self.score_told}"]

    @property
    def score_told(self) -> str:
        """The score as people read it."""
        return _hundredths(round(self.score, 2) + 0.0)


@dataclass(frozen=True)
class Explanation:
    """A page of a search as the agent makes it; `below` are the first of the next page. `text` is what the agent reads.
    `change` says of a past call how memory has changed since; empty if it would read the same."""

    agent: Agent
    storage: Storage
    query: str
    page: Page[Any]
    found: list[Why]
    below: list[Why]
    text: str
    change: str = ""


def search_explained(agent: Agent, storage: Storage, query: str, page: int = 1) -> Explanation:
    """What the agent would find and read now. Raises InvalidInput."""
    if not query.strip():
        raise InvalidInput(_("Write what to look for."))
    if len(query) > LONGEST_QUERY:
        most = _("A query has at most %(most)s characters; this one has %(count)s.")
        raise InvalidInput(most % {"most": f"{LONGEST_QUERY:,}", "count": f"{len(query):,}"})
    if not 1 <= page <= LAST_PAGE:
        raise InvalidInput(_("There is no page %(page)s.") % {"page": page})
    if storage == "recall":
        return _of_recall(agent, query, page, None)
    return _of_archival(agent, query, page, None)


def has_scores(result: Message) -> bool:
    """Whether it is the result of a search that ranked what it found."""
    return result.function in FUNCTIONS and not result.failed


def call_explained(result: Message) -> Explanation:
    """What a past call found, by the view of its run. Raises InvalidInput for what is no result of such a search."""
    if not has_scores(result):
        raise InvalidInput(_("Only a search of recall or archival storage that succeeded has scores."))
    storage = FUNCTIONS[result.function]
    query, page = _asked(result)
    agent = result.agent
    gone: QuerySet[Any]
    if storage == "recall":
        before = _run_start(result)
        then = _of_recall(agent, query, page, before)
        gone = agent.messages.filter(kind__in=recall_storage.SEARCHED_KINDS, seq__lt=before)
    else:
        then = _of_archival(agent, query, page, _view(result))
        gone = Passage.objects.filter(archive__in=archival_storage.archives_of(agent))
    if then.text == result_text(result.content):
        return then
    return replace(then, change=_change(storage, gone.filter(retracted_at__gt=result.created_at).count()))


def why_found(agent: Agent, storage: Storage, hits: Iterable[Hit[Any]], query: str) -> list[Why]:
    """Of a few hits of a search for `query`. One statement, of recall storage three."""
    hits = list(hits)
    rows = [hit.row for hit in hits]
    beside = recall_storage.beside(agent, rows) if storage == "recall" else {row.pk: Beside() for row in rows}
    matches = matched_words(COLUMNS[storage], query, beside)
    return [
        _why(storage, hit, {name: matches.get((hit.row.pk, name), ()) for name in COLUMNS[storage].words})
        for hit in hits
    ]


def _why(storage: Storage, hit: Hit[Any], words: Mapping[str, tuple[Match, ...]]) -> Why:
    shown = _adding_up([part.contribution for part in hit.parts])
    figures = [
        Figure(part, str(PARTS[storage, part.name]), _told(part), hundredths, words.get(part.name, ()))
        for part, hundredths in zip(hit.parts, shown, strict=True)
    ]
    note = ""
    if all(part.figure is None for part in hit.parts if part.name in COLUMNS[storage].vectors):
        note = _("Found by its words alone: it has no vector yet, or the embeddings endpoint did not answer.")
    elif not any(words.values()):
        note = _("No word of the query stands in it: its meaning found it.")
    return Why(hit.row, hit.score, tuple(figures), note)


def _adding_up(values: Sequence[float]) -> list[float]:
    """Rounded to hundredths so that their sum is that of all, rounded."""
    sums = [0.0, *(round(sum(values[: place + 1]), 2) for place in range(len(values)))]
    return [round(after - before, 2) + 0.0 for before, after in pairwise(sums)]  # + 0.0: no -0.0


def _told(part: Part) -> str:
    if part.figure is None:
        return "–"
    if part.name in YES_OR_NO:
        return _("yes") if part.figure else _("no")
    return str(part.figure) if part.name == "length" else _hundredths(part.figure)


def _hundredths(value: float, sign: str = "") -> str:
    return format(value, f"{sign}.2f").replace("-", "−")


def _of_recall(agent: Agent, query: str, number: int, before_seq: int | None) -> Explanation:
    page = recall_memory.found(agent, query, number, before_seq=before_seq)
    return _explanation(agent, "recall", query, page, recall_memory.found_text(page))


def _of_archival(agent: Agent, query: str, number: int, as_of: AsOf | None) -> Explanation:
    page = archival_memory.found(agent, query, number, as_of=as_of)
    prefetch_related_objects([hit.row for hit in page.below], "document")
    return _explanation(agent, "archival", query, page, archival_memory.found_text(agent, page))


def _explanation(agent: Agent, storage: Storage, query: str, page: Page[Any], text: str) -> Explanation:
    why = why_found(agent, storage, [*page.hits, *page.below], query)
    found, below = why[: len(page.hits)], why[len(page.hits) :]
    return Explanation(agent, storage, query, page, found, below, registry.cut(text))


def _asked(result: Message) -> tuple[str, int]:
    """The query and page of the call that `result` answers."""
    earlier = result.agent.messages.filter(kind=Kind.ASSISTANT, seq__lt=result.seq)
    caller = earlier.without_search_columns().order_by("-seq").first()
    for call in caller.calls if caller else ():
        if call["id"] == result.call_id and call["name"] == result.function:
            try:
                asked = registry.registered()[result.function].validate(call["arguments"]).arguments
            except FunctionError:
                break
            return asked["query"], asked["page"]
    raise InvalidInput(_("It can no longer be read what was looked for."))


def _run_start(result: Message) -> int:
    """The seq from which on that run's messages were left out."""
    run, earlier = result.run, result.agent.messages.filter(seq__lte=result.seq)
    if run and run.event and run.event.seq:
        return run.event.seq
    # of a run that nobody's message began, or an agent that came with its messages and without its runs
    own = earlier.filter(run=run).order_by("seq") if run else earlier.filter(kind=Kind.USER_MESSAGE).order_by("-seq")
    return own.values_list("seq", flat=True).first() or 0


def _view(result: Message) -> AsOf | None:
    if result.run is None:
        return None
    view = archival_memory.run_view(result.agent, result.run)
    return AsOf(view.run, view.time, result.step.number if result.step else None) if view else None


def _change(storage: Storage, gone: int) -> str:
    changed = _("Memory has changed since this call: the same search would find or tell something else now.")
    if not gone:
        return changed
    if storage == "recall":
        since = ngettext("%(count)d message was taken back since.", "%(count)d messages were taken back since.", gone)
    else:
        since = ngettext("%(count)d passage was deleted since.", "%(count)d passages were deleted since.", gone)
    return f"{changed} {since % {'count': gone}}"
