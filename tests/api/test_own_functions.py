"""The recipe of CONTRIBUTING for functions of one's own, as it stands there: a file in the folder and a package, called
by an agent after the workers alone were started anew."""

import os
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from letta_client import Letta

from agents.llm.scripted import ScriptedServer
from benchmarks.process_usage import processes_of
from memweb.stack.env import PROJECT_FOLDER
from tests.brain import brain
from tests.processes import until
from tests.product import Product

RECIPE = (
    (PROJECT_FOLDER / "CONTRIBUTING.md").read_text().partition("**Add a function of your own")[2].partition("\n**")[0]
)
COMMANDS = re.findall(r"`memweb (function [^`]+)`", RECIPE)
WEATHER = """from memweb.functions import function

@function()
def weather(city: str) -> str:
    return f"Sunny in {city}."
"""
PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "my-package"
version = "1"

"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a package with the recipe's entry point is installed."""
    source, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    entry_point = RECIPE.partition("```toml\n")[2].partition("```")[0]
    (source / "pyproject.toml").write_text(PROJECT + entry_point)
    (source / "my_package").mkdir()
    (source / "my_package" / "__init__.py").touch()
    (source / "my_package" / "weather.py").write_text(WEATHER)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next((source / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    return installed


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[Product]:
    home = tmp_path_factory.mktemp("home")
    with ScriptedServer(brain) as model, Product(home, model, PYTHONPATH=str(packages)) as product:
        yield product


def test_the_recipe_works_as_it_stands(product: Product, letta: Letta) -> None:
    assert len(COMMANDS) == 2
    new, attempt = (shlex.split(command.replace("NAME", "backwards")) for command in COMMANDS)
    assert "backwards.py" in product.memweb(*new)
    assert product.memweb(*attempt) == "olleh\n"

    os.kill(processes_of(product.process.pid)["worker-runs"], signal.SIGKILL)  # and `memweb up` starts it anew
    until(lambda: {"backwards", "weather"} <= {tool.name for tool in letta.tools.list(limit=100)}, "both functions")
    sam = letta.agents.create(name="Sam", memory_blocks=[{"label": "persona", "value": "I am Sam."}])
    for name in ("backwards", "weather"):
        letta.agents.tools.attach(f"tool-{name}", agent_id=sam.id)

    def said(text: str) -> str:
        answer = letta.agents.messages.create(sam.id, messages=[{"role": "user", "content": text}])
        return str(answer.messages[-1].content)  # type: ignore[union-attr]

    assert said('call backwards {"text": "lighthouse", "times": 2}') == "I found this: esuohthgil esuohthgil"
    assert said('call weather {"city": "Oslo"}') == "I found this: Sunny in Oslo."
