"""Which models a program may name."""

from dataclasses import replace

import pytest
from pytest_django import Settings

from api.errors import Unfit
from api.letta.agents import model_of


@pytest.fixture
def local(settings: Settings) -> None:
    settings.LLM = replace(settings.LLM, local=True, model="small")


@pytest.mark.usefixtures("local")
def test_the_local_models_server_has_no_other() -> None:
    assert [model_of(handle) for handle in ("", "small", "openai/small")] == ["", "", ""]
    with pytest.raises(Unfit, match="openai/small"):
        model_of("openai/gpt-4o")


def test_any_model_may_be_named_at_an_endpoint(settings: Settings) -> None:
    assert model_of("") == model_of(f"openai/{settings.LLM.model}") == ""
    assert model_of("openai/gpt-4o") == model_of("gpt-4o") == "gpt-4o"
