"""The person's time: page, prompt and search say their day, wherever they are and whoever asks."""

import html
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from agents import queue_manager, services
from agents.exceptions import InvalidInput
from agents.external_context import recall_storage, reindexing
from agents.llm.scripted import Request, call, last_event, say
from agents.models import Agent, Message, Preferences, Step
from agents.person import Person, own_time, person_of, works_for
from agents.selectors import step_view
from agents.text.days import parse_day, stamp
from tests.conftest import ServeModel, make_agent

Kind = Message.Kind
KIRITIMATI, LOS_ANGELES = "Pacific/Kiritimati", "America/Los_Angeles"
HTMX = {"HX-Request": "true"}

Clock = Callable[[str], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets what time it is, in UTC; each look at it is a moment later."""
    moment = [timezone.now()]

    def now() -> datetime:
        moment[0] += timedelta(milliseconds=1)
        return moment[0]

    def put(time: str) -> None:
        moment[0] = datetime.fromisoformat(time).replace(tzinfo=UTC)

    monkeypatch.setattr(timezone, "now", now)
    return put


def chat(browser: Client, agent: Agent, text: str) -> None:
    """Through the page, and then as a worker, in a thread that has seen no request."""
    answer = browser.post(reverse("message_send", args=[agent.pk]), {"text": text, "key": text}, headers=HTMX)
    assert answer.status_code == 200, answer.content
    while services.run_next(agent_id=agent.pk):
        pass


def stamps(request: Request) -> dict[str, str]:
    """The stamp of each message that the model was shown."""
    said = (turn["content"] for turn in request["messages"] if turn["role"] == "user")
    events = [json.loads(line) for content in said for line in content.splitlines()]
    return {event["message"]: event["time"] for event in events if event["type"] == "user_message"}


def recall_of(browser: Client, agent: Agent, day: str) -> str:
    answer = browser.get(reverse("tab", args=[agent.pk, "recall"]), {"part": "results", "from": day, "to": day})
    return html.unescape(answer.content.decode())


def said_on(agent: Agent, day: str) -> list[str]:
    start = parse_day(day)
    return [hit.row.content for hit in recall_storage.find_between(agent, start, start).hits]


def said(agent: Agent, at: str, *, before_zones: bool = False) -> Message:
    message = Message(kind=Kind.USER_MESSAGE, content=f"At {at}.", created_at=datetime.fromisoformat(at))
    queue_manager.append(agent, message)
    if before_zones:
        agent.messages.filter(pk=message.pk).update(utc_offset=None)
    return message


@pytest.mark.parametrize(
    ("zone", "before", "after", "days", "at"),
    [
        (KIRITIMATI, "2026-11-26T09:59", "2026-11-26T10:01", ("2026-11-26", "2026-11-27"), "+14"),
        (LOS_ANGELES, "2026-11-27T07:59", "2026-11-27T08:01", ("2026-11-26", "2026-11-27"), "-08"),
    ],
)
def test_a_conversation_across_midnight_has_the_persons_days(
    browser: Client, agent: Agent, serve_model: ServeModel, clock: Clock, zone: str, before: str, after: str,
    days: tuple[str, str], at: str,
) -> None:  # fmt: skip
    def brain(request: Request) -> Any:
        event = last_event(request)
        if event.get("message") == "What did we talk about today?":
            today = event["time"].split()[1]
            return call("conversation_search_date", start_date=today, end_date=today)
        return say("Noted.")

    server = serve_model(brain)
    browser.cookies["zone"] = zone
    clock(before)
    chat(browser, agent, "The dentist is tomorrow.")
    clock(after)
    chat(browser, agent, "What did we talk about today?")
    prompt = server.requests[-1]
    assert zone in prompt["messages"][0]["content"]
    assert stamps(prompt) == {
        "The dentist is tomorrow.": f"Thu {days[0]} 23:59 {at}",
        "What did we talk about today?": f"Fri {days[1]} 00:01 {at}",
    }
    result = last_event(prompt)
    assert result["status"] == "OK" and f"[Fri {days[1]} 00:01 {at}] person: What did we" in result["message"]
    assert result["time"] == f"Fri {days[1]} 00:01 {at}" and "dentist" not in result["message"]
    assert "dentist" in recall_of(browser, agent, days[0]) and "What did we" not in recall_of(browser, agent, days[0])
    assert "What did we" in recall_of(browser, agent, days[1]) and "dentist" not in recall_of(browser, agent, days[1])
    assert said_on(agent, days[0])[0] == "The dentist is tomorrow."
    for _again in range(2):  # at once, and when the words were indexed anew with the vectors
        found = recall_storage.find(agent, "27 November").hits
        by_words = {hit.row.pk: next(part.figure for part in hit.parts if part.name == "words") for hit in found}
        assert sorted(by_words, key=lambda pk: by_words[pk] or 0)[-2:] == sorted(by_words)[-2:], "those of that day"
        list(recall_storage.embed_missing(agent))


def test_a_journey_changes_no_stamp_and_the_zone_once(
    browser: Client, agent: Agent, serve_model: ServeModel, clock: Clock
) -> None:
    server = serve_model([say("Noted.")])
    browser.cookies["zone"] = KIRITIMATI
    clock("2026-11-26T11:07")
    chat(browser, agent, "I fly home tomorrow.")
    browser.cookies["zone"] = LOS_ANGELES
    clock("2026-11-28T20:00")
    chat(browser, agent, "I am home.")
    clock("2026-11-28T20:05")
    chat(browser, agent, "And tired.")
    one, two, three = (request["messages"] for request in server.requests)
    assert two[1 : len(one)] == one[1:] and three[: len(two)] == two
    assert KIRITIMATI in one[0]["content"] and LOS_ANGELES in two[0]["content"]
    assert list(stamps(server.requests[-1]).values())[:2] == ["Fri 2026-11-27 01:07 +14", "Sat 2026-11-28 12:00 -08"]
    with works_for(person_of(agent.owner_id)):
        assert said_on(agent, "2026-11-27")[0] == "I fly home tomorrow." and not said_on(agent, "2026-11-26")
    past = step_view(Step.objects.filter(run__agent=agent).order_by("pk")[0]).prompt
    assert past and KIRITIMATI in past.system and "01:07 +14" in past.queue_text


@pytest.mark.parametrize("before_zones", [False, True])
@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-03-29", "2026-03-28T23:00Z", "2026-03-29T21:59Z"),  # of 23 hours
        ("2026-10-25", "2026-10-24T22:00Z", "2026-10-25T22:59Z"),  # of 25
    ],
)
def test_days_on_which_clocks_are_changed(agent: Agent, day: str, first: str, last: str, before_zones: bool) -> None:
    services.zone_set(person=agent.owner, zone="Europe/Berlin")
    minute = timedelta(minutes=1)
    outside = [datetime.fromisoformat(first) - minute, datetime.fromisoformat(last) + minute]
    for at in sorted([first, last, *(time.isoformat() for time in outside)]):
        said(agent, at, before_zones=before_zones)
    with works_for(person_of(agent.owner_id)):
        assert said_on(agent, day) == [f"At {first}.", f"At {last}."]
        times = [stamp(own_time(row)) for row in agent.messages.filter(content__in=[f"At {first}.", f"At {last}."])]
    assert sorted(times) == sorted(f"Sun {day} {time}" for time in clocks(day))


def clocks(day: str) -> tuple[str, str]:
    return ("00:00 +01", "23:59 +02") if day.endswith("03-29") else ("00:00 +02", "23:59 +01")


def test_messages_from_before_offsets_were_kept_are_in_the_zone_of_now(agent: Agent) -> None:
    message = said(agent, "2026-11-26T11:07Z", before_zones=True)
    agent.messages.filter(pk=message.pk).update(words_form=0)
    message.refresh_from_db()
    assert stamp(own_time(message)) == "Thu 2026-11-26 11:07 UTC" and said_on(agent, "2026-11-26")
    services.zone_told(person=agent.owner, zone=KIRITIMATI)
    with works_for(person_of(agent.owner_id)):
        assert stamp(own_time(message)) == "Fri 2026-11-27 01:07 +14"
        assert said_on(agent, "2026-11-27") and not said_on(agent, "2026-11-26")
    reindexing.work()
    message.refresh_from_db()
    assert "'27'" in str(message.words)


def test_two_persons_in_one_process_have_their_own_days(
    agent: Agent, bob: User, serve_model: ServeModel, clock: Clock
) -> None:
    server = serve_model([say("Noted.")])
    other, third = make_agent(bob, "Otto"), make_agent(User.objects.create_user("nowhere"), "Nell")
    services.zone_told(person=agent.owner, zone=KIRITIMATI)
    services.zone_set(person=bob, zone=LOS_ANGELES)
    clock("2026-11-26T11:07")
    with timezone.override("Asia/Tokyo"):  # of whoever's thread it is
        for one in (agent, other, third):
            services.message_send(agent=one, text=f"I am with {one.name}.")
        for one in (third, other, agent):
            while services.run_next(agent_id=one.pk):
                pass
        assert timezone.get_current_timezone_name() == "Asia/Tokyo"
    seen = [(stamps(request).popitem()[1], request["messages"][0]["content"]) for request in server.requests]
    assert [time for time, _system in seen] == [
        "Thu 2026-11-26 11:07 UTC", "Thu 2026-11-26 03:07 -08", "Fri 2026-11-27 01:07 +14",
    ]  # fmt: skip
    assert [zone in system for zone, (_time, system) in zip(("UTC", LOS_ANGELES, KIRITIMATI), seen, strict=True)] == [
        True
    ] * 3


def test_what_is_filed_has_the_persons_day(agent: Agent, serve_model: ServeModel, clock: Clock) -> None:
    server = serve_model([
        call("archival_memory_insert", content="The harbour lamp is green."),
        call("archival_memory_search", query="harbour lamp"),
        say("Green."),
    ])  # fmt: skip
    services.zone_told(person=agent.owner, zone=KIRITIMATI)
    clock("2026-11-26T11:07")
    services.message_send(agent=agent, text="Note it.")
    while services.run_next(agent_id=agent.pk):
        pass
    assert "[filed 2026-11-27]" in last_event(server.requests[-1])["message"]


@pytest.mark.parametrize(
    "told",
    ["", "garbage", "Europe", "../../etc/passwd", "/etc/localtime", "right/UTC", "localtime", "x" * 10_000, "Ünïx\0"],
)
def test_a_cookie_that_names_no_zone_says_nothing(browser: Client, agent: Agent, told: str) -> None:
    browser.cookies["zone"] = told
    assert browser.get(reverse("agent", args=[agent.pk])).status_code == 200
    assert person_of(agent.owner_id).zone == ""
    browser.cookies["zone"] = "Asia/Calcutta"  # an older name, as browsers tell it
    browser.get(reverse("agent", args=[agent.pk]))
    browser.cookies["zone"] = told
    browser.get(reverse("agent", args=[agent.pk]))
    assert person_of(agent.owner_id).zone == "Asia/Calcutta"


def test_a_page_left_open_elsewhere_takes_nobody_there(browser: Client, agent: Agent) -> None:
    browser.cookies["zone"] = KIRITIMATI
    browser.get(reverse("agent", args=[agent.pk]))
    browser.cookies["zone"] = LOS_ANGELES
    browser.get(reverse("tab", args=[agent.pk, "context"]), headers=HTMX)
    assert person_of(agent.owner_id).zone == KIRITIMATI
    browser.post(reverse("message_send", args=[agent.pk]), {"text": "Hello.", "key": "k"}, headers=HTMX)
    assert person_of(agent.owner_id).zone == LOS_ANGELES


def test_the_zone_that_a_person_sets_counts(browser: Client, agent: Agent) -> None:
    browser.cookies["zone"] = LOS_ANGELES
    page, dialog = reverse("agent", args=[agent.pk]), reverse("time_zone")
    assert "data-zone" not in browser.get(page).content.decode()
    assert f"as the browser says: {LOS_ANGELES}" in browser.get(dialog, headers=HTMX).content.decode()
    answer = browser.post(dialog, {"zone": KIRITIMATI}, headers=HTMX)
    assert answer["HX-Refresh"] == "true" and person_of(agent.owner_id).zone == KIRITIMATI
    assert f'data-zone="{KIRITIMATI}"' in browser.get(page).content.decode()
    said(agent, "2026-11-26T11:07Z")
    assert "At 2026" in recall_of(browser, agent, "2026-11-27")
    browser.post(dialog, {"zone": ""}, headers=HTMX)
    assert person_of(agent.owner_id).zone == LOS_ANGELES
    said(agent, "2026-11-26T11:07Z")
    assert recall_of(browser, agent, "2026-11-26").count("At 2026") == 2


def test_a_name_of_no_zone_is_refused_with_a_sentence(browser: Client, agent: Agent) -> None:
    answer = browser.post(reverse("time_zone"), {"zone": "<b>Atlantis"}, headers=HTMX)
    assert "“&lt;b&gt;Atlantis” is not the name of a time zone." in answer.content.decode()
    browser.cookies["django_language"] = "zh-hans"
    with translation.override("en"):  # what the request leaves active in this thread
        answer = browser.post(reverse("time_zone"), {"zone": "../x"}, headers=HTMX)
    assert "“../x”不是时区名称。" in answer.content.decode()
    with pytest.raises(InvalidInput):
        services.zone_set(person=agent.owner, zone="x" * 10_000)
    assert not Preferences.objects.exclude(chosen_zone="").exists()


def test_an_agent_file_keeps_the_persons_clock(agent: Agent, alice: User) -> None:
    services.zone_set(person=alice, zone=KIRITIMATI)
    said(agent, "2026-11-26T11:07Z")
    raw = services.agent_export(agent=agent).model_dump_json()
    assert "2026-11-27T01:07:00+14:00" in raw
    services.zone_set(person=alice, zone=LOS_ANGELES)
    copy = services.agent_import(owner=alice, raw=raw.encode(), name="Copy")
    older = services.agent_import(
        owner=alice, raw=raw.replace("27T01:07:00+14:00", "26T11:07:00Z").encode(), name="Older"
    )
    times = [stamp(own_time(one.messages.get(content__startswith="At"))) for one in (copy, older)]
    assert times[0] == "Fri 2026-11-27 01:07 +14"
    with works_for(Person(zone=LOS_ANGELES)):
        assert stamp(own_time(older.messages.get(content__startswith="At"))) == "Thu 2026-11-26 03:07 -08"
