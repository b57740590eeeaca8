"""The inspector's tabs: empty and full, searched and paged, and as quick with a long history as with a short one."""

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import queue_manager, selectors, services
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, Archive, BlockRevision, Message, Run, Step, Summary
from chat import drawing
from chat.lists import PAGE
from chat.views.agents import TABS
from tests.chat.conftest import plain
from tests.conftest import ServeModel, exchange, make_agent

Kind = Message.Kind
LISTS = ("recall", "archival", "runs")  # tabs whose list can be asked for alone


def tab(browser: Client, agent: Agent, name: str, **query: Any) -> str:
    answer = browser.get(reverse("tab", args=[agent.pk, name]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def say_many(agent: Agent, count: int, text: str = "Message {n} about whales.") -> None:
    now = timezone.now()
    said = [Message(kind=Kind.USER_MESSAGE, content=text.format(n=n), created_at=now) for n in range(count)]
    queue_manager.append(agent, *said)


def following(markup: str) -> str:
    """The address of what comes after this page of a list; empty if it is the last."""
    found = re.findall(r'hx-get="([^"]*[?;](?:before|page)=\d+[^"]*)"', markup)
    assert len(found) <= 1
    return html.unescape(found[0]) if found else ""


def pages(browser: Client, markup: str) -> list[str]:
    """A list's page and all that follow it, as text."""
    texts = [plain(markup)]
    while address := following(markup):
        markup = browser.get(address).content.decode()
        texts.append(plain(markup))
    return texts


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(?:Message|Fact) (\d+)\b", text)]


@pytest.fixture
def full(agent: Agent, serve_model: ServeModel) -> Agent:
    """An agent that remembered, filed, looked up, failed once, and whose queue was flushed."""
    serve_model(
        [
            call("core_memory_append", thoughts="A name.", label="human", content="Name: Ada."),
            call("archival_memory_insert", content="Ada keeps a lighthouse in Finisterre."),
            call("archival_memory_search", query="lighthouse"),
            say("Your lighthouse is in Finisterre.", prompt_tokens=1234),
            say("It rains."),
            Answer(status=401, body='{"error": {"message": "Incorrect API key"}}'),
        ]
    )
    for text in ("I am Ada and I keep a lighthouse.", "How is the weather?", "Are you there?"):
        exchange(agent, text)
    assert services.queue_flush(agent=agent)
    agent.refresh_from_db()
    return agent


EMPTY = {
    "context": "The queue is still too short for anything to leave the window.",
    "memory": "We have just met.",
    "queue": "In the window 1 message",
    "recall": "Nothing has been said yet.",
    "archival": "Archival storage is empty.",
    "runs": "No runs yet.",
    "functions": "What Sam can do.",
}


@pytest.mark.parametrize("name", TABS)
def test_each_tab_of_a_new_agent_says_what_will_be_there(browser: Client, agent: Agent, name: str) -> None:
    assert EMPTY[name] in plain(tab(browser, agent, name))


FULL = {
    "context": "Summary of earlier messages",
    "memory": "Last change by Sam",
    "queue": "Evicted before",
    "recall": "Your lighthouse is in Finisterre.",
    "archival": "Ada keeps a lighthouse in Finisterre.",
    "runs": "refused the key",
    "functions": "core_memory_append",
}


@pytest.mark.parametrize("name", TABS)
def test_each_tab_of_a_used_agent_shows_what_is_there(browser: Client, full: Agent, name: str) -> None:
    assert FULL[name] in plain(tab(browser, full, name))


def test_an_unknown_tab_is_404(browser: Client, agent: Agent) -> None:
    assert browser.get(reverse("tab", args=[agent.pk, "secrets"])).status_code == 404


@pytest.mark.parametrize("name", TABS)
def test_any_tab_can_be_asked_for_its_results(browser: Client, agent: Agent, name: str) -> None:
    results = tab(browser, agent, name, part="results")
    assert 'class="search"' not in results
    assert ('class="tab"' in results) == (name not in LISTS)


# Context


def test_the_gauge_shows_both_marks_and_sections_that_add_up(browser: Client, full: Agent) -> None:
    view = selectors.context_view(full)
    text = plain(tab(browser, full, "context"))
    assert f"{view.used:,} of 8,192 tokens" in text
    assert f"warning mark at {view.marks.warning:,}" in text and f"flush mark at {view.marks.flush:,}" in text
    assert sum(segment.tokens for segment in drawing.gauge(view).segments) == view.main.prompt.tokens
    assert "of 8,192 tokens" in plain(browser.get(reverse("gauge", args=[full.pk])).content.decode())


def texts(message: dict[str, Any]) -> list[str]:
    calls = [call["function"] for call in message.get("tool_calls", ())]
    return [text for text in [message["content"], *(f"{c['name']} {c['arguments']}" for c in calls)] if text]


def test_the_exact_prompt_is_what_the_endpoint_gets(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("Hello.")])
    exchange(agent, "Is <this> “whole”?")
    services.message_send(agent=agent, text="And now?")
    services.run_next(agent_id=agent.pk)
    sent = server.requests[-1]["messages"]
    markup = browser.get(reverse("prompt", args=[agent.pk])).content.decode()
    shown = [html.unescape(text) for text in re.findall(r'<pre tabindex="0">(.*?)</pre>', markup, re.DOTALL)]
    wanted = [text for message in sent for text in texts(message)]
    assert shown[: len(wanted)] == wanted
    roles = re.findall(r"<li><h3>(\w+)</h3>", markup)
    assert roles[: len(sent)] == [message["role"] for message in sent]
    assert "archival_memory_insert: " in markup


# Queue


def test_the_queue_marks_what_leaves_next_and_evicts_it_on_request(browser: Client, agent: Agent) -> None:
    say_many(agent, 10)
    leaving = re.findall(r'<li id="queue-(\d+)" class="leaving">', tab(browser, agent, "queue"))
    assert 0 < len(leaving) <= 8
    assert browser.post(reverse("flush", args=[agent.pk])).status_code == 204
    markup = tab(browser, agent, "queue")
    assert set(re.findall(r'<li id="evicted-(\d+)"', markup)) == set(leaving)
    assert "Evicted before" in plain(markup) and "Show older" not in plain(markup)
    assert "A summary of the messages that left is being written." in plain(markup)


def test_a_queue_too_short_to_evict_says_so(browser: Client, agent: Agent) -> None:
    answer = browser.post(reverse("flush", args=[agent.pk]))
    assert "The queue is too short to evict anything." in answer["HX-Trigger"]


def test_the_summary_heads_the_queue(browser: Client, full: Agent) -> None:
    full.summary = Summary.objects.create(agent=full, text="They met Ada.", covers_to=full.queue_start, tokens=4)
    full.save()
    text = plain(tab(browser, full, "queue"))
    assert text.index("They met Ada.") < text.index("In the window")


# Recall


def test_everything_said_is_listed_newest_first_in_pages(browser: Client, agent: Agent) -> None:
    say_many(agent, PAGE * 2 + 5)
    markup = tab(browser, agent, "recall")
    assert "Show older" in plain(markup)
    found = [numbers(text) for text in pages(browser, markup)]
    assert [len(page) for page in found] == [PAGE, PAGE, 5]
    assert [number for page in found for number in page] == list(range(PAGE * 2 + 4, -1, -1))


def test_recall_search_finds_both_sides_and_tells_the_total(browser: Client, full: Agent) -> None:
    text = plain(tab(browser, full, "recall", q="lighthouse", part="results"))
    assert text.startswith("2 found, best first")
    assert "I am Ada and I keep a lighthouse." in text and "Your lighthouse is in Finisterre." in text
    assert "It rains." not in text


def test_recall_search_pages_reach_every_hit_once(browser: Client, agent: Agent) -> None:
    say_many(agent, PAGE * 2 + 3)
    markup = tab(browser, agent, "recall", q="whales", part="results")
    assert "Show more" in plain(markup)
    found = pages(browser, markup)
    assert len(found) == 3 and all("63 found" in text for text in found)
    assert sorted(number for text in found for number in numbers(text)) == list(range(PAGE * 2 + 3))


def test_the_next_page_keeps_the_words_that_were_looked_for(browser: Client, agent: Agent) -> None:
    say_many(agent, PAGE + 1, "Tom & Ann's “whale” #{n}")
    markup = tab(browser, agent, "recall", q="Tom & Ann's “whale”", part="results")
    assert f"{PAGE + 1} found" in plain(browser.get(following(markup)).content.decode())


@pytest.mark.parametrize("query", [{"q": "whales", "page": 99}, {"before": 1}])
def test_a_page_past_the_end_does_not_say_that_nothing_matches(
    browser: Client, agent: Agent, query: dict[str, Any]
) -> None:
    say_many(agent, PAGE + 5)
    assert "Nothing" not in plain(tab(browser, agent, "recall", part="results", **query))


@pytest.mark.parametrize("number", ["x", "0", "-1", "", "9" * 5000])
def test_a_page_that_is_none_is_the_first(browser: Client, agent: Agent, number: str) -> None:
    say_many(agent, PAGE + 5)
    for name in LISTS:
        assert tab(browser, agent, name, page=number)
    first = tab(browser, agent, "recall", q="whales", page=number)
    assert len(numbers(plain(first))) == PAGE
    assert numbers(plain(first)) == numbers(plain(tab(browser, agent, "recall", q="whales")))


@pytest.mark.parametrize("before", ["x", "-1", "", "1.5", "9" * 5000])
def test_a_place_that_is_none_is_the_newest(browser: Client, agent: Agent, before: str) -> None:
    say_many(agent, 3)
    for name in LISTS:
        assert tab(browser, agent, name, before=before)
    assert numbers(plain(tab(browser, agent, "recall", before=before))) == [2, 1, 0]


@pytest.mark.parametrize(
    "query", ["nosuchword", "!!! ???", "\x00", "' OR 1=1 --", "a & | ! <-> (", "字" * 3000, "%_\\"]
)
def test_anything_can_be_searched_for(browser: Client, full: Agent, query: str) -> None:
    for name in ("recall", "archival"):
        assert "found, best first" in tab(browser, full, name, q=query, part="results") or not query.strip("\x00")


def test_chinese_is_found_by_a_part_of_a_clause(browser: Client, agent: Agent) -> None:
    say_many(agent, 1, "我上个星期搬到里斯本了")
    say_many(agent, 3)
    text = plain(tab(browser, agent, "recall", q="里斯本", part="results"))
    assert text.index("搬到里斯本") < (text.index("whales") if "whales" in text else len(text))


# Archival


def test_archival_search_brings_the_best_first_with_scores(browser: Client, agent: Agent) -> None:
    for text in ("The spare key hangs behind the barometer.", "Whale oil burns.", "Ada has a cat."):
        services.passage_add(archive=agent.archive, text=text)
    hits = re.findall(
        r'<li id="passage-.*?</li>', tab(browser, agent, "archival", q="barometer key", part="results"), re.S
    )
    assert "behind the barometer" in plain(hits[0])
    scores = [float(score) for hit in hits for score in re.findall(r">(-?\d+\.\d\d)</span>", hit)]
    assert len(scores) == len(hits) and scores == sorted(scores, reverse=True)


def test_passages_are_listed_newest_first_in_pages(browser: Client, agent: Agent) -> None:
    for number in range(PAGE + 2):
        services.passage_add(archive=agent.archive, text=f"Fact {number}.")
    first, second = pages(browser, tab(browser, agent, "archival"))
    assert numbers(first) == list(range(PAGE + 1, 1, -1)) and "Show older" in first
    assert numbers(second) == [1, 0]


def test_a_passage_is_added_found_at_once_and_deleted(browser: Client, agent: Agent) -> None:
    url = reverse("passage_add", args=[agent.pk])
    assert browser.post(url, {"text": " The cellar floods in March. "}).status_code == 200
    passage = agent.archive.passages.get()
    assert passage.text == "The cellar floods in March."
    assert "1 found" in plain(tab(browser, agent, "archival", q="cellar", part="results"))
    assert browser.post(reverse("passages_delete"), {"chosen": passage.pk}).status_code == 204
    assert "0 found" in plain(tab(browser, agent, "archival", q="cellar", part="results"))


@pytest.mark.parametrize(
    ("text", "reason"), [("  ", "the text is empty"), ("x" * 8001, "The text has 8,001 characters")]
)
def test_a_passage_that_cannot_be_filed_stays_in_the_form(
    browser: Client, agent: Agent, text: str, reason: str
) -> None:
    answer = browser.post(reverse("passage_add", args=[agent.pk]), {"text": text})
    assert reason in plain(answer.content.decode()) and f">{text}</textarea>" in answer.content.decode()
    assert not agent.archive.passages.exists()


def test_an_attached_archive_is_shown_and_searched_too(browser: Client, alice: User, agent: Agent) -> None:
    other = make_agent(alice, "Ada")
    services.passage_add(archive=other.archive, text="Ada's own secret harbour.")
    assert "harbour" not in tab(browser, agent, "archival")
    agent.attached_archives.add(Archive.objects.get(writer=other))
    assert "harbour" in tab(browser, agent, "archival") and "harbour" in tab(browser, agent, "archival", q="harbour")


# Runs


def test_runs_show_steps_with_tokens_times_and_errors(browser: Client, full: Agent) -> None:
    text = plain(tab(browser, full, "runs"))
    assert "I am Ada and I keep a lighthouse. done" in text and "Are you there? failed" in text
    times = r"first token \d+\.\d\d s, whole \d+\.\d\d s"
    assert re.search(rf"step 4 {times} prompt 1,234 \(0 cached\), written 20 send_message", text)
    assert "Prompt tokens of the last 2 runs" in text


def test_runs_come_in_pages_newest_first(browser: Client, agent: Agent) -> None:
    made = [
        Run.objects.create(agent=agent, trigger=Run.Trigger.HEARTBEAT, idempotency_key=str(number)).pk
        for number in range(PAGE + 2)
    ]
    first = tab(browser, agent, "runs")
    second = browser.get(following(first)).content.decode()
    shown = [re.findall(r'<li class="block run" id="run-(\d+)"', markup) for markup in (first, second)]
    assert [len(page) for page in shown] == [PAGE, 2]
    assert [int(pk) for page in shown for pk in page] == sorted(made, reverse=True)


def test_only_the_newest_runs_are_asked_for_again_by_themselves(browser: Client, agent: Agent) -> None:
    """What is appended below must not put the newest in its place."""
    Run.objects.create(agent=agent, trigger=Run.Trigger.HEARTBEAT, idempotency_key="one")
    assert "memweb:runs from:body" in tab(browser, agent, "runs", part="results")
    assert "memweb:runs from:body" not in tab(browser, agent, "runs", part="results", before=9**9)


# As quick with a long history

MOST_QUERIES = 22


def grow(agent: Agent, steps: int) -> None:
    """A history with calls, results and memory edits, as runs leave it."""
    block, now = agent.blocks.get(label="human"), timezone.now()
    run = Run.objects.create(agent=agent, trigger=Run.Trigger.HEARTBEAT, idempotency_key="grown", status="done")
    for number in range(1, steps + 1):
        step = Step.objects.create(run=run, number=number, model="scripted", queue_start=1, last_seq=1)
        calls = [{"id": "c", "name": "core_memory_append", "arguments": '{"content": "x"}'}]
        said = Message(kind=Kind.ASSISTANT, content=f"Reply {number}.", calls=calls, created_at=now)
        result = Message(kind=Kind.FUNCTION_RESULT, content="{}", call_id="c", created_at=now)
        said.run = result.run = run
        said.step = result.step = step
        queue_manager.append(agent, Message(kind=Kind.USER_MESSAGE, content="Go on.", created_at=now), said, result)
        BlockRevision.objects.create(block=block, number=number + 1, value=f"v{number}", editor="agent", step=step)


@pytest.mark.django_db
@pytest.mark.parametrize("view", ["agent", "timeline_older", *TABS])
def test_no_page_asks_the_database_more_for_a_longer_history(
    browser: Client, agent: Agent, view: str, django_assert_max_num_queries: Any
) -> None:
    url = reverse("tab", args=[agent.pk, view]) if view in TABS else reverse(view, args=[agent.pk])
    grow(agent, 3)
    browser.get(url)  # what is made once and kept is made now
    with CaptureQueriesContext(connection) as short:
        browser.get(url)
    Run.objects.filter(idempotency_key="grown").update(idempotency_key="before")
    BlockRevision.objects.filter(number__gt=1).delete()
    grow(agent, 66)
    assert agent.messages.count() > 200
    with django_assert_max_num_queries(min(len(short), MOST_QUERIES)):
        answer = browser.get(url)
    assert answer.status_code == 200


def test_thinking_is_shown_where_there_was_any_and_the_time_with_the_step(
    browser: Client, agent: Agent, serve_model: ServeModel
) -> None:
    serve_model([say("Hello.", thoughts=" \n"), say("Hello again.", thoughts="A friend.")])
    exchange(agent, "Hi")
    exchange(agent, "Hi")
    Step.objects.update(latency=13.4)
    page = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    assert page.count("<summary>Thinking</summary>") == 1
    assert page.count("Step 1 · 13.4 s") == 2
