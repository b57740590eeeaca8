"""Each call asks what the contract says and reads what comes, in both clients."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from memweb.client import (
    AgentMessage,
    Choice,
    FunctionCall,
    FunctionResult,
    Invalid,
    NameTaken,
    NotFound,
    Progress,
    Reply,
    Thought,
    UserMessage,
)
from tests.memweb.client.conftest import TOKEN, Asked, Given, SmallServer

AGENT_ID = "agent-00000000-0000-4000-8000-000000000001"
AGENT = {
    "id": AGENT_ID,
    "name": "Sam",
    "agent_type": "memgpt_agent",
    "memory": {"blocks": [{"id": "block-1", "label": "human", "value": "I am Bob.", "limit": 2000}]},
    "tags": [],
}
RUN = {"id": "run-5", "agent_id": AGENT_ID, "status": "running"}
CALL = {"name": "core_memory_append", "arguments": '{"label": "human"}', "tool_call_id": "call_1"}
ANSWER = {
    "messages": [
        {
            "message_type": "reasoning_message",
            "id": "message-1",
            "date": "2026-11-26T10:00:00Z",
            "reasoning": "I note.",
        },
        {"message_type": "tool_call_message", "id": "message-1", "date": "2026-11-26T10:00:00Z", "tool_call": CALL},
        {
            "message_type": "tool_return_message",
            "id": "message-2",
            "date": "2026-11-26T10:00:00Z",
            "status": "success",
            "tool_call_id": "call_1",
            "tool_return": "Done.",
        },
        {"message_type": "a_new_kind", "id": "message-9"},
        {
            "message_type": "assistant_message",
            "id": "message-3",
            "date": "2026-11-26T10:00:00Z",
            "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "Bob."}],
        },
    ],
    "stop_reason": {"message_type": "stop_reason", "stop_reason": "end_turn"},
    "usage": {"prompt_tokens": 7, "step_count": 2, "run_ids": ["run-5"]},
}


def test_an_agent_is_created_as_the_classic_snippet_does(small: SmallServer, client: Any) -> None:
    small.answers = [AGENT]
    agent = client.create_agent(name="Sam", persona="I am Sam.", human="I am Bob.")
    asked = small.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/agents/")
    assert asked.body == {
        "name": "Sam",
        "memory_blocks": [{"label": "persona", "value": "I am Sam."}, {"label": "human", "value": "I am Bob."}],
    }
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["accept-language"] == "zh-hans"
    assert (agent.id, agent.name, agent.block("human")) == (AGENT_ID, "Sam", "I am Bob.")


def test_a_search_is_explained(small: SmallServer, client: Any) -> None:
    words = [{"word": "march", "beside": "day"}]
    part = {"name": "words", "label": "words", "figure": 1.5, "contribution": 0.25, "words": words}
    missing: dict[str, Any] = {
        "name": "embedding",
        "label": "meaning",
        "figure": None,
        "contribution": 0.0,
        "words": [],
    }
    found = {"id": "message-4", "text": "Hello.", "score": 0.25, "note": "", "parts": [part, missing]}
    page = {"page": 2, "pages": 3, "total": 7, "text": "Showing", "results": [found], "below_cut": [found]}
    small.answers = [{"storage": "archival", "query": "harbour", **page}]
    told = client.explain_search(agent_id=AGENT_ID, query="harbour", storage="archival", page=2)
    asked = small.asked[0]
    assert (asked.method, asked.path) == ("GET", f"/v1/agents/{AGENT_ID}/why")
    assert asked.params == {"query": "harbour", "storage": "archival", "page": "2"}
    assert (told.pages, told.total, told.text, told.below_cut) == (3, 7, "Showing", told.results)
    (result,) = told.results
    assert result.score == sum(part.contribution for part in result.parts)
    assert result.parts[0].words[0].beside == "day" and result.parts[1].figure is None


def test_a_taken_name_says_how_to_go_on(small: SmallServer, client: Any) -> None:
    small.answers = [Given(409, {"detail": "You have an agent called “Sam”."}, {"x-should-retry": "false"})]
    with pytest.raises(NameTaken, match=r"You have an agent called “Sam”.*get_or_create_agent\(name='Sam'\)"):
        client.create_agent(name="Sam")
    assert len(small.asked) == 1


def test_an_agent_is_found_or_created(small: SmallServer, client: Any) -> None:
    small.answers = [[AGENT], [], AGENT]
    assert client.get_or_create_agent(name="Sam").id == AGENT_ID
    assert client.get_or_create_agent(name="Sam", human="Bob").id == AGENT_ID
    assert [asked.method for asked in small.asked] == ["GET", "GET", "POST"]
    assert small.asked[0].params["name"] == "Sam"


def test_an_agent_is_found_by_name_and_by_id(small: SmallServer, client: Any) -> None:
    small.answers = [[{**AGENT, "name": "Samantha"}, AGENT], AGENT, []]
    assert client.get_agent("Sam").name == "Sam"
    assert client.get_agent(AGENT_ID).name == "Sam"
    assert small.asked[1].path == f"/v1/agents/{AGENT_ID}"
    with pytest.raises(NotFound, match="no agent called “Tom”"):
        client.get_agent("Tom")


def test_all_pages_of_a_list_are_read(small: SmallServer, client: Any) -> None:
    small.answers = [[AGENT, {**AGENT, "id": "agent-2"}], [{**AGENT, "id": "agent-3"}], []]
    assert [agent.id for agent in client.list_agents()] == [AGENT_ID, "agent-2", "agent-3"]
    assert [asked.params.get("after") for asked in small.asked] == [None, "agent-2", "agent-3"]


def test_an_answer_holds_what_was_thought_called_and_said(small: SmallServer, client: Any) -> None:
    small.answers = [Given(body=b"   " + json.dumps(ANSWER).encode())]  # blanks, while the agent thinks
    reply: Reply = client.user_message(agent_id=AGENT_ID, message="Hello!")
    assert reply.thoughts == ("I note.",)
    (call, result), *_ = reply.calls
    assert isinstance(call, FunctionCall) and (call.name, call.arguments) == (CALL["name"], CALL["arguments"])
    assert isinstance(result, FunctionResult) and result.text == "Done."
    assert reply.text == "Hello Bob."
    assert (reply.stop_reason, reply.run_id, reply.usage.step_count, reply.failed) == ("end_turn", "run-5", 2, False)
    assert str(reply) == '(I note.)\n→ core_memory_append {"label": "human"}\n← Done.\nHello Bob.'
    sent = small.asked[0]
    said = sent.body["messages"][0]
    assert (said["role"], said["content"], said["otid"]) == ("user", "Hello!", sent.headers["idempotency-key"])


def test_an_answer_that_failed_says_so(small: SmallServer, client: Any) -> None:
    small.answers = [
        {"messages": [], "stop_reason": {"stop_reason": "llm_api_error", "message": "No key."}, "usage": {}}
    ]
    reply = client.user_message(agent_id=AGENT_ID, message="Hello!")
    assert reply.failed and (reply.error, str(reply)) == ("No key.", "[llm_api_error] No key.")


def test_a_message_may_be_sent_without_waiting(small: SmallServer, client: Any) -> None:
    small.answers = [RUN, RUN, {**RUN, "status": "completed"}]
    run = client.send_message(agent_id=AGENT_ID, message="Hello!", key="mine")
    assert small.asked[0].path.endswith("/messages/async")
    assert small.asked[0].headers["idempotency-key"] == "mine"
    assert client.wait_for_run(run.id).is_over
    assert [asked.path for asked in small.asked[1:]] == ["/v1/runs/run-5"] * 2


def test_waiting_for_a_run_has_an_end(small: SmallServer, client: Any) -> None:
    small.answer = lambda _asked: RUN
    with pytest.raises(TimeoutError, match=r"run-5 is not over after 0\.3 seconds"):
        client.wait_for_run("run-5", timeout=0.3)


def test_a_run_is_stopped_through_its_agent(small: SmallServer, client: Any) -> None:
    small.answers = [RUN, {}]
    client.stop_run("run-5")
    assert small.asked[1].path == f"/v1/agents/{AGENT_ID}/messages/cancel"
    assert small.asked[1].body == {"run_ids": ["run-5"]}


def test_core_memory(small: SmallServer, client: Any) -> None:
    block = {"id": "block-1", "label": "human", "value": "Bob"}
    edited = {**block, "value": "Ann", "revision": 8}
    small.answers = [[block], [], block, edited, edited, {**block, "id": "block-2"}, AGENT]
    assert [found.label for found in client.list_blocks(AGENT_ID)] == ["human"]
    assert client.get_block(agent_id=AGENT_ID, label="human").value == "Bob"
    assert client.edit_block(agent_id=AGENT_ID, label="human", value="Ann").value == "Ann"
    assert small.asked[3].body == {"value": "Ann"}
    assert client.edit_block(agent_id=AGENT_ID, label="human", value="Ann", from_revision=7).revision == 8
    assert small.asked[4].body == {"value": "Ann", "from_revision": 7}
    assert client.add_block(agent_id=AGENT_ID, label="a/b", value="x", limit=10).id == "block-2"
    assert small.asked[5].body == {"label": "a/b", "value": "x", "limit": 10}
    assert small.asked[6].path.endswith("/core-memory/blocks/attach/block-2")


def test_an_id_is_one_part_of_an_address(small: SmallServer, client: Any) -> None:
    small.answers = [{"id": "block-1", "label": "a", "value": ""}]
    client.get_block(agent_id=AGENT_ID, label="../a?b#c")
    assert small.asked[0].path.endswith("/core-memory/blocks/..%2Fa%3Fb%23c")


def test_archival_and_recall_storage(small: SmallServer, client: Any) -> None:
    passage = {"id": "passage-7", "text": "Tea."}
    found = {"count": 1, "results": [{"id": "passage-7", "content": "Tea.", "timestamp": "2026-11-26T10:00:00Z"}]}
    said = {"message_type": "user_message", "message_id": "message-1", "content": "Hi", "created_at": "2026-11-26"}
    small.answers = [[passage], [passage], [], found, None, [said]]
    assert client.insert_passage(agent_id=AGENT_ID, text="Tea.").id == "passage-7"
    assert [one.text for one in client.list_passages(AGENT_ID)] == ["Tea."]
    assert [one.text for one in client.search_passages(agent_id=AGENT_ID, query="tea")] == ["Tea."]
    assert client.delete_passage(agent_id=AGENT_ID, passage_id="passage-7") is None
    (message,) = client.search_messages(agent_id=AGENT_ID, query="hi")
    assert isinstance(message, UserMessage) and (message.id, message.text) == ("message-1", "Hi")


def test_commands_ask_and_are_answered(small: SmallServer, client: Any) -> None:
    outcome = {"question": "Sure?", "change": [["equal", "a "], ["insert", "b"]], "sentence": ""}
    conflict = {"block_id": "block-1", "label": "human", "current": "a", "before": "b", "revision": 4}
    commands = [{"name": "pop", "usage": "[n]", "help": "take back", "argument": "count", "needs_argument": False}]
    match = {"command": False, "message": "/help"}
    small.answers = [commands, match, outcome, {"conflicts": [conflict]}, {"sentence": "Done."}]
    assert client.list_commands()[0].name == "pop"
    assert client.match_command("//help").message == "/help"
    asked = client.run_command(agent_id=AGENT_ID, line="/systemswap b")
    assert (asked.question, asked.change) == ("Sure?", (("equal", "a "), ("insert", "b")))
    (found,) = client.run_command(agent_id=AGENT_ID, line="/pop").conflicts
    choices = [Choice(block_id=found.block_id, keep=True), Choice(block_id="block-2", put_back=found.revision)]
    assert client.run_command(agent_id=AGENT_ID, line="/pop", choices=choices).sentence == "Done."
    assert small.asked[-1].body == {
        "line": "/pop",
        "confirmed": False,
        "choices": [{"block_id": "block-1", "keep": True}, {"block_id": "block-2", "put_back": 4}],
    }


def test_an_agent_goes_out_and_comes_in_as_a_file(small: SmallServer, client: Any, tmp_path: Path) -> None:
    missing = [{"agent_id": AGENT_ID, "functions": ["run_code"], "files": ["plan.pdf"]}]
    small.answers = [{"agent": "whole"}, {"agent_ids": [AGENT_ID], "missing": missing}, AGENT]
    text = client.export_agent(AGENT_ID)
    assert json.loads(text) == {"agent": "whole"} and small.asked[0].params == {"format": "memweb"}
    file = tmp_path / "sam.json"
    file.write_text(text)
    (agent,) = client.import_agent(file, name="Tom")
    assert (agent.id, agent.missing_functions, agent.missing_files) == (AGENT_ID, ("run_code",), ("plan.pdf",))
    assert b'name="file"' in small.asked[1].raw and b"whole" in small.asked[1].raw
    assert b'name="override_name"' in small.asked[1].raw and b"Tom" in small.asked[1].raw


def test_a_file_is_written_as_it_comes(small: SmallServer, client: Any) -> None:
    small.answers = [{"agent": "whole"}, Given(404, {"detail": "There is no agent."})]
    file = io.BytesIO()
    client.save_agent(AGENT_ID, file, documents=True)
    assert small.asked[0].params == {"format": "memweb", "documents": "true"}
    assert json.loads(file.getvalue()) == {"agent": "whole"}
    with pytest.raises(NotFound, match="no agent"):
        client.save_agent(AGENT_ID, file, format="letta")
    assert small.asked[1].params == {} and json.loads(file.getvalue()) == {"agent": "whole"}


def test_what_did_not_come_along_and_what_was_refused_late_are_told(small: SmallServer, client: Any) -> None:
    missing = [{"agent_id": AGENT_ID, "functions": ["fly"], "files": ["log.txt"]}]
    small.answers = [{"agent_ids": [AGENT_ID], "missing": missing}, AGENT, {"detail": "Too long."}]
    (agent,) = client.import_agent(b"{}")
    assert (agent.name, agent.missing_functions, agent.missing_files) == (AGENT["name"], ("fly",), ("log.txt",))
    with pytest.raises(Invalid, match=r"Too long\."):
        client.import_agent(b"{}")


def test_a_copy_has_a_name_of_its_own(small: SmallServer, client: Any) -> None:
    small.answers = [AGENT, Given(409, {"detail": "You already have an agent called “Tom”."})]
    assert client.copy_agent(AGENT_ID, name="Tom").id == AGENT_ID
    assert (small.asked[0].path, small.asked[0].body) == (f"/v1/agents/{AGENT_ID}/copy", {"name": "Tom"})
    with pytest.raises(NameTaken):
        client.copy_agent(AGENT_ID, name="Tom")


def test_documents_are_loaded_with_progress(small: SmallServer, client: Any, tmp_path: Path) -> None:
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "deep/b.txt", "deep/bad.bin", ".hidden"):
        (tmp_path / "texts" / name).write_text(name)
    seen: dict[str, int] = {}

    def answer(asked: Asked) -> Given | Any:
        if asked.method == "POST" and "bad" in asked.params["name"]:
            return Given(422, {"detail": "memweb does not read files like this."})
        if asked.method == "POST":
            seen[asked.params["name"]] = 0
            return {"id": f"file-{len(seen)}", "processing_status": "pending"}
        number = int(asked.path.rsplit("-", 1)[1])
        name = list(seen)[number - 1]
        seen[name] += 1
        if seen[name] == 1:
            return {"id": f"file-{number}", "processing_status": "embedding", "total_chunks": 4, "chunks_embedded": 1}
        if name == "texts_deep_b.txt":
            return {"id": f"file-{number}", "processing_status": "error", "error_message": "It holds no text."}
        return {"id": f"file-{number}", "processing_status": "completed", "total_chunks": 4, "chunks_embedded": 4}

    small.answer = answer
    told: list[Progress] = []
    missing = tmp_path / "none.txt"
    loaded = client.load_documents([tmp_path / "texts", missing], archive_id="archive-3", progress=told.append)
    assert {one.path: one.error for one in loaded} == {
        "texts/a.txt": "",
        "texts/b.txt": "",
        "texts/deep/b.txt": "It holds no text.",
        "texts/deep/bad.bin": "memweb does not read files like this.",
        str(missing): "there is no such file",
    }
    assert list(seen) == ["a.txt", "texts_b.txt", "texts_deep_b.txt"]
    assert small.asked[0].path == "/v1/folders/folder-3/upload" and small.asked[0].raw.count(b"a.txt") >= 1
    assert (told[-1].files_done, told[-1].files) == (5, 5)
    assert any((one.stage, one.embedded, one.passages) == ("embedding", 1, 4) for one in told)


STREAM = [
    b": ping\n\n",
    {"message_type": "reasoning_message", "id": "message-1", "reasoning": "Hm\u2028\x85m"},
    {"message_type": "ping", "id": "x"},
    {"message_type": "tool_call_message", "id": "message-1", "tool_call": {**CALL, "name": None, "arguments": "{"}},
    {"message_type": "assistant_message", "id": "message-3", "content": "He"},
    b'data: {"message_type": "assistant_message", "id": "mess',
    b'age-3", "content": "llo"}\n\n',
    {"message_type": "stop_reason", "stop_reason": "end_turn"},
    {"message_type": "usage_statistics", "prompt_tokens": 3, "run_ids": None},
    "[DONE]",
]


def test_an_answer_comes_in_pieces(small: SmallServer, client: Any) -> None:
    small.answers = [Given(events=STREAM)]
    pieces = client.stream_message(agent_id=AGENT_ID, message="Hello!")
    kinds = ["Thought", "FunctionCall", "AgentMessage", "AgentMessage", "Stopped", "Usage"]
    assert [type(piece).__name__ for piece in pieces] == kinds
    assert isinstance(pieces[0], Thought) and pieces[0].text == "Hm\u2028\x85m"
    assert "".join(piece.text for piece in pieces if isinstance(piece, AgentMessage)) == "Hello"
    assert small.asked[0].body["stream_tokens"] is True


def test_events_are_typed_and_unknown_ones_passed_over(small: SmallServer, client: Any) -> None:
    events = [
        {"event": "state", "last_seq": 4, "version": 0, "running": False, "run_id": None, "waiting": []},
        {"event": "of the future", "x": 1},
        {"event": "message", "seq": 5, "message": {"message_type": "user_message", "id": "message-1", "content": "Hi"}},
        {"event": "memory_edit", "seq": 6, "block_id": "block-1", "label": "human", "change": [["insert", "Bob"]]},
        {"event": "delta", "run_id": "run-5", "step": 1, "part": "reply", "offset": 0, "text": "He"},
        {"event": "run", "run_id": "run-5", "status": "done"},
        {"event": "gone"},
    ]
    small.answers = [Given(events=events)]
    kinds = ["State", "MessageAdded", "MemoryEdited", "Delta", "RunChanged", "Gone"]
    assert [type(event).__name__ for event in client.events(AGENT_ID, after=4)] == kinds
    assert small.asked[0].params == {"after": "4"}
