"""Why a search found what it found, as the page tells it: of a row of a list, of a query, of a call of the agent's."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.external_context import archival_storage, recall_storage
from agents.external_context.hybrid import PAGE_SIZE
from agents.functions import archival_memory
from agents.llm.scripted import call, say
from agents.models import Agent, Passage
from tests.agents.external_context.test_recall_ranking import NOON, embedded, said
from tests.agents.external_context.test_why_found import filed, talked
from tests.chat.conftest import plain
from tests.conftest import ServeModel, exchange, make_agent

__all__ = ["filed", "talked"]  # fixtures

QUERIES = ("what did Ann say about the harbour on 5 March", "我的钥匙在哪里", "wifi at the café")
LISTS = {"recall": "message_why", "archival": "passage_why"}
AGENTS_PAGE = {"recall": PAGE_SIZE, "archival": archival_memory.PAGE_SIZE}


def asked(browser: Client, address: str) -> str:
    answer = browser.get(html.unescape(address))
    assert answer.status_code == 200
    return answer.content.decode()


def listed(browser: Client, agent: Agent, name: str, **query: str) -> str:
    answer = browser.get(reverse("tab", args=[agent.pk, name]), {"part": "results", **query})
    return answer.content.decode()


def number(text: str) -> int:
    """In hundredths."""
    return round(100 * float(text.replace("−", "-")))


def scores(markup: str) -> list[int]:
    return [
        number(score) for score in re.findall(r'<span class="count" title="Score[^>]*>([−-]?[\d.]+)</span>', markup)
    ]


def tables(markup: str) -> list[tuple[int, int]]:
    """Of each table: the sum of what its rows add, and the score below them."""
    found = []
    for table in re.findall(r"<table.*?</table>", markup, re.DOTALL):
        *added, score = re.findall(r"<td>([+−-]?\d+\.\d\d)</td>\s*</tr>", table)
        found.append((sum(map(number, added)), number(score)))
    return found


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", QUERIES)
def test_each_row_of_a_list_opens_to_figures_that_add_up_to_its_score(
    browser: Client, filed: Agent, name: str, query: str
) -> None:
    markup = listed(browser, filed, name, q=query)
    opened = [asked(browser, address) for address in re.findall(r'<details class="why"\s+hx-get="([^"]+)"', markup)]
    assert len(opened) == len(scores(markup)) == 9
    for score, figures in zip(scores(markup), opened, strict=True):
        assert tables(figures) == [(score, score)]
        assert "another one now" not in figures


def test_a_narrowed_list_opens_to_the_figures_of_that_search(browser: Client, filed: Agent) -> None:
    markup = listed(browser, filed, "recall", q="harbour", kind="agent")
    addresses = re.findall(r'<details class="why"\s+hx-get="([^"]+)"', markup)
    assert len(addresses) == 3
    assert [tables(asked(browser, address))[0][1] for address in addresses] == scores(markup)
    assert listed(browser, filed, "recall", q="harbour") != markup


def test_a_list_whose_memory_changed_since_says_so(browser: Client, filed: Agent) -> None:
    markup = listed(browser, filed, "archival", q="harbour")
    kept = Passage.objects.get(text__startswith="The harbour lights")
    (address,) = (a for a in re.findall(r'<details class="why"\s+hx-get="([^"]+)"', markup) if f"/{kept.pk}/" in a)
    Passage.objects.exclude(text__contains="harbour").update(retracted_at=timezone.now())
    assert "the score is another one now" in asked(browser, address)
    Passage.objects.filter(pk=kept.pk).update(retracted_at=timezone.now())
    assert "This search does not find it any more." in asked(browser, address)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_where_the_agents_first_page_ends(browser: Client, filed: Agent, name: str) -> None:
    markup = listed(browser, filed, name, q="harbour")
    before, _cut, after = markup.partition("Here ends the first page that Sam reads")
    assert len(scores(before)) == AGENTS_PAGE[name] and len(scores(after)) == 9 - AGENTS_PAGE[name]
    for narrowed in ({"kind": "you"}, {"from": "2026-01-01"}, {"page": "2"}, {"q": ""}):
        assert "Here ends" not in listed(browser, filed, name, **{"q": "harbour", **narrowed})


def test_the_list_itself_computes_no_words(browser: Client, filed: Agent) -> None:
    listed(browser, filed, "recall", q="harbour")
    with CaptureQueriesContext(connection) as queries:
        listed(browser, filed, "recall", q="harbour")
    assert not [query for query in queries if "tsvector_to_array" in query["sql"]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_tried_as_the_agent_searches(browser: Client, filed: Agent, name: str, query: str) -> None:
    find = recall_storage.find if name == "recall" else archival_storage.find
    page = find(filed, query, size=AGENTS_PAGE[name])
    markup = asked(browser, reverse(f"{name}_why", args=[filed.pk]) + f"?q={query}")
    shown = [*page.hits, *page.below]
    assert scores(markup) == [round(100 * hit.score) for hit in shown]
    assert tables(markup) == [(score, score) for score in scores(markup)]
    found, below = markup.split("Just below the cut")
    assert len(tables(found)) == AGENTS_PAGE[name] and len(tables(below)) == 3
    assert f"Showing {AGENTS_PAGE[name]} of 9, page 1" in plain(below)
    second = asked(browser, reverse(f"{name}_why", args=[filed.pk]) + f"?q={query}&page=2")
    assert scores(second)[: len(below)][0] == scores(below)[0]
    assert "Page before" in second and "Page before" not in markup


def test_without_a_query_there_is_a_box_for_one(browser: Client, agent: Agent) -> None:
    markup = asked(browser, reverse("recall_why", args=[agent.pk]))
    assert 'name="q"' in markup and 'role="alert"' not in markup
    refused = plain(asked(browser, reverse("recall_why", args=[agent.pk]) + "?q=" + "x" * 2001))
    assert "A query has at most 2,000 characters; this one has 2,001." in refused
    far = reverse("archival_why", args=[agent.pk]) + "?q=x&page=12345678"
    assert "There is no page 12345678." in plain(asked(browser, far))
    assert "Nothing is found there." in plain(asked(browser, reverse("archival_why", args=[agent.pk]) + "?q=x"))


@pytest.mark.parametrize("function", ["conversation_search", "archival_memory_search"])
def test_a_call_in_the_conversation_opens_to_what_it_found(
    browser: Client, filed: Agent, serve_model: ServeModel, function: str
) -> None:
    serve_model(
        [call(function, query="harbour lights"), call("core_memory_append", label="human", content="x"), say("Yes.")]
    )
    exchange(filed, "What burns?")
    said(filed, "harbour lights, harbour lights", at=NOON + timedelta(days=2))
    archival_storage.insert(filed.archive, "harbour lights, harbour lights")
    timeline = asked(browser, reverse("agent", args=[filed.pk]))
    (address,) = re.findall(r'hx-get="(/messages/\d+/why/)"', timeline)
    markup = asked(browser, address)
    assert "Sam looked for “harbour lights”" in plain(markup) and "Memory has changed" not in markup
    assert "harbour lights, harbour lights" not in plain(markup)
    assert tables(markup) == [(score, score) for score in scores(markup)] and tables(markup)
    gone = filed.messages if function == "conversation_search" else filed.archive.passages
    gone.update(retracted_at=timezone.now())
    assert "Memory has changed since this call" in plain(asked(browser, address))


def test_a_strangers_agent_is_not_searched(agent: Agent, bob: User, client: Client) -> None:
    said(agent, "The harbour lights burn whale oil.")
    message, passage = (
        recall_storage.spoken(embedded(agent)).get(),
        archival_storage.insert(agent.archive, "Whale oil."),
    )
    client.force_login(bob)
    own = make_agent(bob, "Bob's")
    for name, ids in (
        *(("recall_why", [agent.pk]), ("archival_why", [agent.pk]), ("call_why", [message.pk])),
        *(("message_why", [agent.pk, message.pk]), ("message_why", [own.pk, message.pk])),
        *(("passage_why", [agent.pk, passage.pk]), ("passage_why", [own.pk, passage.pk])),
    ):
        assert client.get(reverse(name, args=ids), {"q": "whale"}).status_code == 404


def test_anothers_message_is_not_found_by_an_agent_of_ones_own(browser: Client, agent: Agent, alice: User) -> None:
    said(agent, "The harbour lights burn whale oil.")
    other = make_agent(alice, "Other")
    message = recall_storage.spoken(agent).get()
    answer = asked(browser, reverse("message_why", args=[other.pk, message.pk]) + "?q=whale")
    assert "does not find it" in answer and "harbour" not in answer
