"""`memweb run` at a pseudo terminal, beside a memweb of a few lines."""

import json
import re
from pathlib import Path

import pytest

from tests.memweb.client.conftest import Given
from tests.memweb.terminal.conftest import AGENT_ID, FewLines
from tests.memweb.terminal.pseudo import ALT_ENTER, CTRL_C, CTRL_D, TAB, UP, Terminal
from tests.processes import until

READY = "Enter sends"
CALL = {"name": "core_memory_append", "arguments": '{"label": "human", "content": "a\\nb"}', "tool_call_id": "call_1"}
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38;[25])[0-9;]*m")


def test_a_whole_answer_is_shown_as_it_comes_and_as_it_was_kept(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows("Sam has heard nothing yet")
        terminal.say("Hello!")
        terminal.shows("› Hello!")
        memweb.happen("run", run_id="run-1", status="running")
        memweb.happen("delta", run_id="run-1", step=1, part="thinking", offset=0, text="They gr")
        memweb.happen("delta", run_id="run-1", step=1, part="thinking", offset=7, text="eet me.")
        memweb.happen("delta", run_id="run-1", step=1, part="reply", offset=0, text="Hello **Bo")
        terminal.shows("They greet me.")
        terminal.shows("Hello **Bo")
        terminal.shows("Sam is at work · Ctrl-C stops")
        memweb.happen("dropped", run_id="run-1", step=1)
        memweb.message("reasoning_message", reasoning="They greet me.")
        memweb.message("tool_call_message", tool_call=CALL)
        memweb.happen("memory_edit", label="human", change=[["equal", "Name: "], ["delete", "?"], ["insert", "Bob"]])
        memweb.message("tool_return_message", tool_call_id="call_1", status="success", tool_return="Done.\nReally.")
        memweb.message("assistant_message", content="Hello **Bob**\nand <b>all</b>!")
        memweb.happen("run", run_id="run-1", status="done")
        terminal.shows(READY)
        terminal.shows("→ core_memory_append(label=human, content=a b) ✓ Done. Really.\n  ✎ human: Name: ?Bob")
        terminal.shows("Hello Bob\nand <b>all</b>!")
        assert terminal.text.count("They greet me.") == 1 and "**" not in terminal.text
        terminal.press(CTRL_D)
        assert terminal.ends() == 0
    assert memweb.said == ["Hello!"]


def test_what_is_said_elsewhere_is_shown_above_what_is_being_written(memweb: FewLines, home: Path) -> None:
    memweb.message("user_message", content="said before")
    with Terminal("run", home=home) as terminal:
        terminal.shows("› said before")
        terminal.shows(READY)
        terminal.press("half a sen")
        memweb.message("user_message", content="from the page")
        memweb.message("assistant_message", content="An answer to the page.")
        memweb.happen("waiting", messages=[{"id": "message-9", "content": "this waits"}])
        terminal.shows("› from the page\nSam\nAn answer to the page.")
        terminal.shows("› this waits …\n› half a sen")
        memweb.happen("waiting", messages=[])
        terminal.say("tence")
        terminal.shows("› half a sentence")
        terminal.hides("this waits")
    assert memweb.said == ["half a sentence"]
    assert terminal.text.count("from the page") == 1


def test_nothing_that_a_message_holds_reaches_the_terminal_as_a_command(memweb: FewLines, home: Path) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31mA\x1b]8;;http://x\x1b\\B\x07\x08\r\x1bPq\x1b\\C\u202eD\x00"
    memweb.agents[0]["name"] = f"Sam{evil}"
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        before = len(terminal.received)
        for kind, field in (
            ("user_message", "content"),
            ("reasoning_message", "reasoning"),
            ("assistant_message", "content"),
        ):
            memweb.message(kind, **{field: f"{evil} {kind}"})
        memweb.message("tool_call_message", tool_call={"name": evil, "arguments": evil, "tool_call_id": "call_1"})
        memweb.message("tool_return_message", tool_call_id="call_1", status="error", tool_return=evil)
        memweb.happen("memory_edit", label=evil, change=[["insert", evil]])
        memweb.happen("delta", run_id="run-1", step=1, part="reply", offset=0, text=evil)
        memweb.happen("waiting", messages=[{"id": "message-9", "content": evil}])
        memweb.happen("notice", text=f"{evil} finished", failed=True, run_id="run-1")
        terminal.shows("finished")
        sent = terminal.received[before:]
    for sequence in (b"\x1b[2J", b"owned", b"\x1b]", b"\x07", b"\x9b", b"\x1bP", "\u202e".encode(), b"\x00"):
        assert sequence not in sent, sequence
    assert "› AB\nCD user_message" in terminal.text


