"""Access tokens: this machine's own, those made at the terminal, and those made on the page."""

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Token
from memweb.settings import PATHS
from memweb.stack.local_server import LocalServer, remove_local_server, write_local_server


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
