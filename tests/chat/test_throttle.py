"""Trying to come in again and again: it costs who does it a growing wait, and nobody else anything."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisAway

from chat import passwords, throttle
from chat.address import address_of, neighbourhood
from chat.login_tokens import login_tokens
from chat.throttle import OF_ACCOUNT, OF_ADDRESS, MustWait, admit
from tests.chat.conftest import plain

PASSWORD = "whale-oil-lamp-7"
HERE, THERE, HOME = "203.0.113.7", "198.51.100.9", "192.0.2.1"


@pytest.fixture
def people(alice: User, bob: User) -> list[User]:
    for person in (alice, bob):
        person.set_password(PASSWORD)
        person.save()
    return [alice, bob]


def let_time_pass(address: str = HERE, account: str = "alice") -> None:
    """Until another try is taken."""
    for counter in throttle._counters("password", address, account):
        cache.delete(counter.gate)


def log_in(
    name: str = "alice", password: str = "guess", address: str = HERE, client: Client | None = None
) -> HttpResponse:
    form = {"username": name, "password": password}
    answer: HttpResponse = (client or Client()).post(reverse("login"), form, REMOTE_ADDR=address)  # type: ignore[assignment]
    return answer


def guess(times: int, name: str = "alice", address: str = HERE) -> list[int]:
    return [log_in(name, address=address).status_code for _ in range(times)]


@pytest.fixture
def quick(settings: Settings) -> Iterator[None]:
    """Hashing without the work, for many tries."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    yield


def was_taken() -> bool:
    """One more try from HERE for alice."""
    try:
        admit(RequestFactory().get("/", REMOTE_ADDR=HERE), "password", "alice")
    except MustWait:
        return False
    return True


def test_a_thousand_tries_cost_their_address_a_wait_and_others_nothing(quick: None, people: list[User]) -> None:
    assert guess(OF_ADDRESS.free) == [200] * OF_ADDRESS.free
    taken = sum(was_taken() for _ in range(1000))
    assert 1 <= taken < 10
    let_time_pass()
    assert was_taken()
    assert log_in("alice", PASSWORD).status_code == 429  # not even the right one, from there
    assert log_in("bob", PASSWORD).status_code == 429
    assert log_in("bob", PASSWORD, THERE).status_code == 302
    assert log_in("alice", PASSWORD, THERE).status_code == 302


def test_the_wait_is_said_and_grows(quick: None, people: list[User]) -> None:
    guess(OF_ADDRESS.free)
    waits = []
    for _ in range(12):
        assert was_taken()
        with pytest.raises(MustWait) as refused:
            admit(RequestFactory().get("/", REMOTE_ADDR=HERE), "password", "bob")
        waits.append(refused.value.seconds)
        let_time_pass()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert log_in("bob").status_code == 200
    answer = log_in("bob")
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    text = plain(answer.content.decode())
    assert "That was tried too often. Wait 15 minutes, then try again." in text


def test_it_is_said_in_chinese_too(quick: None, people: list[User]) -> None:
    for _ in range(OF_ADDRESS.free + 1):
        was_taken()
    client = Client(headers={"Accept-Language": "zh-hans"})
    assert "秒后再试" in plain(log_in(client=client).content.decode())


def test_the_right_password_is_no_failure(quick: None, people: list[User]) -> None:
    for _ in range(OF_ADDRESS.free + 2):
        assert log_in("alice", PASSWORD).status_code == 302


def test_success_with_ones_own_account_buys_no_tries_at_anothers(quick: None, people: list[User]) -> None:
    for _ in range(OF_ADDRESS.free):
        assert log_in("alice").status_code == 200
        assert log_in("bob", PASSWORD).status_code == 302
    assert sum(was_taken() for _ in range(30)) < OF_ADDRESS.free


def from_everywhere(times: int) -> set[int]:
    return {log_in("alice", address=f"203.0.{number // 250}.{number % 250 + 1}").status_code for number in range(times)}


def test_an_account_that_many_addresses_try_waits_a_minute_at_most(quick: None, people: list[User]) -> None:
    assert from_everywhere(OF_ACCOUNT.free) == {200}
    for _ in range(12):
        assert from_everywhere(3) == {200, 429}
        let_time_pass()
    assert log_in(address=THERE).status_code == 200
    assert int(log_in("alice", PASSWORD, HOME)["Retry-After"]) == OF_ACCOUNT.longest
    let_time_pass()
    assert log_in("alice", PASSWORD, HOME).status_code == 302
    assert log_in("alice", address=HOME).status_code == 200  # and then all is forgotten


