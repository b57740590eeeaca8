"""Coming in: the login page, the one-time address, and sign-up where it is open."""

import logging

import pytest
from django.contrib.auth.models import User
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents.models import Agent
from chat.login_tokens import login_tokens
from tests.chat.conftest import plain

NEW_PERSON = {"username": "charlie", "password1": "whale-oil-lamp-7", "password2": "whale-oil-lamp-7"}

# Logging in


def test_the_login_page_tells_how_to_get_in(client: Client) -> None:
    text = plain(client.get(reverse("login")).content.decode())
    assert ".venv/bin/python -m memweb manage login_url" in text


def test_a_password_logs_in_and_leads_to_the_page_that_was_wanted(client: Client, agent: Agent, alice: User) -> None:
    alice.set_password("whale-oil-lamp-7")
    alice.save()
    wanted = reverse("agent", args=[agent.pk])
    form = client.get(client.get(wanted)["Location"])
    assert f'name="next" value="{wanted}"' in form.content.decode()
    answer = client.post(
        reverse("login"), {"username": "alice", "password": "whale-oil-lamp-7", "next": wanted}, follow=True
    )
    assert answer.redirect_chain == [(wanted, 302)] and answer.status_code == 200


def test_a_wrong_password_is_said_and_the_name_is_kept(client: Client, alice: User) -> None:
    text = client.post(reverse("login"), {"username": "alice", "password": "guess"}).content.decode()
    assert "Please enter a correct username and password." in plain(text) and 'value="alice"' in text


def test_nobody_is_led_to_another_site(client: Client, alice: User) -> None:
    client.force_login(alice)
    answer = client.get(reverse("login"), {"next": "https://evil.example/"})
    assert answer["Location"] == reverse("home")


def test_a_one_time_address_works_once(client: Client, alice: User) -> None:
    url = reverse("enter", args=[alice.pk, login_tokens.make_token(alice)])
    assert client.get(url)["Location"] == reverse("home")
    assert client.get(reverse("home")).status_code == 200
    again = Client().get(url)
    assert again.status_code == 403 and "used already" in plain(again.content.decode())


def test_a_one_time_address_is_one_persons_alone(client: Client, alice: User, bob: User) -> None:
    assert client.get(reverse("enter", args=[bob.pk, login_tokens.make_token(alice)])).status_code == 403
    assert client.get(reverse("enter", args=[10**9, login_tokens.make_token(alice)])).status_code == 403
    assert "_auth_user_id" not in client.session


def test_a_one_time_address_of_a_closed_account_does_nothing(client: Client, alice: User) -> None:
    token = login_tokens.make_token(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert client.get(reverse("enter", args=[alice.pk, token])).status_code == 403


def test_logging_out_takes_a_press_of_the_button(browser: Client) -> None:
    assert browser.get(reverse("logout")).status_code == 405
    assert browser.post(reverse("logout"))["Location"] == reverse("login")
    assert "_auth_user_id" not in browser.session


# Signing up


@pytest.mark.django_db
def test_signing_up_is_closed_unless_it_is_opened(client: Client) -> None:
    assert client.get(reverse("sign_up")).status_code == 404
    assert client.post(reverse("sign_up"), NEW_PERSON).status_code == 404
    assert not User.objects.exists()


@pytest.mark.django_db
def test_signing_up_where_it_is_open_logs_in(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = True
    assert "Sign up" in client.get(reverse("sign_up")).content.decode()
    answer = client.post(reverse("sign_up"), NEW_PERSON, follow=True)
    assert "Make your first agent" in plain(answer.content.decode())
    charlie = User.objects.get()
    assert (charlie.username, charlie.is_staff, charlie.is_superuser) == ("charlie", False, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"username": "alice"}, "A user with that username already exists."),
        ({"password1": "12345678", "password2": "12345678"}, "This password is too common."),
        ({"password2": "another-lamp-8"}, "The two password fields didn’t match."),
        ({"username": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_with_a_sign_up_is_said(
    client: Client, alice: User, settings: Settings, change: dict[str, str], reason: str
) -> None:
    settings.SIGNUP_OPEN = True
    answer = client.post(reverse("sign_up"), NEW_PERSON | change)
    assert reason in plain(answer.content.decode())
    assert User.objects.get() == alice


def test_a_partial_request_after_logging_out_takes_the_whole_page_to_the_login_form(client: Client) -> None:
    answer = client.get("/agents/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/login/"


def test_the_login_page_offers_sign_up_only_where_it_is_open(client: Client, db: None, settings: Settings) -> None:
    assert "Sign up" not in client.get("/login/").content.decode()
    settings.SIGNUP_OPEN = True
    assert "Sign up" in client.get("/login/").content.decode()


# Where forms may come from

PROXIED = "https://chat.example.org:8443"


def post_from(origin: str, *, language: str = "en") -> HttpResponseBase:
    """As a proxy on a port of its own passes it on: the host without the port."""
    client = Client(enforce_csrf_checks=True, headers={"Host": "chat.example.org", "Accept-Language": language})
    token = client.get(reverse("login")).cookies["csrftoken"].value
    form = {"username": "alice", "password": "guess", "csrfmiddlewaretoken": token}
    return client.post(reverse("login"), form, headers={"Origin": origin})


@pytest.mark.django_db
def test_a_form_from_an_origin_that_is_named_is_taken(settings: Settings) -> None:
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = ["chat.example.org"], [PROXIED, "http://nas.local:8080"]
    assert post_from(PROXIED).status_code == 200
    assert post_from("http://nas.local:8080").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "said"), [("en", "This form was refused"), ("zh-hans", "这个表单被拒绝了")])
def test_another_is_refused_with_the_line_to_set(settings: Settings, language: str, said: str) -> None:
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = ["chat.example.org"], []
    answer = post_from(PROXIED, language=language)
    assert answer.status_code == 403
    text = answer.content.decode()  # type: ignore[attr-defined]
    assert said in text and f"<code>MEMWEB_ORIGINS={PROXIED}</code>" in text


@pytest.mark.django_db
@pytest.mark.parametrize("origin", ["null", "https://a.example/<script>", "https://chat.example.org"])
def test_what_is_no_strange_origin_brings_no_line_to_set(settings: Settings, origin: str) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    client = Client(enforce_csrf_checks=True, headers={"Host": "chat.example.org"})
    answer = client.post(reverse("login"), {}, headers={"Origin": origin}, secure=True)
    assert answer.status_code == 403 and "MEMWEB_ORIGINS" not in answer.content.decode()


def test_a_look_at_the_printed_address_does_not_use_it_up_and_no_log_names_it(
    alice: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    address = reverse("enter", args=[alice.pk, login_tokens.make_token(alice)])
    assert client.head(address).status_code == 200
    assert client.post(address).status_code == 405
    (console,) = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    assert caplog.records
    for record in caplog.records:
        assert console.filter(record)
        assert "/enter/…" in record.getMessage() and address not in record.getMessage()
    assert client.get(address).status_code == 302
    assert client.get(reverse("home")).status_code == 200
