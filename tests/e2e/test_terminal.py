"""Programs beside the page: the Python client, and the terminal, at the product as `memweb up` starts it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from memweb.client import Client, MemwebError, create_client
from memweb.stack.env import PROJECT_FOLDER
from tests.agents.exports import claude, many, packed
from tests.e2e.page import replies, send
from tests.memweb.terminal.pseudo import CTRL_C, CTRL_D, Terminal
from tests.processes import until
from tests.product import Product

pytestmark = pytest.mark.e2e

SNIPPET = """
from memweb.client import create_client

client = create_client()
agent = client.create_agent(name="Classic", persona="I am Sam.", human="I am Bob.")
response = client.user_message(agent_id=agent.id, message="Hello!")
print(response.messages)
"""


@pytest.fixture
def home(product: Product) -> Path:
    return Path(product.environment["MEMWEB_HOME"])


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    told = json.loads((home / "local.json").read_text())
    with create_client(told["url"], told["token"]) as client:
        yield client


def python(program: str, home: Path) -> subprocess.CompletedProcess[str]:
    return ran([sys.executable, "-c", program], {**os.environ, "MEMWEB_HOME": str(home)})


def ran(command: list[str], environment: dict[str, str], said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=PROJECT_FOLDER,
        env=environment,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_classic_snippet_works_but_for_its_import(home: Path) -> None:
    first = python(SNIPPET, home)
    assert "AgentMessage(" in first.stdout and "You said: *Hello!*" in first.stdout, first.stderr
    again = python(SNIPPET, home)
    assert again.returncode == 1
    last = again.stderr.strip().splitlines()[-1]
    assert "“Classic”" in last and "get_or_create_agent(name='Classic')" in last


def test_documents_are_loaded_found_and_refused_with_a_reason(client: Client, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "lamp.txt").write_text("The lamp of Skerry Point was lit in 1871.")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    agent = client.get_or_create_agent(name="Reader")
    with Terminal("load", str(folder), "--archive", "papers", home=home) as terminal:
        assert terminal.ends() == 1
        terminal.shows("papers/picture.png: “picture.png” is not a kind of file memweb reads.")
        terminal.shows("Loaded 1 file into “papers”.")
    with Terminal("attach", "papers", "--agent", "Reader", home=home) as terminal:
        terminal.shows("Reader searches “papers” from now on.")
    found = client.search_passages(agent_id=agent.id, query="When was the lamp lit?")
    assert "1871" in found[0].text
    assert [document.status for document in client.list_documents(client.get_archive("papers").id)] == ["completed"]


def test_an_export_of_another_service_is_loaded_and_found(client: Client, home: Path, tmp_path: Path) -> None:
    told = [("human", "My boat is called Zephyrine."), ("assistant", "A fine name.")]
    (tmp_path / "data.zip").write_bytes(packed(claude("Boats", *told), *many(30, 6, of="claude")))
    agent = client.get_or_create_agent(name="Heir")
    with Terminal("load", str(tmp_path / "data.zip"), "--archive", "history", home=home) as terminal:
        assert terminal.ends() == 0
        terminal.shows("31 conversations are in what was loaded.")
    archive = client.get_archive("history")
    client.attach_archive(agent_id=agent.id, archive_id=archive.id)
    until(lambda: all(document.is_done for document in client.list_documents(archive.id)), "all are read")
    assert len(client.list_documents(archive.id)) == 32
    assert "Zephyrine" in client.search_passages(agent_id=agent.id, query="What is the boat called?")[0].text


def test_agents_travel_as_files(client: Client, home: Path, tmp_path: Path) -> None:
    agent = client.create_agent(name="Traveller", human="Likes tea.")
    client.insert_passage(agent_id=agent.id, text="The harbour freezes in March.")
    file = tmp_path / "traveller.json"
    with Terminal("export", "Traveller", str(file), home=home) as terminal:
        assert terminal.ends() == 0
    with Terminal("import", str(file), home=home) as terminal:
        assert terminal.ends() == 1
        terminal.shows("You already have an agent called “Traveller”.")
    with Terminal("import", str(file), "--name", "Arrived", home=home) as terminal:
        terminal.shows("Imported Arrived.")
        assert terminal.ends() == 0
    arrived = client.get_agent("Arrived")
    assert arrived.block("human") == "Likes tea."
    assert [passage.text for passage in client.list_passages(arrived.id)] == ["The harbour freezes in March."]
    with Terminal("export", "Arrived", str(file.with_suffix(".af")), "--letta", home=home) as terminal:
        assert terminal.ends() == 0
    whole = json.loads(file.with_suffix(".af").read_text())
    whole["agents"][0]["tools"] = ["launch"]
    file.write_text(json.dumps(whole))
    with Terminal("import", str(file), "--name", "Returned", home=home) as terminal:
        terminal.shows("Imported Returned.")
        terminal.shows("The function launch is not here.")
        assert terminal.ends() == 0
    with Terminal("delete", "Arrived", home=home) as terminal:
        terminal.shows("[y/n]")
        terminal.say("y")
        terminal.shows("Deleted Arrived.")
    with pytest.raises(MemwebError, match="no agent called"):
        client.get_agent("Arrived")


def test_terminal_and_page_show_one_conversation(client: Client, home: Path, owner: Page) -> None:
    agent = client.get_or_create_agent(name="Shared", human="We have just met.")
    owner.goto(f"{client.url}/agents/{agent.id.removeprefix('agent-')}/")
    expect(owner.locator("#live")).to_have_text("live")
    with Terminal("run", "--agent", "Shared", home=home) as terminal:
        terminal.shows("Shared has heard nothing yet")
        terminal.say("my name is Ada")
        terminal.shows("✎ human: We have just met.\n  Name: Ada.")
        terminal.shows("Lovely to know that.")
        expect(replies(owner)).to_have_text(["Lovely to know that. I have written it down."])
        expect(owner.locator("#timeline-rows .row.user")).to_have_count(1)
        send(owner, "hello from the page")
        terminal.shows("› hello from the page")
        terminal.shows("You said: hello from the page")
        expect(replies(owner)).to_have_count(2)
        terminal.say("something slow please")
        expect(owner.locator(".draft-reply")).to_contain_text("One word")
        terminal.shows("One word")
        terminal.press(CTRL_C)
        terminal.shows("(Stopped.)")
        expect(owner.get_by_text("Stopped here by you.")).to_be_visible()
        terminal.say("/pop 2")
        terminal.shows("(The last messages were taken back.)")
        expect(owner.locator("#timeline-rows .row.user")).to_have_count(2)


# What is typed, and what is to be seen then.
EVERY_COMMAND = [
    ("/allow", "No call waits for your yes."),
    ("/deny", "No call waits for your yes."),
    ("/help", "/summarize"),
    ("/memory", "Name: Ada."),
    ("/dump 2", "The last messages"),
    ("/why harbour", "Recall 1"),
    ("/heartbeat", "was woken."),
    ("/memorywarning", "was warned of memory pressure."),
    ("/rethink Better thought.", "(A message above reads otherwise now:)\n  Better thought."),
    ("/rewrite Better **said**.", "Better said."),
    ("/retry", "tries again."),
    ("/save one", "Saved as the checkpoint “one”."),
    ("/attach nowhere", "There is no archive called “nowhere”."),
    ("/attach shelf", "searches “shelf” from now on."),
    ("/summarize", "The oldest messages left the window"),
    ("/pop x", "“x” is not a number"),
    ("/popp", "Did you mean /pop?"),
]


def test_every_command_at_the_terminal(client: Client, home: Path) -> None:
    agent = client.create_agent(name="Commanded")
    client.create_archive("shelf")
    for text in ("my name is Ada", "hello harbour", "hello lighthouse", "hello again"):
        client.user_message(agent_id=agent.id, message=text)
    known = {command.name for command in client.list_commands()}
    done = {line.split()[0].removeprefix("/") for line, _seen in EVERY_COMMAND} | {"pop", "systemswap", "exit"}
    assert known <= done
    with Terminal("run", "--agent", "Commanded", home=home, rows=60) as terminal:
        terminal.shows("hello again")
        for line, seen in EVERY_COMMAND:
            terminal.say(line)
            terminal.shows(seen)
            until(lambda: all(run.is_over for run in client.list_runs(agent.id)), "the agent rests")
        terminal.say("/systemswap You are brief.")
        terminal.shows("Replace the system instructions of Commanded?\nYes or no? [y/n]")
        terminal.say("y")
        terminal.shows("The system instructions were replaced.")
        assert client.get_agent(agent.id).system == "You are brief."
        terminal.say("//help is a word")
        terminal.shows("You said: /help is a word")
        terminal.say("/exit")
        terminal.shows("Until later.")
        assert terminal.ends() == 0


@pytest.mark.parametrize("choice", ["k", "p"])
def test_memory_that_a_person_edited_since_is_asked_about(client: Client, home: Path, choice: str) -> None:
    agent = client.get_or_create_agent(name=f"Edited {choice}", human="We have just met.")
    client.user_message(agent_id=agent.id, message="my name is Ada")
    client.edit_block(agent_id=agent.id, label="human", value="Her name is Ada Lovelace.")
    with Terminal("run", "--agent", agent.name, home=home) as terminal:
        terminal.shows("my name is Ada")
        terminal.say("/pop")
        terminal.shows("It says now:\n  Her name is Ada Lovelace.\nIt said before:\n  We have just met.")
        terminal.say(choice)
        terminal.shows("with what they wrote to memory.")
    said = client.get_block(agent_id=agent.id, label="human").value
    assert said == ("Her name is Ada Lovelace." if choice == "k" else "We have just met.")


def test_a_program_that_waits_hears_why_an_answer_failed(client: Client, product: Product, home: Path) -> None:
    client.get_or_create_agent(name="Piped")
    command = [sys.executable, "-m", "memweb", "run", "--agent", "Piped"]
    environment = {**product.environment, "LANG": "C.UTF-8"}
    done = ran(command, environment, "hi\n")
    assert (done.stdout, done.stderr) == ("You said: *hi*\n", "")
    done = ran(command, environment, "run in circles")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ") and len(done.stderr.splitlines()) == 1


def test_a_call_that_waits_is_shown_and_answered(client: Client, product: Product, home: Path) -> None:
    (home / "functions").mkdir(exist_ok=True)
    (home / "functions" / "horn.py").write_text(
        "from memweb.functions import function\n@function(ask_first=True)\ndef horn(): return 'Honk.'\n"
    )
    product.manage("shell", "--no-imports", "-c", "from agents.functions import installed; installed.refresh()")
    client.create_agent(name="Careful")
    product.manage(
        *("shell", "--no-imports", "-c"),
        "from agents import services; from agents.models import Agent; "
        "services.function_switch(agent=Agent.objects.get(name='Careful'), name='horn', on=True)",
    )
    with Terminal("run", "--agent", "Careful", home=home) as terminal:
        terminal.shows("heard nothing yet")
        terminal.say("call horn")
        terminal.shows("Careful wants to call horn {}")
        terminal.say("/allow")
        terminal.shows("I found this: Honk.")
        terminal.say("call horn")
        until(lambda: client.list_asked_calls(client.get_agent("Careful").id), "it asks again")
        terminal.say("/deny Too loud.")
        terminal.shows("I found this: The person did not allow this call")
        terminal.press(CTRL_D)


@pytest.fixture
def own(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a memweb that does not run yet."""
    home = Path("/tmp") / f"memweb-terminal-{os.getpid()}"
    home.mkdir(mode=0o711, exist_ok=True)
    yield {**product.environment, "MEMWEB_HOME": str(home), "MEMWEB_PORT": str(product.port + 1)}
    subprocess.run(["rm", "-rf", str(home)], check=True)


