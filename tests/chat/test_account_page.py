"""A person's account: where they are logged in, their password, and the second step of the login."""

import base64
import re
from binascii import unhexlify
from time import time

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from agents import selectors, services
from agents.models import OpenSession, Quota
from chat import sessions
from chat.devices import described
from chat.login_tokens import login_tokens
from tests.chat.conftest import plain, post
from tests.conftest import make_agent

PASSWORD = "whale-oil-lamp-7"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


@pytest.fixture
def alice(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.save()
    return alice


def logged_in(person: User, agent: str = FIREFOX, address: str = "203.0.113.7") -> Client:
    """Another browser of the person's."""
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    client.force_login(person)
    session = client.session
    session.pop(sessions.SEEN)
    session.save()
    client.get(reverse("home"))
    return client


def page(client: Client) -> str:
    answer = client.get(reverse("account"))
    assert answer.status_code == 200
    return answer.content.decode()


def is_in(client: Client) -> bool:
    return client.get(reverse("home")).status_code == 200


# Sessions


def test_sessions_are_listed_and_this_one_is_marked(alice: User, bob: User) -> None:
    here, phone = logged_in(alice), logged_in(alice, PHONE, "198.51.100.9")
    logged_in(bob, address="192.0.2.66")
    markup = page(here).partition('id="sessions"')[2].partition("</ul>")[0]
    rows = [plain(row) for row in re.findall(r"<li>(.*?)</li>", markup, re.DOTALL)]
    assert len(rows) == 2
    (mine,) = [row for row in rows if "this one" in row]
    (other,) = [row for row in rows if "this one" not in row]
    assert "Firefox on Linux" in mine and "203.0.113.7" in mine and "Log out" not in mine
    assert "Safari on iPhone" in other and "198.51.100.9" in other and "since" in other and "last seen" in other
    assert "192.0.2.66" not in markup
    for client in (here, phone):
        assert client.cookies["sessionid"].value not in markup


def test_one_is_ended_and_the_others_go_on(alice: User) -> None:
    here, phone, desk = logged_in(alice), logged_in(alice, PHONE), logged_in(alice)
    row = OpenSession.objects.get(session=phone.cookies["sessionid"].value)
    assert post(here, "account_session_end", row.pk).status_code == 302
    assert [is_in(client) for client in (here, phone, desk)] == [True, False, True]
    assert not Session.objects.filter(pk=phone.cookies["sessionid"].value).exists()


def test_all_others_are_ended_at_once(alice: User, bob: User) -> None:
    here, phone, desk, bobs = logged_in(alice), logged_in(alice, PHONE), logged_in(alice), logged_in(bob)
    assert "Log out everywhere else" in page(here)
    post(here, "account_sessions_end")
    assert [is_in(client) for client in (here, phone, desk, bobs)] == [True, False, False, True]
    assert "Log out everywhere else" not in page(here)


def test_a_session_that_would_not_be_let_in_is_not_listed(alice: User) -> None:
    here = logged_in(alice)
    logged_in(alice, PHONE)
    Session.objects.exclude(pk=here.cookies["sessionid"].value).update(expire_date="2020-01-01T00:00Z")
    assert "iPhone" not in page(here)


def test_sessions_whose_time_is_over_are_forgotten_when_somebody_comes_in(alice: User, bob: User) -> None:
    logged_in(alice)
    Session.objects.update(expire_date="2020-01-01T00:00Z")
    logged_in(bob)
    assert Session.objects.count() == OpenSession.objects.count() == 1


def test_logging_out_takes_its_row_along(alice: User) -> None:
    here = logged_in(alice)
    here.post(reverse("logout"))
    assert not OpenSession.objects.exists()


def test_a_visit_is_noted_once_in_some_minutes(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = logged_in(alice)
    began = OpenSession.objects.get()
    with CaptureQueriesContext(connection) as at_once:
        client.get(reverse("keys"))
    later = time() + sessions.SEEN_EVERY + 1
    monkeypatch.setattr(sessions, "time", lambda: later)
    client.get(reverse("keys"))
    row = OpenSession.objects.get()
    assert row.seen_at.timestamp() == int(later) and row.begun_at == began.begun_at
    assert not [query for query in at_once if "opensession" in query["sql"].lower() or "UPDATE" in query["sql"]]
    assert len(at_once) <= 3  # the session, the person, their preferences


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19.0 Safari/605.1.15", "Safari on macOS"),
        ("curl/8.9", "an unknown program"),
        ("", "an unknown program"),
    ],
)
def test_a_browser_in_a_few_words(agent: str, words: str) -> None:
    assert described(agent) == words


@pytest.mark.django_db
def test_what_a_browser_calls_itself_is_only_text(alice: User) -> None:
    client = logged_in(alice, "<script>alert(1)</script>\0" + "x" * 10_000)
    assert "<script>alert" not in page(client)


