"""`memweb token` at the terminal."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from django.contrib.auth.models import User

from agents import services
from agents.models import Token
from memweb.cli import main
from memweb.stack.env import env


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments])


def test_a_token_is_printed_alone_and_opens(alice: User) -> None:
    result = command("create", "--user", "alice", "--name", "cron on the NAS")
    assert result.exit_code == 0 and len(result.stdout.split()) == 1
    assert result.output.splitlines()[-1] == result.stdout.strip()
    found = services.token_use(text=result.stdout.strip())
    assert found and found.owner == alice and found.name == "cron on the NAS"


def test_without_a_name_it_is_the_owners(alice: User) -> None:
    owner = User.objects.create_superuser("keeper")
    assert command("create").exit_code == 0
    assert [(token.owner, token.name) for token in Token.objects.all()] == [(owner, "terminal")]


@pytest.mark.parametrize("name", ["", " \t", "x" * 81, "this machine"])
def test_a_name_that_cannot_be_is_said(alice: User, name: str) -> None:
    result = command("create", "--user", "alice", "--name", name)
    assert result.exit_code == 1 and result.stderr.startswith("Error: ") and not result.stdout
    assert not Token.objects.exists()


@pytest.mark.parametrize("arguments", [("create", "--user", "carol"), ("list", "--user", "carol")])
def test_for_an_unknown_person_it_says_who_there_is(alice: User, bob: User, arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert result.exit_code == 1
    assert result.stderr == "Error: There is no user carol. There are: alice, bob.\n"


def test_the_list_shows_everybodys_and_no_token(alice: User, bob: User) -> None:
    assert "There are none yet." in command("list").stdout
    texts = [services.token_create(owner=owner, name=f"of {owner.username}")[1] for owner in (alice, bob)]
    services.token_revoke(token=Token.objects.get(owner=bob))
    services.token_use(text=texts[0])
    shown = command("list").stdout
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()[1:]]
    assert [row[1] for row in rows] == ["bob", "alice"]
    assert [(row[5] == "-", row[6] == "-") for row in rows] == [(True, False), (False, True)]  # last used, revoked
    assert all(text[-4:] in shown and text not in shown for text in texts)
    assert "of bob" not in command("list", "--user", "alice").stdout


def test_a_revoked_one_opens_nothing(alice: User) -> None:
    token, text = services.token_create(owner=alice, name="cron")
    result = command("revoke", str(token.pk))
    assert result.exit_code == 0 and "“cron” of alice" in result.stdout
    assert services.token_use(text=text) is None


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "code"), [("99", 1), ("0", 2), ("x", 2), (str(10**30), 2)])
def test_what_is_no_token_is_said(number: str, code: int) -> None:
    result = command("revoke", number)
    assert result.exit_code == code and "Error: " in result.stderr and result.exception.__class__ is SystemExit


@pytest.mark.parametrize("arguments", [("create",), ("list",), ("revoke", "1")])
def test_without_a_running_memweb_it_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("MEMWEB_HOME", str(tmp_path / "home"))
    env.cache_clear()
    try:
        result = command(*arguments)
    finally:
        env.cache_clear()
    assert result.exit_code == 1 and result.stderr.startswith("Error: memweb must be running for this")
    assert not (tmp_path / "home").exists()
