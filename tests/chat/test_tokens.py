"""Access tokens: this machine's own, those made at the terminal, and those made on the page."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Token
from memweb.settings import PATHS
from memweb.stack.local_server import LocalServer, remove_local_server, write_local_server
from tests.chat.conftest import plain, post


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    call_command("login_url", "--token")
    token, address = capsys.readouterr().out.split()
    return token, address


# This machine's


@pytest.mark.django_db
def test_this_machines_token_is_the_owners_and_is_kept_while_it_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    owner = User.objects.create_superuser("keeper")
    first, address = printed(capsys)
    token = services.token_use(text=first)
    assert token and token.owner == owner and token.name == "this machine"
    assert address.startswith(f"http://127.0.0.1:8000/enter/{owner.pk}/")
    write_local_server(PATHS, LocalServer("http://127.0.0.1:1", first, 1))
    try:
        assert printed(capsys)[0] == first
        services.token_revoke(token=token)
        second, _address = printed(capsys)
    finally:
        remove_local_server(PATHS, 1)
    third, _address = printed(capsys)
    assert len({first, second, third}) == 3
    assert [bool(services.token_use(text=text)) for text in (first, second, third)] == [False, False, True]
    assert Token.objects.count() == 1


def test_another_persons_or_token_of_another_name_is_not_taken_for_it(alice: User, bob: User) -> None:
    _token, text = services.token_create(owner=alice, name="cron")
    theirs = services.token_of_this_machine(owner=bob, known="")
    for known in (text, theirs, "", "x" * 10_000, "\0"):
        assert services.token_of_this_machine(owner=alice, known=known) != known
    assert services.token_use(text=text) and services.token_use(text=theirs)


def test_a_person_cannot_take_its_name_and_lose_the_token_at_the_next_start(alice: User) -> None:
    with pytest.raises(InvalidInput, match="a token of its own"):
        services.token_create(owner=alice, name=" this  machine ")


# On the page


def shown(answer: HttpResponseBase) -> str:
    assert answer.status_code == 200
    return plain(answer.content.decode())  # type: ignore[attr-defined]


def made(browser: Client, name: str = "cron") -> str:
    answer = post(browser, "token_new", name=name)
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r'id="new-token">(memweb-[^<]+)<', answer.content.decode())
    assert found, answer.content.decode()
    return found[1]


def test_a_token_is_shown_once_and_opens(browser: Client, alice: User) -> None:
    assert "There are none yet." in shown(browser.get(reverse("tokens")))
    text = made(browser, "cron  on the NAS ")
    token = services.token_use(text=text)
    assert token and (token.owner, token.name) == (alice, "cron on the NAS")
    page = browser.get(reverse("tokens")).content.decode()
    assert text not in page and token.sha256 not in page and f"…{text[-4:]}" in page
    assert "http://testserver" in page and "Authorization: Bearer" in page


def test_its_use_and_its_end_are_told(browser: Client) -> None:
    text = made(browser)
    assert "never used" in shown(browser.get(reverse("tokens")))
    token = services.token_use(text=text)
    assert token
    assert "last used" in shown(browser.get(reverse("tokens")))
    answer = post(browser, "token_revoke", token.pk)
    assert "revoked" in shown(answer) and reverse("token_revoke", args=[token.pk]) not in answer.content.decode()
    assert services.token_use(text=text) is None
    ended = Token.objects.get().revoked_at
    post(browser, "token_revoke", token.pk)
    assert Token.objects.get().revoked_at == ended


@pytest.mark.parametrize("name", ["", " \t", "x" * 81, "<b>" * 5000, "this machine"])
def test_a_name_that_cannot_be_is_answered_in_the_form(browser: Client, name: str) -> None:
    answer = post(browser, "token_new", name=name)
    assert 'role="alert"' in answer.content.decode() and "<b><b>" not in answer.content.decode()
    assert not Token.objects.exists()


def test_nobody_sees_anothers_tokens(browser: Client, bob: User) -> None:
    text = services.token_create(owner=bob, name="bob's own")[1]
    assert "bob" not in shown(browser.get(reverse("tokens")))
    assert post(browser, "token_revoke", Token.objects.get().pk).status_code == 404
    assert services.token_use(text=text)


def test_it_is_said_in_chinese_too(browser: Client) -> None:
    browser.cookies["django_language"] = "zh-hans"
    page = shown(browser.get(reverse("tokens")))
    assert "访问令牌" in page and "Bearer" in page and "token" not in page.replace("http", "").lower()
