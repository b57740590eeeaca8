"""The package `letta` itself, in a virtualenv of its own: what its code writes becomes an agent here, and it reads what
is written here. The virtualenv is made once and kept in pytest's cache (210 MB, 10 s where packages are near; importing
the package takes another 15 s each time)."""

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import until
from tests.product import Product

LETTA = "letta==0.16.8"
# What its schemas import, out of its 60 requirements; those with a bound break it in their later versions.
NEEDED = (
    *("aiohttp", "anthropic", "asyncpg", "cryptography", "demjson3", "docstring_parser<0.17", "fastapi<0.120", "httpx"),
    *("mcp<2", "numpy", "openai", "opentelemetry-api==1.30.0", "opentelemetry-exporter-otlp==1.30.0"),
    *("opentelemetry-instrumentation-requests==0.51b0", "opentelemetry-instrumentation-sqlalchemy==0.51b0"),
    *("opentelemetry-sdk==1.30.0", "pathvalidate", "pydantic-settings", "pytz", "pyyaml", "sqlalchemy"),
)


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> Path:
    """An interpreter that has the package."""
    cache: Any = pytestconfig.cache
    folder = Path(cache.mkdir("letta")) / LETTA
    if not folder.exists():
        making = folder.with_name("making")
        shutil.rmtree(making, ignore_errors=True)
        venv.create(making)
        pip = [sys.executable, "-m", "pip", "--python", str(making / "bin" / "python"), "--disable-pip-version-check"]
        for packages in (NEEDED, ("--no-deps", LETTA)):
            subprocess.run([*pip, "install", "--quiet", *packages], check=True)
        making.rename(folder)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def program(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    """`letta_program`, at work."""
    folder = tmp_path_factory.mktemp("letta")
    command = [python, Path(__file__).with_name("letta_program.py")]
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={"HOME": str(folder)},
        ) as running,
    ):
        yield running
        running.kill()


def told(program: "subprocess.Popen[str]") -> Any:
    """Its next line."""
    assert program.stdout
    line = program.stdout.readline()
    assert line, "the program ended; its errors are in the folder of the test"
    return json.loads(line)


@pytest.mark.timeout(900)  # the first time packages have to come here
def test_what_the_package_writes_becomes_an_agent_and_it_reads_that_again(
    program: "subprocess.Popen[str]", letta: Any, http: httpx.Client, product: Product
) -> None:
    file = told(program)
    answer = http.post("/v1/agents/import", files={"file": ("rui.af", json.dumps(file).encode())})
    assert answer.status_code == 200, answer.text
    (made,) = answer.json()["agent_ids"]
    missing = {"functions": ["launch", "run_code"], "files": ["plan.pdf"]}
    assert answer.json()["missing"] == [{"agent_id": made, **missing}]
    _is_the_agent(letta, made)
    _answers_from_its_memory(letta, made, product)
    _has_its_file(letta, made)
    exported = http.get(f"/v1/agents/{made}/export").json()
    assert program.stdin
    print(json.dumps(exported), file=program.stdin, flush=True)
    _is_what_was_exported(told(program))


def _is_the_agent(letta: Any, made: str) -> None:
    agent = letta.agents.retrieve(made)
    assert (agent.name, agent.system, agent.description) == ("Rui's builder", "You are a boat builder.", "Builds boats")
    assert (agent.tags, agent.metadata) == (["boats"], {"yard": 7})
    assert [(block.label, block.value, block.read_only) for block in agent.memory.blocks] == [
        ("persona", "I build boats.", True),
        ("human", "Name: Rui\nLives in Porto", False),
    ]
    own = {"send_message", "archival_memory_search", "core_memory_append", "core_memory_replace"}
    assert {tool.name for tool in agent.tools} == own
    kinds = [message.message_type for message in letta.agents.messages.list(made, order="asc")]
    assert kinds.count("user_message") == 2 and kinds.count("assistant_message") == 2


def _has_its_file(letta: Any, made: str) -> None:
    (archive,) = letta.archives.list(agent_id=made)
    folder = archive.id.replace("archive", "folder")

    def files() -> list[tuple[str, str]]:
        return [(file.file_name, file.processing_status) for file in letta.folders.files.list(folder)]

    until(lambda: files() == [("keel.pdf.md", "completed")], "the file is read", 60)


def _answers_from_its_memory(letta: Any, made: str, product: Product) -> None:
    before = len(product.model.requests)
    said = letta.agents.messages.create(made, input="Where do I live?")
    assert said.messages[-1].message_type == "assistant_message"
    (request,) = product.model.requests[before:]
    system, *queue = request["messages"]
    assert "Lives in Porto" in system["content"] and "I build boats." in system["content"]
    sent = json.dumps(queue, ensure_ascii=False)
    for words in (
        "They spoke of sails.",
        "I live in Porto",
        "She told me her town.",
        "Porto! Lovely.",
        "Of oak, and I",
    ):
        assert words in sent, words
    asked = [call["id"] for message in queue for call in message.get("tool_calls") or ()]
    answered = {message["tool_call_id"]: message["content"] for message in queue if message["role"] == "tool"}
    assert [*answered] == asked and {"c1", "c2", "c3", "c4", "c5"} < {*asked}
    assert "Oak." in answered["c3"] and '"Failed"' in answered["c4"] and "not yet" in answered["c5"]


def _is_what_was_exported(found: dict[str, Any]) -> None:
    assert (found["name"], found["system"]) == ("Rui's builder", "You are a boat builder.")
    assert (found["tags"], found["metadata"]) == (["boats"], {"yard": 7})
    assert found["blocks"] == {"persona": "I build boats.", "human": "Name: Rui\nLives in Porto"}
    assert found["tools"]["send_message"] == "letta_core"
    assert found["tools"]["core_memory_replace"] == "letta_memory_core"
    assert ["send_message", "exit_loop"] in found["rules"]
    assert len(set(found["ids"])) == len(found["ids"])
    assert found["in_context"] == found["ids"] and found["roles"][:2] == ["system", "summary"]
    assert [name for _id, name in found["calls"][:2]] == ["core_memory_append", "send_message"]
    assert found["files"] == {"keel.pdf.md": "The keel is made of oak."} and len(found["links"]) == 1
    assert found["shown"].count("user_message") == 4  # the summary is one to the package
    assert found["sent"][0] == "system" and "tool" in found["sent"]
