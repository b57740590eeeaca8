"""The part of the dialog of connections where models of this machine are fetched, chosen and deleted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from agents import selectors
from agents.health import PARTS
from agents.llm.gateway import model_config
from memweb.stack import catalogue, memory
from memweb.stack.catalogue import LocalModel
from memweb.stack.model_state import ModelState, write_fetches, write_state
from memweb.stack.paths import StackPaths
from memweb.stack.wishes import Wishes, change_wishes, read_wishes
from tests.chat.conftest import plain, post

BIG, SMALL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> StackPaths:
    """Of an installation whose model is the local one, which is ready."""
    settings.PATHS = paths = StackPaths(tmp_path)
    paths.create()
    settings.LLM = replace(settings.LLM, local=True, model=BIG, mode="guided", context_window=8192)
    write_state(paths, ModelState("ready", message="", model=BIG))
    return paths


@pytest.fixture
def staff(browser: Client, alice: User) -> Iterator[Client]:
    alice.is_staff = True
    alice.save()
    yield browser


def part(browser: Client) -> str:
    answer = browser.get(reverse("local_models"))
    assert answer.status_code == 200
    return answer.content.decode()


def wish(browser: Client, name: str, act: str) -> str:
    return post(browser, "local_model_wish", name=name, act=act).content.decode()


def acts(name: str) -> tuple[str, ...]:
    models = selectors.local_models()
    assert models is not None
    return next(row.acts for row in models.rows if row.model.name == name)


def put(paths: StackPaths, name: str) -> None:
    (paths.models / catalogue.find(name).file).touch()


def test_only_staff_see_and_change_them(browser: Client, alice: User, home: StackPaths) -> None:
    put(home, SMALL)
    assert "Models on this machine" not in browser.get(reverse("connections")).content.decode()
    assert browser.get(reverse("local_models")).status_code == 403
    assert post(browser, "local_model_wish", name=SMALL, act="use").status_code == 403
    assert read_wishes(home) == Wishes()
    alice.is_staff = True
    alice.save()
    assert "Models on this machine" in browser.get(reverse("connections")).content.decode()


def test_there_are_none_where_the_model_is_elsewhere(staff: Client, home: StackPaths, settings: Settings) -> None:
    settings.LLM = replace(settings.LLM, local=False)
    assert "Models on this machine" not in staff.get(reverse("connections")).content.decode()
    assert "There is no such model" not in part(staff)
    post(staff, "local_model_wish", name=SMALL, act="fetch")
    assert read_wishes(home) == Wishes()


def test_each_row_tells_what_is_known_of_its_model(staff: Client, home: StackPaths) -> None:
    text = plain(part(staff))
    assert "1.1 GB · Apache-2.0 · needs about 2.0 GB of memory Measured on two cores: 70 of 70 steps" in text
    assert text.count("Not measured here.") == 3 and "It speaks now." in text
    assert "1.3 GB · Apache-2.0 · needs about 2.2 GB" in text


def test_too_much_memory_is_told_in_words(
    staff: Client, home: StackPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "limit").write_text("1900000000\n")
    monkeypatch.setattr(memory, "CONTAINERS_LIMIT", tmp_path / "limit")
    text = plain(part(staff))
    assert "This machine has 1.9 GB" in text and text.count("needs more memory than this machine has") == 3


def test_a_download_is_begun_watched_paused_and_gone_on_with(staff: Client, home: StackPaths) -> None:
    assert "every 1s" not in part(staff)
    asked = wish(staff, SMALL, "fetch")
    assert "It waits for its turn." in asked and "every 1s" in asked
    write_fetches(home, {SMALL: ModelState("downloading", 100_000_000, 491_400_064, "", SMALL)})
    shown = part(staff)
    assert 'value="100000000"' in shown and "0.1 of 0.5 GB" in plain(shown) and acts(SMALL) == ("pause",)
    paused = wish(staff, SMALL, "pause")
    assert "Its download is paused" in paused and "every 1s" not in paused and "Go on" in paused
    write_fetches(home, {})
    assert "It waits for its turn." in wish(staff, SMALL, "fetch")
    assert read_wishes(home).models == {SMALL: "fetch"}


def test_what_arrived_before_counts_as_paused(staff: Client, home: StackPaths) -> None:
    (home.models / f"{SMALL}.publisher").write_bytes(b"half")
    assert acts(SMALL) == ("fetch", "delete") and "Go on" in part(staff)


def test_a_download_that_failed_says_why(staff: Client, home: StackPaths) -> None:
    wish(staff, SMALL, "fetch")
    write_fetches(home, {SMALL: ModelState("failed", message="No <b>way</b>.", model=SMALL)})
    shown = part(staff)
    assert "No &lt;b&gt;way" in shown and "memweb tries again every minute." in shown and "every 1s" not in shown


def test_the_chosen_model_is_asked_at_once_in_its_own_way(
    staff: Client, home: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(catalogue.find(SMALL), function_mode="json_schema", window=5000)
    models: tuple[LocalModel, ...] = (catalogue.find(BIG), other)
    monkeypatch.setattr(catalogue, "MODELS", models)
    put(home, SMALL)
    answer = post(staff, "local_model_wish", name=SMALL, act="use")
    assert f'id="installation-model" hx-swap-oob="true">{SMALL}<' in answer.content.decode()
    assert "memweb:agents" in answer["HX-Trigger"]
    config = model_config()
    assert (config.name, config.mode, config.context_window) == (SMALL, "json_schema", 5000)
    banner = staff.get(reverse("model_banner")).content.decode()
    assert f"Loading the local model {SMALL}." in banner and "every 2s" in banner
    assert "is not ready" in PARTS["model"]()
    assert acts(SMALL) == ()  # also while the old one still speaks
    write_state(home, ModelState("ready", model=SMALL, message=""))
    assert "every 2s" not in staff.get(reverse("model_banner")).content.decode() and PARTS["model"]() == ""


@pytest.mark.parametrize(("name", "act"), [(BIG, "delete"), (SMALL, "use"), (SMALL, "sing"), ("gpt-9", "fetch")])
def test_what_cannot_be_is_said_and_not_wished(staff: Client, home: StackPaths, name: str, act: str) -> None:
    assert 'role="alert"' in wish(staff, name, act)
    assert read_wishes(home) == Wishes()


def test_deleting_asks_first_and_takes_back_a_download(staff: Client, home: StackPaths) -> None:
    put(home, SMALL)
    assert "hx-confirm=" in part(staff)
    assert "It is being deleted." in wish(staff, SMALL, "delete")
    assert read_wishes(home).models == {SMALL: "delete"}


def test_a_model_that_the_catalogue_has_no_more_is_not_followed(home: StackPaths) -> None:
    change_wishes(home, lambda wishes: replace(wishes, serve="gone-7b"))
    assert model_config().name == BIG