def runs_at(home: str) -> bool:
    return (Path(home) / "local.json").exists()


def pid_of(home: str) -> int:
    return int(json.loads((Path(home) / "local.json").read_text())["pid"])


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_where_none_runs_one_is_started_and_stopped_again(own: dict[str, str]) -> None:
    settings = {name: value for name, value in own.items() if name.startswith(("MEMWEB_", "OPENAI_"))}
    home = settings.pop("MEMWEB_HOME")
    for end in (None, signal.SIGTERM, signal.SIGHUP):
        with Terminal("run", home=Path(home), settings=settings) as terminal:
            if end is None:
                terminal.shows("Starting memweb", 60)
                terminal.shows("Its name: Sam", 90)
                for answer in ("", "1", "1"):
                    terminal.say(answer)
            terminal.shows("Enter sends", 90)
            pid = pid_of(home)
            if end is None:
                terminal.say("my name is Grace")
                terminal.shows("Lovely to know that.")
                terminal.press(CTRL_D)
            else:
                terminal.process.send_signal(end)
            assert terminal.ends() == (0 if end is None else 128 + end)
            assert is_gone(pid) and not runs_at(home)
        assert "http://" not in terminal.text  # quietly


def test_a_server_that_cannot_start_is_shown_by_its_last_lines(own: dict[str, str]) -> None:
    broken = {**own, "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "REDIS_URL": "redis://127.0.0.1:9/0"}
    done = ran([sys.executable, "-m", "memweb", "run"], broken, "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert "memweb did not start. It said:\n" in done.stderr and re.search(r"connect|refused", done.stderr)
