"""The page speaks the language that was chosen, and memweb notes it for what workers write."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.translation import get_language, override

from agents import agent_loop
from agents.agent_loop import Outcome
from agents.llm.scripted import Answer
from agents.models import Agent, Preferences, Run
from agents.runs import Lease
from tests.conftest import ServeModel, exchange

CHINESE = "zh-hans"


def language(answer: Any) -> str:
    found = re.search(r'<html lang="([^"]*)"', answer.content.decode())
    assert found
    return found[1]


def choose(browser: Client, code: str, to: str = "/") -> Any:
    return browser.post(reverse("set_language"), {"language": code, "next": to})


def page(browser: Client, agent: Agent, **how: Any) -> Any:
    return browser.get(reverse("agent", args=[agent.pk]), **how)


def test_the_page_is_english_until_something_else_is_chosen(browser: Client, agent: Agent) -> None:
    assert language(page(browser, agent)) == "en"


def test_the_button_leads_back_to_the_page_in_the_other_language(browser: Client, agent: Agent) -> None:
    url = reverse("agent", args=[agent.pk])
    markup = page(browser, agent).content.decode()
    form = re.search(rf'<form method="post" action="{reverse("set_language")}">(.*?)</form>', markup, re.DOTALL)
    assert form and f'name="next" value="{url}"' in form[1]
    assert re.findall(r'name="language"\s+value="([^"]*)"', form[1]) == [CHINESE]
    answer = choose(browser, CHINESE, to=url)
    assert answer.status_code == 302 and answer["Location"] == url
    shown = page(browser, agent)
    assert language(shown) == CHINESE and 'name="language" value="en"' in shown.content.decode()
    choose(browser, "en")
    assert language(page(browser, agent)) == "en"


def test_a_language_that_is_none_changes_nothing(browser: Client, agent: Agent) -> None:
    choose(browser, CHINESE)
    for code in ("xx", "", "<b>"):
        choose(browser, code)
        assert language(page(browser, agent)) == CHINESE


def test_nobody_is_led_to_another_site(browser: Client) -> None:
    assert choose(browser, CHINESE, to="https://evil.example/")["Location"] == "/"


def test_a_browser_that_asks_for_chinese_gets_it(browser: Client, agent: Agent) -> None:
    assert language(page(browser, agent, headers={"Accept-Language": "zh-CN,zh;q=0.9"})) == CHINESE
    assert language(page(browser, agent, headers={"Accept-Language": "fr"})) == "en"


@pytest.mark.django_db
def test_the_login_page_can_be_read_in_chinese_too(client: Client) -> None:
    assert choose(client, CHINESE).status_code == 302
    assert language(client.get(reverse("login"))) == CHINESE


def test_a_visit_notes_the_language(browser: Client, alice: User, agent: Agent) -> None:
    assert not Preferences.objects.exists()
    page(browser, agent)
    assert Preferences.objects.get(user=alice).language == "en"
    choose(browser, CHINESE)
    page(browser, agent)
    page(browser, agent)
    assert Preferences.objects.get(user=alice).language == CHINESE


def test_each_person_has_a_language_of_their_own(browser: Client, alice: User, bob: User, agent: Agent) -> None:
    Preferences.objects.create(user=bob, language=CHINESE)
    page(browser, agent)
    noted = dict(Preferences.objects.values_list("user__username", "language"))
    assert noted == {"alice": "en", "bob": CHINESE}


def test_what_a_worker_writes_is_in_the_language_noted(
    browser: Client, agent: Agent, serve_model: ServeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by which language is active while the run fails, whatever of it is translated yet."""
    choose(browser, CHINESE)
    page(browser, agent)
    active: list[str] = []
    original = agent_loop.run

    def noting(run: Run, *, lease: Lease) -> Iterator[Outcome]:
        active.append(get_language())
        return original(run, lease=lease)

    monkeypatch.setattr(agent_loop, "run", noting)
    serve_model([Answer(status=401, body='{"error": {"message": "Incorrect API key"}}')])
    with override("en"):  # a worker's thread has seen no request
        exchange(agent, "Are you there?")
    assert active == [CHINESE]


def test_scripts_are_told_the_language_by_their_address(browser: Client, agent: Agent) -> None:
    texts = reverse("texts")
    assert f'src="{texts}?en"' in page(browser, agent).content.decode()
    choose(browser, CHINESE)
    assert f'src="{texts}?{CHINESE}"' in page(browser, agent).content.decode()
    answer = browser.get(texts)
    assert answer.status_code == 200 and "javascript" in answer["Content-Type"]
