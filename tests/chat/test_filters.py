"""The inspector's lists by kind and by day, what matched marked in them, and the way from a hit to its place."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import queue_manager, selectors, services
from agents.external_context import archival_storage
from agents.llm.scripted import Answer, call, say
from agents.models import Agent, Message, Passage, Run
from tests.chat.conftest import plain, seqs
from tests.conftest import ServeModel, exchange, make_agent

Kind = Message.Kind
LISTS = ("recall", "archival", "runs")
REFUSED = Answer(status=401, body='{"error": {"message": "Incorrect API key"}}')


def results(browser: Client, agent: Agent, name: str, **query: Any) -> str:
    data = {name.removesuffix("_"): value for name, value in query.items()}
    answer = browser.get(reverse("tab", args=[agent.pk, name]), {"part": "results", **data})
    assert answer.status_code == 200
    return answer.content.decode()


def talk_by_day(agent: Agent, *days: str, text: str = "Said on the day {day}.") -> None:
    """A message at noon of each."""
    said = [
        Message(
            kind=Kind.USER_MESSAGE, content=text.format(day=day), created_at=datetime.fromisoformat(f"{day}T12:00Z")
        )
        for day in days
    ]
    queue_manager.append(agent, *said)


def days_in(markup: str) -> list[str]:
    return re.findall(r"on the day (\S+)\.", plain(markup))


def runs_in(markup: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'<li class="block run" id="run-(\d+)"', markup)]


DAYS = ("2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04")

# Days


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({}, DAYS),
        ({"from_": "2024-03-02"}, DAYS[1:]),
        ({"to": "2024-03-02"}, DAYS[:2]),
        ({"from_": "2024-03-02", "to": "2024-03-03"}, DAYS[1:3]),
        ({"from_": "2024-03-02", "to": "2024-03-02"}, DAYS[1:2]),
        ({"from_": "0001-01-01", "to": "9999-12-31"}, DAYS),
        ({"from_": "2025-01-01"}, ()),
        ({"from_": " ", "to": ""}, DAYS),
    ],
)
def test_both_days_are_within_the_days_shown(
    browser: Client, agent: Agent, limits: dict[str, str], found: tuple[str, ...]
) -> None:
    talk_by_day(agent, *DAYS)
    assert days_in(results(browser, agent, "recall", **limits)) == list(reversed(found))
    assert sorted(days_in(results(browser, agent, "recall", q="day", **limits))) == list(found)


def test_a_day_begins_and_ends_at_midnight(browser: Client, agent: Agent) -> None:
    moments = ("2024-03-01T23:59:59Z", "2024-03-02T00:00:00Z", "2024-03-02T23:59:59Z", "2024-03-03T00:00:00Z")
    for moment in moments:
        at = datetime.fromisoformat(moment)
        queue_manager.append(agent, Message(kind=Kind.USER_MESSAGE, content=f"At {moment}", created_at=at))
    text = plain(results(browser, agent, "recall", from_="2024-03-02", to="2024-03-02"))
    assert re.findall(r"At (\S+)", text) == [moments[2], moments[1]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("day", ["yesterday", "2024-02-30", "2024-13-01", "02/03/2024", "<b>", "9" * 500])
def test_a_day_that_is_none_is_said_in_the_lists_place(browser: Client, agent: Agent, name: str, day: str) -> None:
    for field in ("from_", "to"):
        markup = results(browser, agent, name, **{field: day})
        assert f"“{day[:40]}” is not a day. Write it as YYYY-MM-DD." in plain(markup)
        assert "<b>" not in markup and "<ol" not in markup


@pytest.mark.parametrize("name", LISTS)
def test_an_end_before_its_start_is_said_in_the_lists_place(browser: Client, agent: Agent, name: str) -> None:
    markup = results(browser, agent, name, from_="2024-03-03", to="2024-03-02")
    assert "The last day is before the first one." in plain(markup) and "<ol" not in markup
    whole = browser.get(reverse("tab", args=[agent.pk, name]), {"from": "2024-03-03", "to": "2024-03-02"})
    assert "The last day is before the first one." in plain(whole.content.decode())


@pytest.mark.parametrize("query", [{"from": "x"}, {"to": "x"}, {"from": "2024-03-03", "to": "2024-03-02"}])
def test_the_queue_which_has_no_days_takes_no_harm_from_them(
    browser: Client, agent: Agent, query: dict[str, str]
) -> None:
    assert browser.get(reverse("tab", args=[agent.pk, "queue"]), query).status_code == 200


def test_runs_are_narrowed_by_the_day_they_were_queued(browser: Client, agent: Agent) -> None:
    runs = [services.heartbeat_send(agent=agent, reason=f"{number}") for number in range(2)]
    Run.objects.filter(pk=runs[0].pk).update(created_at=datetime(2024, 3, 2, 12, tzinfo=UTC))
    assert runs_in(results(browser, agent, "runs", from_="2024-03-02", to="2024-03-02")) == [runs[0].pk]
    assert runs_in(results(browser, agent, "runs", from_="2024-03-03")) == [runs[1].pk]


def test_passages_are_narrowed_by_the_day_they_were_filed(browser: Client, agent: Agent) -> None:
    old, _new = (services.passage_add(archive=agent.archive, text=f"The {age} lamp.") for age in ("old", "new"))
    Passage.objects.filter(pk=old.pk).update(created_at=datetime(2024, 3, 2, 12, tzinfo=UTC))
    for query in ({}, {"q": "lamp"}):
        text = plain(results(browser, agent, "archival", to="2024-03-02", **query))
        assert "The old lamp." in text and "The new lamp." not in text
        text = plain(results(browser, agent, "archival", from_="2024-03-03", **query))
        assert "The old lamp." not in text and "The new lamp." in text


# Kinds


def test_recall_shows_one_side_alone(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("The harbour is quiet.")])
    exchange(agent, "How is the harbour?")
    for query in ({}, {"q": "harbour"}):
        mine = plain(results(browser, agent, "recall", kind="you", **query))
        its = plain(results(browser, agent, "recall", kind="agent", **query))
        assert "How is the harbour?" in mine and "quiet" not in mine
        assert "How is" not in its and "The harbour is quiet." in its


def test_archival_shows_what_was_filed_added_or_read(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("archival_memory_insert", content="A filed lamp."), say("Filed.")])
    exchange(agent, "File it.")
    services.passage_add(archive=agent.archive, text="An added lamp.")
    document = agent.archive.documents.create(name="log.txt", sha256="x", media_type="text/plain", size=1)
    archival_storage.insert_pieces(document, [archival_storage.Piece(0, None, "", "A read lamp.")])
    texts = {"filed": "A filed lamp.", "added": "An added lamp.", "documents": "A read lamp."}
    for query in ({}, {"q": "lamp"}):
        for kind in texts:
            shown = plain(results(browser, agent, "archival", kind=kind, **query))
            assert [other for other in texts if texts[other] in shown] == [kind]


def test_runs_show_those_that_failed(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Yes."), REFUSED])
    done, failed = exchange(agent, "Are you there?"), exchange(agent, "And now?")
    assert runs_in(results(browser, agent, "runs", kind="failed")) == [failed.pk]
    assert runs_in(results(browser, agent, "runs", kind="done")) == [done.pk]
    assert "No run is like that." in plain(results(browser, agent, "runs", kind="stopped"))


def test_the_queue_shows_one_kind_and_counts_them_all(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    exchange(agent, "I am Ada.")
    url = reverse("tab", args=[agent.pk, "queue"])
    kinds = {
        kind: re.findall(r'<span class="kind">([a-z ]+)', browser.get(url, {"kind": kind}).content.decode())
        for kind in ("said", "functions", "events", "")
    }
    assert [name.strip() for name in kinds["said"]] == ["user message", "assistant", "assistant"]
    assert [name.strip() for name in kinds["functions"]] == ["function result"] * 2
    assert [name.strip() for name in kinds["events"]] == ["login"]
    assert len(kinds[""]) == 6
    assert "In the window 6 messages" in plain(browser.get(url, {"kind": "events"}).content.decode())
    assert f'{url}?kind=said"' in browser.get(url, {"kind": "said"}).content.decode()  # asked for again as it is


@pytest.mark.parametrize("name", [*LISTS, "queue"])
def test_a_kind_that_is_none_narrows_nothing(browser: Client, agent: Agent, name: str) -> None:
    talk_by_day(agent, *DAYS)
    services.passage_add(archive=agent.archive, text="A lamp.")
    services.heartbeat_send(agent=agent, reason="Wake up.")

    def rows(kind: str) -> int:
        return browser.get(reverse("tab", args=[agent.pk, name]), {"kind": kind}).content.count(b"</li>")

    assert rows("nonsense") == rows("x" * 5000) == rows("")


def test_archival_shows_one_archive_alone(browser: Client, agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Ada")
    services.archive_attach(agent=agent, archive=other.archive)
    services.passage_add(archive=agent.archive, text="Sam's lamp.")
    services.passage_add(archive=other.archive, text="Ada's lamp.")
    for query in ({}, {"q": "lamp"}):
        text = plain(results(browser, agent, "archival", archive=other.archive_id, **query))
        assert "Ada's lamp." in text and "Sam's lamp." not in text


def test_the_next_page_of_a_search_leaves_out_what_came_meanwhile(browser: Client, agent: Agent) -> None:
    for number in range(40):
        archival_storage.insert(agent.archive, f"harbour fact {number}")
    first = results(browser, agent, "archival", q="harbour")
    address = html.unescape(re.search(r'hx-get="([^"]*page=2[^"]*)"', first)[1])  # type: ignore[index]
    archival_storage.insert(agent.archive, "harbour harbour harbour")
    second = browser.get(address).content.decode()
    shown = [re.findall(r"fact</mark> (\d+)|fact (\d+)", text) for text in (first, second)]
    assert len(shown[0]) == 30 and len(shown[1]) == 10 and not set(shown[0]) & set(shown[1])
    assert "harbour</mark> <mark>harbour" not in second


def test_what_narrows_a_list_stands_in_its_form_and_in_its_next_page(browser: Client, agent: Agent) -> None:
    for number in range(31):
        talk_by_day(agent, "2024-03-02", text=f"Message {number}.")
    query = {"kind": "you", "from": "2024-03-02", "to": "2024-03-03"}
    markup = browser.get(reverse("tab", args=[agent.pk, "recall"]), query).content.decode()
    assert '<option value="you" selected>' in markup
    assert 'name="from" value="2024-03-02"' in markup and 'name="to" value="2024-03-03"' in markup
    following = re.search(r'hx-get="([^"]*before=\d+[^"]*)"', markup)
    assert following
    for name, value in query.items():
        assert f"{name}={value}" in html.unescape(following[1])


def test_a_list_narrowed_to_nothing_does_not_say_that_nothing_is_there(browser: Client, agent: Agent) -> None:
    for name, text in (("recall", "Nothing has been said yet"), ("archival", "Archival storage is empty")):
        assert text in plain(results(browser, agent, name))
        assert text not in plain(results(browser, agent, name, from_="2024-03-02"))
        assert "matches." in plain(results(browser, agent, name, from_="2024-03-02"))


# Marks


def test_what_matched_is_marked_and_html_in_it_stays_text(browser: Client, agent: Agent) -> None:
    talk_by_day(agent, "2024-03-02", text="Two <b>keepers</b> & a lamp.")
    services.passage_add(archive=agent.archive, text="Two <b>keepers</b> & a lamp.")
    for name in ("recall", "archival"):
        markup = results(browser, agent, name, q="keeper")
        assert "Two &lt;b&gt;<mark>keepers</mark>&lt;/b&gt; &amp; a lamp." in markup
        assert "<mark>" not in results(browser, agent, name)


# From a hit to its place


@pytest.fixture
def long(agent: Agent) -> Agent:
    """An agent with the seqs 1 to 301."""
    start = datetime(2024, 3, 1, tzinfo=UTC)
    said = [
        Message(kind=Kind.USER_MESSAGE, content=f"Message {seq}.", created_at=start + timedelta(minutes=seq))
        for seq in range(2, 302)
    ]
    queue_manager.append(agent, *said)
    return agent


def links(markup: str) -> list[tuple[str, str]]:
    anchors = re.findall(r'href="([^"]*\?at=[^"]*)"\s+data-jump="(\d+)"', markup)
    return [(html.unescape(href), seq) for href, seq in anchors]


def test_every_hit_links_to_its_place_in_the_conversation(browser: Client, long: Agent) -> None:
    message = long.messages.get(content="Message 77.")
    place = (f"{reverse('agent', args=[long.pk])}?at=77#message-{message.pk}", "77")
    assert links(results(browser, long, "recall", q="77"))[0] == place
    in_queue = links(browser.get(reverse("tab", args=[long.pk, "queue"])).content.decode())
    shown = {str(m.seq) for m in selectors.context_view(long).main.messages}
    assert {seq for _href, seq in in_queue} == shown


def test_a_run_links_to_what_set_it_off(browser: Client, agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Yes.")])
    exchange(agent, "Are you there?")
    services.message_send(agent=agent, text="It waits and has no place yet.")
    assert [seq for _href, seq in links(results(browser, agent, "runs"))] == ["2"]


def test_the_link_opens_the_page_with_that_stretch_of_the_past(browser: Client, long: Agent) -> None:
    markup = browser.get(reverse("agent", args=[long.pk]), {"at": "77"}).content.decode()
    shown = seqs(markup)
    assert shown == [*range(48, 108), *range(242, 302)]
    assert "timeline/?before=48" in markup
    assert "timeline/later/?after=107&amp;before=242" in markup
    assert 'id="timeline-rows" data-first-seq="242"' in markup


@pytest.mark.parametrize("at", ["250", "301", "5000", "x", "", "-3", "0", "9" * 30])
def test_a_place_on_the_page_or_none_at_all_changes_nothing(browser: Client, long: Agent, at: str) -> None:
    markup = browser.get(reverse("agent", args=[long.pk]), {"at": at}).content.decode()
    assert seqs(markup) == list(range(242, 302)) and "timeline/later/" not in markup


def around(browser: Client, agent: Agent, **query: Any) -> str:
    return browser.get(reverse("timeline_around", args=[agent.pk]), query).content.decode()


@pytest.mark.parametrize(
    ("seq", "rows", "older", "gap"),
    [
        (100, range(71, 131), "?before=71", "after=130&amp;before=242"),
        (1, range(1, 32), "", "after=31&amp;before=242"),
        (230, range(201, 242), "?before=201", ""),
        (211, range(182, 242), "?before=182", ""),
        (210, range(181, 241), "?before=181", "after=240&amp;before=242"),
    ],
)
def test_a_stretch_has_what_was_asked_for_in_its_middle(
    browser: Client, long: Agent, seq: int, rows: range, older: str, gap: str
) -> None:
    markup = around(browser, long, seq=seq, before=242)
    assert seqs(markup) == list(rows)
    assert older in markup if older else "timeline/?before" not in markup
    assert gap in markup if gap else "timeline/later/" not in markup


@pytest.mark.parametrize("query", [{}, {"seq": "x", "before": "y"}, {"seq": "9" * 18}])
def test_a_stretch_around_nothing_does_no_harm(browser: Client, agent: Agent, query: dict[str, str]) -> None:
    talk_by_day(agent, *DAYS)
    assert seqs(around(browser, agent, **query)) == [1, 2, 3, 4, 5]


def test_the_gap_fills_page_by_page_until_it_is_closed(browser: Client, long: Agent) -> None:
    markup, found = around(browser, long, seq=100, before=242), []
    while following := re.search(r'hx-get="([^"]*/timeline/later/[^"]*)"', markup):
        markup = browser.get(html.unescape(following[1])).content.decode()
        found.append(seqs(markup))
    assert [len(rows) for rows in found] == [60, 51]
    assert [seq for rows in found for seq in rows] == list(range(131, 242))


def test_what_was_taken_back_is_in_no_stretch(browser: Client, long: Agent) -> None:
    long.messages.filter(seq__in=[100, 102]).update(retracted_at=datetime.now(UTC))
    assert not {100, 102} & set(seqs(around(browser, long, seq=101, before=242)))
    assert not {100, 102} & set(seqs(browser.get(reverse("timeline_later", args=[long.pk])).content.decode()))


def test_days_are_those_of_the_servers_time_zone(browser: Client, agent: Agent, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    at = datetime(2024, 3, 1, 20, tzinfo=UTC)  # the second of March there
    queue_manager.append(agent, Message(kind=Kind.USER_MESSAGE, content="Said on the day x.", created_at=at))
    assert days_in(results(browser, agent, "recall", from_=str(date(2024, 3, 2)))) == ["x"]
    assert days_in(results(browser, agent, "recall", to="2024-03-01")) == []


@pytest.mark.parametrize(
    ("zone", "found"), [("Asia/Shanghai", True), ("UTC", False), ("", False), ("../nowhere", False)]
)
def test_a_day_begins_at_the_midnight_of_the_browser(browser: Client, agent: Agent, zone: str, found: bool) -> None:
    """20:00 UTC of the 4th is the 5th in Shanghai."""
    at = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)
    queue_manager.append(agent, Message(kind=Message.Kind.USER_MESSAGE, content="A late lamp.", created_at=at))
    browser.cookies["zone"] = zone
    answer = browser.get(reverse("tab", args=[agent.pk, "recall"]), {"from": "2026-03-05", "to": "2026-03-05"})
    assert ("A late lamp." in answer.content.decode()) == found
