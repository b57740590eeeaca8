"""The terminal's commands where no terminal is: plain lines, sentences on stderr, exit codes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memweb.stack.env import PROJECT_FOLDER
from tests.memweb.terminal.conftest import AGENT_ID, FewLines
from tests.memweb.terminal.pseudo import Terminal


def memweb_does(home: Path, *arguments: str, said: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MEMWEB_HOME": str(home), "LANG": "C.UTF-8", **more}
    environment.pop("LC_ALL", None)
    return subprocess.run(
        [sys.executable, "-m", "memweb", *arguments],
        input=said,
        env=environment,
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def reply(text: str) -> dict[str, Any]:
    messages = [
        {"message_type": "reasoning_message", "id": "message-1", "reasoning": "Hm."},
        {"message_type": "assistant_message", "id": "message-2", "content": text},
    ]
    return {"messages": messages, "stop_reason": {"stop_reason": "end_turn"}, "usage": {"run_ids": ["run-5"]}}


def test_a_pipe_gets_the_reply_alone(memweb: FewLines, home: Path) -> None:
    memweb.reply = reply("**Hi**\x1b[31m there\n")
    done = memweb_does(home, "run", "--agent", "Sam", said="hi\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "**Hi** there\n\n", "")
    assert memweb.said == ["hi"]


def test_a_pipe_is_told_why_there_is_no_reply(memweb: FewLines, home: Path) -> None:
    stop = {"stop_reason": "llm_api_error", "message": "The endpoint refused the key."}
    memweb.reply = {"messages": [], "stop_reason": stop, "usage": {"run_ids": ["run-5"]}}
    done = memweb_does(home, "run", said="hi")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: The endpoint refused the key.\n")


@pytest.mark.parametrize(
    ("arguments", "said", "why"),
    [
        (("--agent", "Tom"), "hi", "You have no agent called “Tom”."),
        (("--agent", "Sam"), " \n", "There is no message"),
        ((), "hi", "Say which agent with --agent. There are: Ann, Sam."),
    ],
)
def test_what_is_missing_is_said(memweb: FewLines, home: Path, arguments: tuple[str, ...], said: str, why: str) -> None:
    memweb.agents.insert(0, {"id": "agent-2", "name": "Ann"})
    done = memweb_does(home, "run", *arguments, said=said)
    assert (done.returncode, done.stdout) == (1, "") and why in done.stderr


def test_a_command_goes_through_a_pipe_and_its_question_does_not(memweb: FewLines, home: Path) -> None:
    memweb.outcomes = [{"title": "Core memory", "entries": [{"head": "human", "body": "Bob"}]}, {"question": "Sure?"}]
    assert memweb_does(home, "run", said="/memory").stdout == "Core memory\nhuman\nBob\n"
    done = memweb_does(home, "run", said="/pop")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: Sure? Answer it in a terminal.\n")


def test_agents_are_listed_created_and_deleted(memweb: FewLines, home: Path) -> None:
    assert memweb_does(home, "list").stdout == f"Sam\t{AGENT_ID}\n"
    done = memweb_does(home, "create", "Ann", "--persona", "odd", "--human", "I am Bob.")
    assert "Created Ann." in done.stdout
    assert memweb.agents[0]["memory_blocks"] == [
        {"label": "persona", "value": "I am odd."},
        {"label": "human", "value": "I am Bob."},
    ]
    done = memweb_does(home, "delete", "Ann")
    assert done.returncode == 1 and "--yes" in done.stderr
    assert memweb_does(home, "delete", "Ann", "--yes").stdout == "Deleted Ann.\n"
    assert memweb.server.asked[-1].method == "DELETE"


def test_without_a_server_a_command_says_what_to_do(tmp_path: Path) -> None:
    done = memweb_does(tmp_path, "list")
    assert (done.returncode, done.stdout) == (1, "") and "`memweb up`" in done.stderr
    assert "`memweb up`" in memweb_does(tmp_path, "list", MEMWEB_URL="http://127.0.0.1:9", MEMWEB_TOKEN="x").stderr
    assert "没有 memweb 应答" in memweb_does(tmp_path, "list", LANG="zh_CN.UTF-8").stderr


def test_a_terminal_gets_a_table(memweb: FewLines, home: Path) -> None:
    memweb.agents[0] |= {"name": "S\x1b[31mam 小明", "model": "scripted", "created_at": "2026-11-26T10:00:00Z"}
    with Terminal("list", home=home) as terminal:
        assert terminal.ends() == 0
        terminal.shows("Name")
        terminal.shows("Sam 小明  scripted")