def test_its_owner_comes_in_meanwhile(quick: None, people: list[User]) -> None:
    alice = people[0]
    assert log_in("alice", PASSWORD, HOME).status_code == 302
    assert from_everywhere(OF_ACCOUNT.free + 4) == {200, 429}
    assert log_in("alice", PASSWORD, THERE).status_code == 429
    assert log_in("alice", PASSWORD, HOME).status_code == 302  # where a session of hers is open
    guess(9, "bob", HOME)  # and whatever a neighbour does there
    assert log_in("alice", PASSWORD, HOME).status_code == 302
    alice.refresh_from_db()  # a token is good until the next login
    address = reverse("enter", args=[alice.pk, login_tokens.make_token(alice)])
    assert Client().get(address, REMOTE_ADDR=THERE).status_code == 302


def test_no_more_than_a_few_of_many_at_once_are_let_through() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=HERE)
    start = threading.Barrier(50)

    def attempt(_number: int) -> bool:
        start.wait()
        try:
            admit(request, "enter")
        except MustWait:
            return False
        return True

    with ThreadPoolExecutor(50) as threads:
        assert sum(threads.map(attempt, range(50))) <= OF_ADDRESS.free + 1


def test_a_printed_address_opens_whoever_knocked_before(alice: User) -> None:
    wrong = reverse("enter", args=[alice.pk, "x-y"])
    answers = [Client().get(wrong, REMOTE_ADDR=HERE).status_code for _ in range(9)]
    assert answers[:5] == [403] * 5 and answers[-1] == 429
    right = reverse("enter", args=[alice.pk, login_tokens.make_token(alice)])
    assert Client().get(right, REMOTE_ADDR=HERE).status_code == 302


@pytest.mark.django_db
def test_signing_up_waits_too(quick: None, settings: Settings) -> None:
    settings.SIGNUP_OPEN = True
    answers = []
    for number in range(9):
        form = {"username": f"n{number}", "password1": PASSWORD, "password2": PASSWORD}
        answers.append(Client().post(reverse("sign_up"), form, REMOTE_ADDR=HERE).status_code)
    assert answers[:5] == [302] * 5 and answers[-1] == 429
    assert User.objects.count() < 9


def test_the_admin_has_no_door_of_its_own(quick: None, people: list[User], client: Client) -> None:
    wanted = client.get(reverse("admin:index"))
    assert client.get(wanted["Location"])["Location"] == f"{reverse('login')}?next=/admin/"
    assert client.post("/admin/login/", {"username": "alice", "password": PASSWORD}).status_code == 302
    assert "_auth_user_id" not in client.session
    client.force_login(people[0])
    assert client.get("/admin/login/?next=/admin/").status_code == 404  # nor a circle for one who may not see it


def test_without_a_cache_everybody_may_try(quick: None, people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: object, **_named: object) -> None:
        raise RedisAway

    for name in ("get", "add", "incr", "decr", "delete_many"):
        monkeypatch.setattr(cache, name, away)
    assert set(guess(9)) == {200}
    assert log_in("alice", PASSWORD).status_code == 302


# Hashing


def test_hashing_is_done_a_few_at_a_time(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    taken = [passwords.turns.acquire(timeout=1) for _ in range(passwords.AT_ONCE)]
    assert all(taken)
    try:
        answer = log_in("alice", PASSWORD)
        assert answer.status_code == 503 and int(answer["Retry-After"]) > 0
        assert "Too many people are logging in" in plain(answer.content.decode())
        assert Client().get(reverse("login")).status_code == 200
    finally:
        for _ in taken:
            passwords.turns.release()
    assert log_in("alice", PASSWORD).status_code == 302


@pytest.mark.parametrize("case", ["unknown", "wrong", "no password", "closed"])
def test_who_fails_is_told_the_same_after_the_same_work(
    people: list[User], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    alice = people[0]
    if case == "no password":
        alice.set_unusable_password()
    alice.is_active = case != "closed"
    alice.save()
    hashed: list[int] = []
    encode = PBKDF2PasswordHasher.encode

    def counting(self: object, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations or 0)
        return encode(self, password, salt, iterations)  # type: ignore[arg-type]

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counting)
    name = "nobody" if case == "unknown" else "alice"
    text = plain(log_in(name, PASSWORD if case == "closed" else "guess").content.decode())
    assert "Please enter a correct username and password." in text
    assert len(hashed) == 1


# Where somebody comes from


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "1.2.3.4", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.2", "1.2.3.4, 198.51.100.9, 10.0.0.3", "198.51.100.9"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("::ffff:10.0.0.2", "2001:db8::1", "2001:db8::1"),
        ("", "1.2.3.4", ""),
    ],
)
def test_only_a_trusted_proxy_says_where_somebody_comes_from(
    settings: Settings, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/8"),)
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert address_of(request) == address


def test_of_ipv6_one_has_a_whole_network() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert neighbourhood("192.0.2.1") == "192.0.2.1" and neighbourhood("") == ""
