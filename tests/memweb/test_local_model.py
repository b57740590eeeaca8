import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from memweb.local_model import SLOTS
from memweb.stack.env import PROJECT_FOLDER, env
from memweb.stack.model_state import read_state
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port

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
