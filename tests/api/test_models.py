"""Which models a program may name."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from agents.models import Connection
from api.errors import Unfit
from api.letta.agents import model_of


@pytest.fixture
def local(settings: Settings) -> None:
    settings.LLM = replace(settings.LLM, local=True, model="small")


@pytest.mark.usefixtures("local")
def test_the_local_models_server_has_no_other(alice: User) -> None:
    assert [model_of(alice, handle) for handle in ("", "small", "openai/small")] == [(None, "")] * 3
    with pytest.raises(Unfit, match="openai/small"):
        model_of(alice, "openai/gpt-4o")


def test_any_model_may_be_named_at_an_endpoint(settings: Settings, alice: User) -> None:
    assert model_of(alice, "") == model_of(alice, f"openai/{settings.LLM.model}") == (None, "")
    assert model_of(alice, "openai/gpt-4o") == model_of(alice, "gpt-4o") == (None, "gpt-4o")


@pytest.mark.usefixtures("local")
def test_a_model_of_a_connection_is_named_with_it(alice: User, bob: User) -> None:
    own = Connection.objects.create(owner=alice, name="Mine", base_url="https://example.org/v1")
    for_all = Connection.objects.create(name="Ours", base_url="https://example.org/v1")
    assert model_of(alice, "Mine/a/b") == (own, "a/b")
    assert model_of(bob, "Ours/a") == (for_all, "a")
    with pytest.raises(Unfit):
        model_of(bob, "Mine/a/b")
