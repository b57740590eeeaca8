import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memweb import local_model
from memweb.local_model import SLOTS, Keeper
from memweb.stack import catalogue, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import PROJECT_FOLDER, Env, env
from memweb.stack.exceptions import WeightsError
from memweb.stack.model_state import read_state
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port
from memweb.stack.wishes import Wishes, change_wishes, read_wishes

BIG, SMALL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"
KEY = "a-key-for-this-test"


def settings(home: str, **more: str) -> dict[str, str]:
    return os.environ | {"MEMWEB_HOME": home, "PYTHONUNBUFFERED": "1", "MEMWEB_LOCAL_MODEL_KEY": KEY} | more


def command() -> list[str]:
    return [sys.executable, "-m", "memweb.local_model"]


def test_an_unknown_model_is_told_to_the_page_and_the_terminal(paths: StackPaths) -> None:
    answer = subprocess.run(
        command(),
        env=settings(str(paths.home), MEMWEB_LOCAL_MODEL="gpt-9"),
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "no local model named gpt-9" in answer.stdout
    assert read_state(paths).stage == "failed"


def test_weights_that_cannot_be_had_are_told_to_the_page(paths: StackPaths) -> None:
    more = {"MEMWEB_LOCAL_MODEL_FILE": str(paths.home / "none.gguf"), "MEMWEB_LOCAL_MODEL_URL": "http://127.0.0.1:9/v1"}
    with subprocess.Popen(
        command(), env=settings(str(paths.home), **more), cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "there is no such file. memweb tries again in a minute." in process.stdout.readline()
        process.kill()
    assert read_state(paths).stage == "failed"


@pytest.fixture
def started(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which models were served, and which programs took the process's place, in a home with the weights of both."""
    paths.create()
    found: list[str] = []
    monkeypatch.setattr(weights, "resolve", lambda model, *_, **__: paths.models / model.file)

    def start(_settings: Env, model: LocalModel, _file: Path) -> object:
        found.append(model.name)
        return found

    monkeypatch.setattr(local_model, "_start_server", start)
    monkeypatch.setattr(os, "execv", lambda _program, words: found.append(" ".join(words[1:])))
    for waiting in ("_wait_until_healthy", "_wait_until_idle", "_warm"):
        monkeypatch.setattr(local_model, waiting, lambda *_: None)
    return found


def keeper(paths: StackPaths) -> Keeper:
    url = f"http://127.0.0.1:{free_port()}/v1"
    own = Env(memweb_home=paths.home, memweb_local_model=BIG, memweb_local_model_url=url, _env_file=None)
    return Keeper(own, paths, catalogue.find(BIG))


def test_it_serves_once_and_begins_anew_for_the_model_that_is_chosen(paths: StackPaths, started: list[str]) -> None:
    keeping = keeper(paths)
    keeping.look()
    keeping.look()
    assert started == [BIG] and (read_state(paths).stage, read_state(paths).model) == ("ready", BIG)
    change_wishes(paths, lambda _: Wishes(SMALL))
    keeping.look()
    assert started == [BIG, " ".join(sys.orig_argv[1:])]
    assert (read_state(paths).stage, read_state(paths).model) == ("starting", SMALL)


def test_what_is_served_next_is_paused_gone_on_with_and_changed(paths: StackPaths, started: list[str]) -> None:
    change_wishes(paths, lambda wishes: wishes.with_wish(BIG, "pause"))
    keeping = keeper(paths)
    keeping.look()
    assert started == [] and read_state(paths).stage == "paused"
    change_wishes(paths, lambda wishes: wishes.with_wish(BIG, "fetch"))
    keeping.look()
    assert started == [BIG] and read_wishes(paths) == Wishes()


def test_a_download_that_fails_holds_nobody_who_chooses_another(
    paths: StackPaths, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> Path:
        raise WeightsError("It cannot be had.")

    monkeypatch.setattr(weights, "resolve", resolve)
    keeping = keeper(paths)
    keeping.look()
    assert read_state(paths).message == "It cannot be had. memweb tries again in a minute."
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: pytest.fail("tried again at once"))
    keeping.look()
    change_wishes(paths, lambda _: Wishes(SMALL))
    keeping.look()
    assert started == [" ".join(sys.orig_argv[1:])]


def test_answers_that_have_begun_are_brought_to_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks the server's own list of slots until none of them works."""
    lists = [[{"is_processing": True}, {"is_processing": False}], [{"is_processing": False}], []]
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: io.StringIO(json.dumps(lists.pop(0))))
    local_model._wait_until_idle(Env(_env_file=None), "http://127.0.0.1:9")
    assert len(lists) == 1


@dataclass
class Served:
    url: str
    slots_seen: int

    def ask(self, key: str) -> tuple[int, dict[str, object]]:
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "id_slot": SLOTS - 1}
        request = urllib.request.Request(
            f"{self.url}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The real server with the real weights from this machine's MEMWEB_HOME; downloads them once."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    with subprocess.Popen(
        command(),
        env=settings(str(env().memweb_home), MEMWEB_LOCAL_MODEL_URL=url),
        cwd=PROJECT_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.rstrip().endswith("is ready."):
                break
        yield Served(url, SLOTS)
        process.kill()


@pytest.mark.local_model
@pytest.mark.timeout(3600)
def test_the_real_model_answers_whoever_has_the_key(served: Served) -> None:
    status, answer = served.ask(KEY)
    assert status == 200
    assert answer["usage"]
    assert read_state(StackPaths(env().memweb_home)).stage == "ready"


@pytest.mark.local_model
@pytest.mark.timeout(3600)
def test_the_real_server_refuses_whoever_has_not(served: Served) -> None:
    assert served.ask("another")[0] == 401
