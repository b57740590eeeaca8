"""Calls that wait for a person's yes, through the doors for programs: letta-client, memweb's own, the terminal's."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, ConflictError

from memweb.client import NotNow, create_client
from tests.product import Newcomer, Product

pytestmark = pytest.mark.usefixtures("nothing_fails")
LOOK = "from agents.functions import installed; installed.refresh()"


@pytest.fixture
def careful(letta: Any, sam: Any, product: Product) -> Any:
    """An agent that asks before it calls `ring`."""
    path = product.home / "functions" / "ring.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text("from memweb.functions import function\n@function(ask_first=True)\ndef ring(): return 'Rung.'\n")
    product.manage("shell", "--no-imports", "-c", LOOK)
    return letta.agents.tools.attach("tool-ring", agent_id=sam.id)


@pytest.fixture
def client(product: Product, someone: Newcomer) -> Iterator[Any]:
    with create_client(product.url, someone.token) as client:
        yield client


def say(letta: Any, agent: Any, text: str) -> Any:
    return letta.agents.messages.create(agent.id, messages=[{"role": "user", "content": text}])


def test_letta_client_is_asked_and_says_yes(letta: Any, careful: Any) -> None:
    answer = say(letta, careful, "call ring")
    assert answer.stop_reason.stop_reason == "requires_approval"
    request = answer.messages[-1]
    assert (request.message_type, request.tool_call.name) == ("approval_request_message", "ring")
    yes = {"type": "approval", "approve": True, "approval_request_id": request.id}
    rest = letta.agents.messages.create(careful.id, messages=[yes])
    assert [m.message_type for m in rest.messages] == ["tool_return_message", "reasoning_message", "assistant_message"]
    assert rest.messages[-1].content == "I found this: Rung." and rest.stop_reason.stop_reason == "end_turn"
    with pytest.raises(ConflictError, match="waits for nobody"):
        letta.agents.messages.create(careful.id, messages=[yes])


def test_letta_client_says_no_in_a_stream(letta: Any, careful: Any) -> None:
    with letta.agents.messages.stream(
        careful.id, messages=[{"role": "user", "content": "call ring"}], stream_tokens=True
    ) as stream:
        told = list(stream)
    request = next(m for m in told if m.message_type == "approval_request_message")
    no = {"type": "approval", "tool_call_id": request.tool_call.tool_call_id, "approve": False, "reason": "Too late."}
    with letta.agents.messages.stream(careful.id, messages=[{"type": "approval", "approvals": [no]}]) as stream:
        told = list(stream)
    returned = next(m for m in told if m.message_type == "tool_return_message")
    assert returned.status == "error" and "Too late." in returned.tool_return


@pytest.mark.parametrize(
    "message",
    [
        {"type": "approval"},
        {"type": "approval", "approve": True, "approval_request_id": "message-1.1-call0"},
        {"type": "approval", "approvals": [{"type": "approval", "tool_call_id": "nowhere", "approve": True}]},
    ],
)
def test_what_is_no_answer_changes_nothing(letta: Any, careful: Any, client: Any, message: dict[str, Any]) -> None:
    say(letta, careful, "call ring")
    with pytest.raises(APIStatusError):
        letta.agents.messages.create(careful.id, messages=[message])
    with pytest.raises(APIStatusError, match="alone"):
        letta.agents.messages.create(
            careful.id, messages=[{"type": "approval", "approve": True}, {"role": "user", "content": "And?"}]
        )
    assert len(client.list_asked_calls(careful.id)) == 1


def test_the_python_client_and_the_commands(letta: Any, careful: Any, client: Any) -> None:
    say(letta, careful, "call ring")
    (asked,) = client.list_asked_calls(careful.id)
    assert (asked.function, asked.arguments) == ("ring", "{}")
    assert client.deny_call(agent_id=careful.id, number=asked.number, reason="No.") == []
    with pytest.raises(NotNow):
        client.allow_call(agent_id=careful.id, number=asked.number)
    say(letta, careful, "call ring")
    outcome = client.run_command(agent_id=careful.id, line="/allow always")
    assert outcome.sentence == "Allowed: ring."
    assert say(letta, careful, "call ring").messages[-1].content == "I found this: Rung."


def test_openais_door_says_what_it_waits_for(http: httpx.Client, careful: Any) -> None:
    body = {"model": careful.id, "messages": [{"role": "user", "content": "call ring"}]}
    told = http.post("/openai/v1/chat/completions", json=body).json()
    assert "I wait for your yes before I call ring" in told["choices"][0]["message"]["content"]


def test_a_stranger_sees_and_decides_nothing(letta: Any, careful: Any, client: Any, product: Product) -> None:
    say(letta, careful, "call ring")
    (asked,) = client.list_asked_calls(careful.id)
    with httpx.Client(base_url=product.url, headers={"Authorization": f"Bearer {product.newcomer().token}"}) as other:
        address = f"/v1/agents/{careful.id}/asked"
        assert other.get(address).status_code == 404
        assert other.post(address, json={"number": asked.number, "approve": True}).status_code == 404
    assert len(client.list_asked_calls(careful.id)) == 1
