"""Coming in by a proxy that names the person in a header: from its address alone."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pydantic import ValidationError
from pytest_django import Settings

from agents.models import OpenSession
from memweb.stack.env import Env

PROXY, STRANGER = "10.0.0.2", "203.0.113.7"
BACKENDS = ["django.contrib.auth.backends.ModelBackend", "chat.proxy_login.ProxyBackend"]


@pytest.fixture
def proxied(settings: Settings) -> Settings:
    settings.PROXY_USER_HEADER = "X-Forwarded-User"
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/24"),)
    settings.AUTHENTICATION_BACKENDS = BACKENDS
    return settings


def status(client: Client, name: str | None, peer: str = PROXY) -> int:
    headers = {"X-Forwarded-User": name} if name is not None else {}
    headers["X-Forwarded-For"] = STRANGER
    return client.get(reverse("keys"), headers=headers, REMOTE_ADDR=peer).status_code


def test_the_header_logs_in_from_a_trusted_proxy_alone(proxied: Settings, alice: User, client: Client) -> None:
    assert status(client, "alice", STRANGER) == 302
    assert status(client, "alice", "") == 302
    assert not OpenSession.objects.exists()
    assert status(client, "alice") == 200
    row = OpenSession.objects.get()
    assert (row.owner, row.address) == (alice, STRANGER)


def test_without_the_setting_it_is_a_header_like_any_other(settings: Settings, alice: User, client: Client) -> None:
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/24"),)
    assert status(client, "alice") == 302


def test_an_account_is_made_where_sign_up_is_open(proxied: Settings, db: None, client: Client) -> None:
    assert status(client, "dora@example.org") == 302 and not User.objects.exists()
    proxied.SIGNUP_OPEN = True
    assert status(client, "dora@example.org") == 200
    dora = User.objects.get()
    assert (dora.username, dora.is_staff, dora.has_usable_password()) == ("dora@example.org", False, False)
    assert status(Client(), "dora@example.org") == 200 and User.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "alice,root", "a b", "x" * 151, "<script>", "é\x00"])
def test_a_name_that_could_not_be_signed_up_with_is_nobodys(proxied: Settings, db: None, name: str) -> None:
    proxied.SIGNUP_OPEN = True
    assert status(Client(), name) == 302
    assert not User.objects.exists()


def test_a_closed_account_stays_closed(proxied: Settings, alice: User, client: Client) -> None:
    alice.is_active = False
    alice.save()
    assert status(client, "alice") == 302


def test_another_name_or_none_ends_the_session(proxied: Settings, alice: User, bob: User, client: Client) -> None:
    assert status(client, "alice") == 200
    assert status(client, "bob") == 200 and client.session["_auth_user_id"] == str(bob.pk)
    assert status(client, None) == 302 and "_auth_user_id" not in client.session


def test_who_came_in_by_a_printed_address_is_not_thrown_out(proxied: Settings, alice: User, client: Client) -> None:
    client.force_login(alice, backend=BACKENDS[0])
    assert status(client, None) == 200


def test_the_header_without_its_proxies_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="MEMWEB_TRUSTED_PROXIES is not"):
        Env(memweb_proxy_user_header="X-Forwarded-User")
    given = Env(memweb_proxy_user_header="X-Forwarded-User", memweb_trusted_proxies="127.0.0.1, 10.0.0.0/8,::1")
    assert [str(network) for network in given.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("memweb_trusted_proxies", "proxy.example", "is no address or network"),
        ("memweb_trusted_proxies", "10.0.0.1/8", "is no address or network"),
        ("memweb_proxy_user_header", "X User", "is no name of a header"),
    ],
)
def test_nonsense_is_refused_with_what_would_do(setting: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Env(**{setting: value})