def test_commands_are_completed_asked_about_and_carried_out(memweb: FewLines, home: Path) -> None:
    change = [["equal", "be "], ["delete", "good"], ["insert", "better"]]
    memweb.outcomes = [
        {"title": "Core memory", "entries": [{"head": "human", "body": "Bob"}]},
        {"question": "Replace the instructions?", "change": change},
        {"sentence": "They were replaced."},
        {"question": "Replace the instructions?", "change": change},
        Given(422, {"detail": "“x” is not a number."}),
        {"sentence": "Until later.", "leave": True},
    ]
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        terminal.press("/me")
        terminal.shows("show core memory")
        terminal.press(TAB)
        terminal.shows("› /memory")
        terminal.say("")
        terminal.shows("Core memory\n  human\n    Bob")
        terminal.say("/pop 2")
        terminal.shows("Replace the instructions?\nYes or no?")
        assert "be goodbetter" in terminal.text
        terminal.say("y")
        terminal.shows("They were replaced.")
        terminal.say("/pop 3")
        terminal.shows("Yes or no?")
        terminal.say("no")
        terminal.shows("Nothing was done.")
        terminal.say("/pop x")
        terminal.shows("is not a number")
        terminal.say("//pop")
        terminal.shows("› /pop")
        terminal.say("/exit")
        assert terminal.ends() == 0
    bodies = [
        asked.body for asked in memweb.server.asked if asked.method == "POST" and asked.path.endswith("/commands")
    ]
    assert [(body["line"], body["confirmed"]) for body in bodies] == [
        ("/memory", False),
        ("/pop 2", False),
        ("/pop 2", True),
        ("/pop 3", False),
        ("/pop x", False),
        ("/exit", False),
    ]
    assert memweb.said == ["/pop"]


def test_conflicts_are_shown_and_settled_one_by_one(memweb: FewLines, home: Path) -> None:
    first = {"block_id": "block-1", "label": "human", "current": "Bob!", "before": "Bob?", "revision": 4}
    second = {"block_id": "block-2", "label": "persona", "current": "Sam!", "before": "Sam?", "revision": 5}
    memweb.outcomes = [
        {"question": "Some memory was edited since.", "conflicts": [first, second]},
        {"sentence": "Taken back."},
    ]
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        terminal.say("/pop")
        terminal.shows("Some memory was edited since.")
        terminal.shows("“human” was edited since. It says now:\n  Bob!\nIt said before:\n  Bob?")
        terminal.say("what?")
        terminal.say("k")
        terminal.shows("“persona” was edited since")
        terminal.say("p")
        terminal.shows("Taken back.")
    choices = [{"block_id": "block-1", "keep": True}, {"block_id": "block-2", "put_back": 5}]
    assert memweb.server.asked[-1].body["choices"] == choices