# The password


def change(client: Client, old: str, new: str = "another-lamp-8") -> str:
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return plain(client.post(reverse("account_password"), form, follow=True).content.decode())


def test_a_changed_password_ends_the_other_sessions(alice: User) -> None:
    here, phone = logged_in(alice), logged_in(alice, PHONE)
    assert "The password was changed" in change(here, PASSWORD)
    assert is_in(here) and not is_in(phone)
    assert OpenSession.objects.get().session_id == here.cookies["sessionid"].value
    alice.refresh_from_db()
    assert alice.check_password("another-lamp-8")


def test_a_wrong_old_password_changes_nothing_and_is_throttled(alice: User) -> None:
    here = logged_in(alice)
    texts = [change(here, "guess") for _ in range(8)]
    assert "Your old password was entered incorrectly" in texts[0]
    assert "That was tried too often" in texts[-1]
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD) and is_in(here)


def test_who_has_no_password_sets_one(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    here = logged_in(alice)
    assert "You have none yet" in plain(page(here))
    assert "The password was changed" in change(here, "")
    assert is_in(here)


# The second step


def code_of(person: User, steps: int = 0) -> str:
    """What the app shows now, or some steps from now."""
    device = TOTPDevice.objects.get(user=person)
    totp = TOTP(unhexlify(device.key), drift=0)
    totp.time = time() + 30 * steps
    return f"{totp.token():06d}"


def forget_used(person: User) -> None:
    """As if time had passed: another code of the same half minute would be one that was used."""
    TOTPDevice.objects.filter(user=person).update(last_t=-1)


def switched_on(person: User) -> list[str]:
    services.two_factor_begin(owner=person)
    codes = services.two_factor_confirm(owner=person, code=code_of(person))
    forget_used(person)
    return codes


def give_password(client: Client, wanted: str = "") -> str:
    form = {"username": "alice", "password": PASSWORD, "next": wanted}
    return str(client.post(reverse("login"), form).headers.get("Location", ""))


def give_code(client: Client, code: str) -> str:
    """Where it leads, or what is said."""
    answer = client.post(reverse("login_code"), {"code": code})
    return str(answer.headers.get("Location") or plain(answer.content.decode()))


def test_it_is_switched_on_with_a_code_of_the_new_key(alice: User) -> None:
    here = logged_in(alice)
    markup = post(here, "two_factor_new").content.decode()
    secret = re.search(r'id="two-factor-key">([A-Z2-7 =]+)<', markup)
    assert secret and "<svg" in markup and TOTPDevice.objects.get().key in secret_hex(secret[1])
    assert not selectors.has_two_factor(alice)
    wrong = post(here, "two_factor_confirm", code="000000x").content.decode()
    assert "That code is not right" in plain(wrong) and secret[1] in wrong
    answer = post(here, "two_factor_confirm", code=code_of(alice))
    codes = re.findall(
        r"\b[a-z2-9]{5}-[a-z2-9]{5}\b", re.findall(r"<pre.*?</pre>", answer.content.decode(), re.DOTALL)[0]
    )
    assert len(set(codes)) == 10 and "no-store" in answer["Cache-Control"]
    assert selectors.has_two_factor(alice)
    again = page(here)
    assert codes[0] not in again and secret[1] not in again and "10 recovery codes are left" in plain(again)


def codes_in(markup: str) -> list[str]:
    (shown,) = re.findall(r'<pre id="recovery-codes">(.*?)</pre>', markup, re.DOTALL)
    return re.findall(r"[a-z2-9]{5}-[a-z2-9]{5}", shown)


def secret_hex(shown: str) -> str:
    return base64.b32decode(shown.replace(" ", "")).hex()


def test_the_password_alone_opens_nothing_then(alice: User, client: Client) -> None:
    switched_on(alice)
    assert give_password(client, reverse("keys")) == reverse("login_code")
    assert not is_in(client) and "_auth_user_id" not in client.session
    assert "That code is not good" in give_code(client, "12345")
    assert give_code(client, code_of(alice)) == reverse("keys")
    assert is_in(client)


def test_nor_does_the_code_page_without_a_password(alice: User, client: Client) -> None:
    switched_on(alice)
    assert client.get(reverse("login_code"))["Location"] == reverse("login")
    assert give_code(client, code_of(alice)) == reverse("login")
    assert not is_in(client)


def test_a_code_opens_once_and_so_does_a_recovery_code(alice: User) -> None:
    recovery = switched_on(alice)
    code = code_of(alice)
    for good, again in ((code, code), (recovery[3].upper(), recovery[3]), (recovery[4].replace("-", " "), recovery[4])):
        first, second = Client(), Client()
        give_password(first)
        give_password(second)
        assert give_code(first, good) == reverse("home")
        assert "was used already" in give_code(second, again)
    assert selectors.recovery_codes_left(alice) == 8


def test_the_password_of_five_minutes_ago_is_no_longer_good(
    alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on(alice)
    give_password(client)
    monkeypatch.setattr("chat.second_step.time", lambda: time() + 301)
    assert give_code(client, code_of(alice)) == reverse("login")


def test_neither_is_one_that_was_changed_meanwhile(alice: User, client: Client) -> None:
    switched_on(alice)
    give_password(client)
    alice.set_password("another-lamp-8")
    alice.save()
    assert give_code(client, code_of(alice)) == reverse("login")


def test_codes_are_throttled(alice: User, client: Client) -> None:
    switched_on(alice)
    give_password(client)
    texts = [give_code(client, f"{number:06d}") for number in range(9)]
    assert "That code is not good" in texts[0] and "That was tried too often" in texts[-1]
    assert "That was tried too often" in give_code(client, code_of(alice))


@pytest.mark.parametrize("proof", ["password", "code", "recovery code"])
def test_it_is_switched_off_by_who_proves_to_be_the_person(alice: User, proof: str) -> None:
    recovery = switched_on(alice)
    here = logged_in(alice)
    assert "neither your password nor a code" in plain(post(here, "two_factor_off", proof="guess").content.decode())
    assert "neither your password nor a code" in plain(post(here, "two_factor_off").content.decode())
    assert selectors.has_two_factor(alice)
    given = {"password": PASSWORD, "code": code_of(alice), "recovery code": recovery[0]}[proof]
    assert post(here, "two_factor_off", proof=given).status_code == 302
    assert not selectors.has_two_factor(alice) and not selectors.recovery_codes_left(alice)
    assert give_password(Client()) == reverse("home")


def test_new_recovery_codes_take_the_place_of_the_old(alice: User) -> None:
    old = switched_on(alice)
    here = logged_in(alice)
    assert "neither" in plain(post(here, "two_factor_codes", proof="guess").content.decode())
    markup = post(here, "two_factor_codes", proof=PASSWORD).content.decode()
    new = codes_in(markup)
    assert len(new) == 10 and not set(new) & set(old)
    assert not services.two_factor_check(owner=alice, code=old[0])
    assert services.two_factor_check(owner=alice, code=new[0])


def test_who_sits_at_an_open_browser_cannot_put_another_key_in_its_place(alice: User) -> None:
    switched_on(alice)
    key = TOTPDevice.objects.get().key
    here = logged_in(alice)
    assert "switched on already" in plain(post(here, "two_factor_new").content.decode())
    assert "switched on already" in plain(post(here, "two_factor_confirm", code="1").content.decode())
    assert TOTPDevice.objects.get().key == key


def test_an_operator_sees_it_and_takes_it_away_and_sees_no_key(alice: User, bob: User) -> None:
    switched_on(alice)
    bob.is_staff = bob.is_superuser = True
    bob.save()
    operator = logged_in(bob)
    people = reverse("admin:auth_user_changelist")
    key = TOTPDevice.objects.get().key
    shown = re.findall(r'class="field-two_factor"><img[^>]*alt="(\w+)"', operator.get(people).content.decode())
    assert sorted(shown) == ["False", "True"]
    assert not re.search("otp_totp|otp_static", operator.get(reverse("admin:index")).content.decode())
    assert key not in operator.get(reverse("admin:auth_user_change", args=[alice.pk])).content.decode()
    form = {"action": "two_factor_remove", "_selected_action": [alice.pk, bob.pk]}
    answer = operator.post(people, form, follow=True)
    assert "1 person logs in without a code now." in plain(answer.content.decode())
    assert not selectors.has_two_factor(alice)


def test_a_printed_address_is_the_second_step_too(alice: User, client: Client) -> None:
    switched_on(alice)
    assert client.get(reverse("enter", args=[alice.pk, login_tokens.make_token(alice)])).status_code == 302
    assert is_in(client)


def test_it_is_said_in_chinese_too(alice: User) -> None:
    here = logged_in(alice)
    here.cookies["django_language"] = "zh-hans"
    text = plain(page(here))
    assert "账户" in text and "已登录的地方" in text and "验证码登录" in text and "Linux 上的 Firefox" in text


def test_what_is_used_stands_beside_what_may_be(alice: User) -> None:
    make_agent(alice)
    Quota.objects.create(user=alice, agents=1200)
    shares = plain(page(logged_in(alice)).partition('id="shares"')[2].partition("</ul>")[0])
    assert "Agents 1 of 1,200" in shares and "Passages 0 MB of documents 0" in shares
