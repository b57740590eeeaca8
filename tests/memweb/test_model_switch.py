"""Two real models take each other's place in a running product. Both are fetched, once for all tests of a run."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents.llm.scripted import ScriptedServer
from memweb.client import create_client
from memweb.stack import catalogue
from memweb.stack.env import env
from memweb.stack.model_state import read_state
from memweb.stack.paths import StackPaths
from memweb.stack.wishes import read_wishes
from tests.brain import brain
from tests.homes import open_folder
from tests.processes import until
from tests.product import Product

BIG, SMALL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"
HOUR = 3600.0

pytestmark = [pytest.mark.local_model, pytest.mark.timeout(3 * HOUR)]


@pytest.fixture
def running() -> Iterator[Product]:
    models = StackPaths(env().memweb_home).models
    models.mkdir(parents=True, exist_ok=True)
    with open_folder() as folder, ScriptedServer(brain) as nobody:
        home = folder / "home"
        home.mkdir(mode=0o711)
        (home / "models").symlink_to(models)
        with Product(home, nobody, OPENAI_BASE_URL="", MEMWEB_LOCAL_MODEL=BIG, MEMWEB_CONTEXT_WINDOW="") as product:
            yield product


def speaks(product: Product, name: str) -> bool:
    state = read_state(StackPaths(product.home))
    assert state.stage != "failed", state.message
    return (state.stage, state.model) == ("ready", name)


def weights_in_memory(product: Product) -> tuple[int, set[str]]:
    """The local model's process and the files of weights that it has open in its memory."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            here = f"MEMWEB_HOME={product.home}\0" in (command.parent / "environ").read_text(errors="replace")
            if here and command.read_text().split("\0")[1:3] == ["-m", "memweb.local_model"]:
                maps = (command.parent / "maps").read_text()
                return int(command.parent.name), {Path(name).name for name in re.findall(r"/\S+\.gguf", maps)}
    raise LookupError("no process of the local model")


def wish(product: Product, name: str, act: str) -> None:
    product.manage(
        *(
            "shell",
            "--no-imports",
            "-c",
            f"from agents import services; services.local_model_wish(name={name!r}, act={act!r})",
        )
    )


def test_two_models_take_each_others_place_while_people_write(running: Product) -> None:
    files = {name: catalogue.find(name).file for name in (BIG, SMALL)}
    until(lambda: speaks(running, BIG), "the first model", HOUR)
    web, (process, loaded) = running.web_process(), weights_in_memory(running)
    assert loaded == {files[BIG]}
    with create_client(base_url=running.url, token=running.newcomer().token) as client, ThreadPoolExecutor(1) as other:
        agent = client.create_agent(name="Sam")

        def answers() -> bool:
            return bool(client.user_message(agent_id=agent.id, message="Hello! How are you?").messages)

        if not (running.home / "models" / files[SMALL]).exists():
            wish(running, SMALL, "fetch")
            assert answers()  # while another one is fetched
        until(lambda: not read_wishes(StackPaths(running.home)).models, "the second model's weights", HOUR)
        for name in (SMALL, BIG):
            begun = other.submit(answers)
            wish(running, name, "use")
            assert answers() and begun.result()  # whichever of the two it reached
            until(lambda: speaks(running, name), "the other model", 120)  # noqa: B023 - called before name changes
            assert weights_in_memory(running) == (process, {files[name]})
            assert answers()
    assert running.web_process() == web