def test_several_lines_and_the_lines_of_yesterday(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        terminal.press(f"one{ALT_ENTER}two\\")
        terminal.say("")
        terminal.say("three")
        terminal.shows("› one\ntwo\nthree")
        terminal.press(CTRL_D)
        terminal.ends()
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        terminal.press(UP)
        terminal.shows("› one\n  two\n  three")
        terminal.say("!")
        terminal.shows("three!")
    assert memweb.said == ["one\ntwo\nthree", "one\ntwo\nthree!"]
    assert (home / "history").stat().st_mode & 0o077 == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        terminal.press("not this" + CTRL_C)
        terminal.hides("not this")
        memweb.happen("run", run_id="run-7", status="running")
        terminal.shows("Ctrl-C stops")
        terminal.press("go " + CTRL_C)
        until(lambda: memweb.stopped == ["run-7"], "the run is stopped")
        memweb.happen("run", run_id="run-7", status="stopped")
        terminal.shows("(Stopped.)")
        terminal.shows(READY)
        terminal.say("on")
        terminal.shows("› go on")
    assert memweb.said == ["go on"]  # what was begun stays in the line


def test_a_lost_connection_comes_back_and_nothing_is_missed(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        memweb.message("user_message", content="before")
        terminal.shows("› before")
        memweb.lose()
        terminal.shows("The connection is lost")
        terminal.shows("No connection")
        memweb.message("user_message", content="in the gap")
        memweb.message("assistant_message", content="also in the gap")
        terminal.say("kept")
        terminal.shows("The connection to memweb was lost.")
        terminal.shows("› kept")  # what could not be sent is still in the line
        memweb.is_down = False
        terminal.shows("Connected again.")
        terminal.shows("› in the gap\nSam\nalso in the gap")
        terminal.say("")
        until(lambda: memweb.said == ["kept"], "the line is sent")
    assert [terminal.text.count(text) for text in ("› before", "in the gap\n")] == [1, 2]


def test_a_terminal_without_a_server_can_still_be_left(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        memweb.lose()
        terminal.shows("The connection is lost")
        terminal.say("/exit")
        assert terminal.ends() == 0


def test_what_is_taken_back_corrected_and_deleted_is_said(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home) as terminal:
        terminal.shows(READY)
        memweb.happen("cut", from_seq=1, to_seq=2, version=1)
        terminal.shows("(The last messages were taken back.)")
        message = {"message_type": "assistant_message", "id": "message-1", "content": "Better so."}
        memweb.happen("edited", message_id="message-1", version=2, messages=[message])
        terminal.shows("(A message above reads otherwise now:)\nSam\nBetter so.")
        memweb.happen("notice", text="The endpoint refused the key.", failed=True, run_id="run-1")
        terminal.shows("The endpoint refused the key.")
        memweb.happen("gone")
        terminal.shows("This agent was deleted.")
        assert terminal.ends() == 0


@pytest.mark.parametrize("columns", [20, 40])
def test_wide_characters_in_a_narrow_terminal(memweb: FewLines, home: Path, columns: int) -> None:
    with Terminal("run", home=home, columns=columns, rows=16) as terminal:
        terminal.shows("Enter")
        memweb.message("user_message", content="我叫小明，我住在北京，我有一只猫。")
        memweb.message("assistant_message", content="你好，**小明**！👨‍👩‍👧 很高兴认识你。" + "长" * 60)
        memweb.happen("delta", run_id="run-1", step=1, part="reply", offset=0, text="字" * 300)
        terminal.shows("字" * (columns // 2))
        terminal.press("还在写")
        terminal.shows("› 还在写")
        rows = [line for line in terminal.visible.splitlines() if line.startswith("字")]
        assert set(rows) == {"字" * (columns // 2)} and len(rows) <= 8  # half of the screen is for what is written
        terminal.press(CTRL_D + CTRL_C + CTRL_D)
        assert terminal.ends() == 0
    assert "小明" in terminal.text


def test_without_colour_changes_are_marked(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home, settings={"NO_COLOR": "1"}) as terminal:
        terminal.shows("Enter sends")
        memweb.happen("memory_edit", label="human", change=[["delete", "Ann"], ["insert", "Bob"]])
        memweb.message(
            "assistant_message", content="# Title\n\n`code` and [a link](http://example.org)\n\n```python\nx = 1\n```"
        )
        terminal.shows("human: [-Ann-]{+Bob+}")
        terminal.shows("x = 1")
        assert not COLOUR.search(terminal.received)


def test_the_terminal_speaks_chinese(memweb: FewLines, home: Path) -> None:
    with Terminal("run", home=home, settings={"LANG": "zh_CN.UTF-8"}) as terminal:
        terminal.shows("Enter 发送")
        terminal.shows("Sam 还没有听到任何话")
    assert {asked.headers["accept-language"] for asked in memweb.server.asked} == {"zh-hans"}


def test_the_first_agent_is_made_from_presets(memweb: FewLines, home: Path) -> None:
    memweb.agents = []
    with Terminal("run", home=home) as terminal:
        terminal.shows("Its name: Sam")
        terminal.say("uel")
        terminal.shows("Who is it?\n  1 plain  I am plain.\n  2 odd  I am odd.")
        terminal.say("9")
        terminal.say("2")
        terminal.shows("Who are you?")
        terminal.say("2")
        terminal.shows("In your own words:")
        terminal.say("I am Bob.")
        terminal.shows("Samuel has heard nothing yet")
    assert memweb.agents[0]["memory_blocks"] == [
        {"label": "persona", "value": "I am odd."},
        {"label": "human", "value": "I am Bob."},
    ]


def test_of_several_agents_the_last_used_comes_first(memweb: FewLines, home: Path) -> None:
    memweb.agents.insert(0, {"id": "agent-2", "name": "Tom", "description": "another"})
    (home / "terminal.json").write_text(json.dumps({"last_agent": AGENT_ID}))
    with Terminal("run", home=home) as terminal:
        terminal.shows("Whom do you want to talk to?\n  1 Sam\n  2 Tom  another\n  3 a new agent")
        terminal.say("2")
        terminal.shows("Tom has heard nothing yet")
    assert json.loads((home / "terminal.json").read_text()) == {"last_agent": "agent-2"}


def test_an_agent_that_is_not_there_may_be_made(memweb: FewLines, home: Path) -> None:
    with Terminal("run", "--agent", "Tom", home=home) as terminal:
        terminal.shows("no agent called “Tom”")
        terminal.say("n")
        assert terminal.ends() == 1
    assert [agent["name"] for agent in memweb.agents] == ["Sam"]
