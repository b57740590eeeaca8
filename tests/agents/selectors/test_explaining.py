"""Why a search found what it found, told from the search that the agent's function makes."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.external_context.hybrid import BELOW
from agents.llm.scripted import call, say
from agents.main_context.fifo_queue import result_text
from agents.models import Agent, Message, Passage
from agents.selectors.explaining import Storage
from tests.agents.external_context.test_recall_ranking import said
from tests.agents.external_context.test_why_found import QUERIES, filed, talked
from tests.conftest import ServeModel, exchange

__all__ = ["filed", "talked"]  # fixtures

STORAGES: tuple[Storage, ...] = ("recall", "archival")


def searched(
    agent: Agent, serve_model: ServeModel, function: str, *pages: int, query: str = "harbour"
) -> list[Message]:
    """The results of one run that searches for some pages."""
    calls = [call(function, query=query, page=page) for page in pages]
    serve_model([*calls, say("Done.")])
    run = exchange(agent, f"What of the {query}?")
    return list(agent.messages.filter(run=run, function=function).order_by("seq"))


def keys(why: list[selectors.Why]) -> list[int]:
    return [each.row.pk for each in why]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("query", QUERIES)
def test_figures_add_up_to_the_score_that_ranked(filed: Agent, storage: Storage, query: str) -> None:
    told = selectors.search_explained(filed, storage, query)
    find: Any = recall_storage.find if storage == "recall" else archival_storage.find
    ranked = {hit.row.pk: hit.score for hit in find(filed, query, size=50).hits}
    assert keys([*told.found, *told.below]) == list(ranked)[: len(told.found) + BELOW]
    for why in [*told.found, *told.below]:
        assert why.score == ranked[why.row.pk]
        assert why.score == pytest.approx(sum(figure.part.contribution for figure in why.figures), abs=1e-9)
        assert f"{sum(figure.shown for figure in why.figures):.2f}" == f"{round(why.score, 2) + 0.0:.2f}"
        assert all(abs(figure.shown - figure.part.contribution) < 0.011 for figure in why.figures)


def test_the_text_is_what_the_agent_reads(filed: Agent, serve_model: ServeModel) -> None:
    before: dict[Any, selectors.Explanation] = {
        storage: selectors.search_explained(filed, storage, "harbour", 2) for storage in STORAGES
    }
    for storage, function in (("recall", "conversation_search"), ("archival", "archival_memory_search")):
        (result,) = searched(filed, serve_model, function, 2)
        told = before[storage]
        assert told.text == result_text(result.content) and told.text.startswith(
            f"Showing {len(told.found)} of 9, page 2"
        )


def test_words_are_told_with_where_they_stand(talked: Agent) -> None:
    told = selectors.search_explained(talked, "recall", "what did Ann paint on 5 March")
    (painted,) = (why for why in told.found if "painted" in why.text)
    assert {f.part.name: f.words_told for f in painted.figures}["words"] == "ann (who said it), paint, march (its day)"
    assert {f.part.name: f.told for f in painted.figures}["speaker"] == "yes"
    with translation.override("zh-hans"):
        told = selectors.search_explained(talked, "recall", "what did Ann paint on 5 March")
        assert {f.part.name: f.told for f in told.found[0].figures}["speaker"] == "是的"


def test_a_row_found_by_words_alone_says_so_and_so_does_one_without_them(talked: Agent) -> None:
    said(talked, "The hygrometer rose.", at=timezone.now())
    told = selectors.search_explained(talked, "recall", "hygrometer rose")
    notes = {why.text: why.note for why in [*told.found, *told.below]}
    assert "by its words alone" in notes.pop("The hygrometer rose.")
    assert notes and all("No word of the query" in note for note in notes.values())
    told = selectors.search_explained(talked, "recall", "whale oil")
    assert next(why.note for why in told.found if "whale" in why.text) == ""


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    ("query", "page", "reason"),
    [
        (" ", 1, "Write what to look for"),
        ("x" * 2001, 1, "at most 2,000"),
        ("x", 0, "no page 0"),
        ("x", 10**7, "no page"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(
    agent: Agent, storage: Storage, query: str, page: int, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        selectors.search_explained(agent, storage, query, page)


@pytest.mark.parametrize("storage", STORAGES)
def test_nothing_found_is_told_as_the_agent_reads_it(agent: Agent, storage: Storage) -> None:
    told = selectors.search_explained(agent, storage, "harbour")
    assert not told.found and not told.below
    assert told.text.startswith("Nothing in the conv" if storage == "recall" else "Archival storage is empty")


@pytest.mark.parametrize("function", ["conversation_search", "archival_memory_search"])
def test_a_past_call_is_told_by_the_view_of_its_run(filed: Agent, serve_model: ServeModel, function: str) -> None:
    first, second = searched(filed, serve_model, function, 1, 2)
    said(filed, "The harbour, the harbour, the harbour lights!", at=timezone.now())
    archival_storage.insert(filed.archive, "The harbour, the harbour, the harbour lights!")
    for number, result in enumerate((first, second), 1):
        told = selectors.call_explained(result)
        assert (told.query, told.page.number, told.page.total, told.change) == ("harbour", number, 9, "")
        assert told.text == result_text(result.content) and told.found
    assert not set(keys(selectors.call_explained(first).found)) & set(keys(selectors.call_explained(second).found))


def test_what_the_run_filed_later_is_not_in_an_earlier_calls_view(agent: Agent, serve_model: ServeModel) -> None:
    archival_storage.insert(agent.archive, "The harbour is deep.")
    search = call("archival_memory_search", query="harbour")
    serve_model([search, call("archival_memory_insert", content="The harbour lights."), search, say("Done.")])
    run = exchange(agent, "What of the harbour?")
    first, second = agent.messages.filter(run=run, function="archival_memory_search").order_by("seq")
    assert [selectors.call_explained(result).page.total for result in (first, second)] == [1, 2]
    assert not selectors.call_explained(first).change and not selectors.call_explained(second).change


def test_what_was_taken_back_since_is_said(filed: Agent, serve_model: ServeModel) -> None:
    (recalled,) = searched(filed, serve_model, "conversation_search", 1)
    (archived,) = searched(filed, serve_model, "archival_memory_search", 1)
    gone = recall_storage.spoken(filed).filter(content__startswith="The harbour lights")
    gone.update(retracted_at=timezone.now())
    services.passages_retract(passages=Passage.objects.filter(text__startswith="The harbour lights"))
    for result, sentence in ((recalled, "1 message was taken back since."), (archived, "1 passage was deleted since.")):
        told = selectors.call_explained(result)
        assert told.page.total == 8 and told.change.startswith("Memory has changed") and sentence in told.change


def test_what_is_no_search_with_scores_is_refused(filed: Agent, serve_model: ServeModel) -> None:
    (result,) = searched(filed, serve_model, "conversation_search", 1)
    user_message = filed.messages.filter(kind=Message.Kind.USER_MESSAGE).latest("seq")
    with pytest.raises(InvalidInput, match="Only a search"):
        selectors.call_explained(user_message)
    filed.messages.filter(kind=Message.Kind.ASSISTANT, calls__contains=[{"id": result.call_id}]).update(calls=[])
    with pytest.raises(InvalidInput, match="no longer be read"):
        selectors.call_explained(result)


def test_an_agent_that_came_without_its_runs_has_its_calls_told(filed: Agent, serve_model: ServeModel) -> None:
    (result,) = searched(filed, serve_model, "conversation_search", 1)
    filed.messages.update(run=None, step=None)
    assert not selectors.call_explained(filed.messages.get(pk=result.pk)).change


@pytest.mark.parametrize(("storage", "more"), [("recall", 2), ("archival", 1)])
def test_explaining_costs_little_more_than_the_search(filed: Agent, storage: Storage, more: int) -> None:
    """A statement for the words, and in recall one for the names of who said it."""
    find: Any = recall_storage.find if storage == "recall" else archival_storage.find
    find(filed, "harbour")  # now the agent knows its owner
    with CaptureQueriesContext(connection) as search:
        find(filed, "harbour")
    with CaptureQueriesContext(connection) as explained:
        selectors.search_explained(filed, storage, "harbour")
    assert len(explained) - len(search) == more
