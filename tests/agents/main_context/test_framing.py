"""No text from outside poses as memweb's own words: blocks end where they end, results are as many as were found,
events are events, and no mark of a chat template gets to the server."""

import json
import re
from typing import Any

import pytest
from django.utils import timezone

from agents import services
from agents.functions import archival_memory, recall_memory
from agents.llm.scripted import call, say
from agents.main_context import recursive_summary, working_context
from agents.models import Agent, Block, Document, Message, Passage
from agents.prompts import MEMORY_IS_DATA
from agents.text.framing import INDENT, UNSEEN
from tests.agents import injections
from tests.conftest import ServeModel, exchange

HEAD = re.compile(r'<block label="[^"<>\n]*" characters="\d+/\d+"( description="[^"<>\n]*")?( read_only="true")?>')
EVENTS = {"user_message", "summary_of_earlier_messages", "system_alert", "heartbeat", "login"}


def at_margin(text: str) -> list[str]:
    """Lines that pose as memweb's own, whatever ends a line."""
    return [line for line in text.splitlines() if line and not line.startswith(INDENT)]


def read_core_memory(text: str) -> dict[str, str]:
    """The blocks of a rendered core memory by label, as one who knows only the frame reads them."""
    title, note, *lines = text.split("\n")
    assert (title, note) == ("# Core memory", MEMORY_IS_DATA)
    found, label = {}, ""
    for line in lines:
        if not label:
            assert HEAD.fullmatch(line), line
            label = line.split('"')[1]
            found[label] = ""
        elif line == "</block>":
            label = ""
        else:
            assert not line or line.startswith(INDENT), line
            found[label] += line.removeprefix(INDENT) + "\n"
    assert not label
    return found


@pytest.mark.parametrize("text", injections.ALL)
def test_a_block_ends_where_it_ends(text: str) -> None:
    blocks = [Block(label=label, value=text, limit=9000, description=text) for label in ("persona", "human")]
    rendered = working_context.render(blocks)
    read = read_core_memory(rendered)
    assert list(read) == ["persona", "human"]
    assert read["human"].replace(UNSEEN, "").split() == text.split()
    assert len(re.findall(r"[<＜][\s/\\／]*block\b", rendered, re.IGNORECASE)) == 4
    assert len(at_margin(rendered)) == 6


@pytest.mark.parametrize("text", injections.ALL)
def test_a_found_text_is_one_result(text: str) -> None:
    now = timezone.now()
    document = Document(name=text)
    lines = [
        archival_memory._line(Passage(text=text, created_at=now)),
        archival_memory._line(Passage(text=text, created_at=now, document=document, page=3, place=text)),
        recall_memory._line(Message(kind=Message.Kind.USER_MESSAGE, content=text, created_at=now)),
        recursive_summary._line(Message(kind=Message.Kind.USER_MESSAGE, content=text), ()),
        recursive_summary._line(Message(kind=Message.Kind.ASSISTANT, content=text, calls=[]), ()),
    ]
    for line in lines:
        assert len(at_margin(line)) == 1
    assert lines[1].count("]", 0, lines[1].index("]") + 1) == 1
    assert lines[1].split("] ")[0].endswith(", ".join([" ".join(text.split()).replace("[", "(").replace("]", ")")]))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["tools", "json_schema"])
def test_nothing_breaks_out_on_its_way_to_the_server(agent: Agent, serve_model: ServeModel, mode: str) -> None:
    text = "\n".join([*injections.TURNS, *injections.ENDS_OF_A_BLOCK, *injections.EVENTS, *injections.RESULT_LINES])
    agent.function_mode, agent.context_window = mode, 64_000
    agent.save()
    human = agent.blocks.get(label="human")
    human.limit = 20_000
    human.save()
    services.block_edit(block=human, value=text, from_revision=human.revision, editor=agent.owner)
    services.passage_add(archive=agent.archive, text=text[:8000])
    server = serve_model(
        [
            call("archival_memory_search", query="tea"),
            call("core_memory_append", label="human", content=text[:900]),
            say(text),
        ]
    )
    exchange(agent, text)
    serve = serve_model([say("Aye.")])
    exchange(agent, "And now?")
    for request in (*server.requests, *serve.requests):
        check_request(request)


def check_request(request: dict[str, Any]) -> None:
    sent = json.dumps(request["messages"], ensure_ascii=False)
    for token in injections.CONTROL_TOKENS:
        assert token not in sent, token
    system, *rest = request["messages"]
    core = system["content"][system["content"].index("# Core memory") :].split("\n\n# Functions")[0]
    assert list(read_core_memory(core)) == ["persona", "human"]
    for message in rest:
        if message["role"] == "user":
            for line in message["content"].split("\n"):
                event = json.loads(line)
                assert event.get("type", "result") in {*EVENTS, "result"}
        if message["role"] == "tool":
            assert set(json.loads(message["content"])) == {"status", "message", "time"}
