"""`openai` and a command-line client, unmodified, talk with an agent."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.product import Newcomer, Product

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(product: Product, someone: Newcomer, sam: Any) -> OpenAI:
    return OpenAI(base_url=f"{product.url}/openai/v1", api_key=someone.token)


def stored(letta: Any, sam: Any) -> list[str]:
    wanted = letta.agents.messages.list(sam.id, include_return_message_types=["user_message"], order="asc")
    return [message.content for message in wanted]


def test_agents_are_models(client: Any, sam: Any) -> None:
    assert [model.id for model in client.models.list()] == ["Sam"]
    assert client.models.retrieve("Sam").owned_by == "memweb"


def test_the_last_message_of_the_user_reaches_the_agent(client: Any, letta: Any, sam: Any) -> None:
    answer = client.chat.completions.create(
        model="Sam",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "earlier"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": [{"type": "text", "text": "my name is Ann"}]},
        ],
        temperature=0.3,
        max_tokens=5,
        seed=1,
        user="x",
    )
    assert answer.choices[0].message.content == "Lovely to know that. I have written it down."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert stored(letta, sam) == ["my name is Ann"]
    assert "Name: Ann" in letta.agents.blocks.retrieve("human", agent_id=sam.id).value


def test_memory_persists_between_calls_by_name_and_by_id(client: Any, letta: Any, sam: Any) -> None:
    client.chat.completions.create(model="Sam", messages=[{"role": "user", "content": "I moved to Lisbon"}])
    client.chat.completions.create(model=sam.id, messages=HELLO)
    assert stored(letta, sam) == ["I moved to Lisbon", "hello"]
    assert "Lisbon" in letta.agents.blocks.retrieve("human", agent_id=sam.id).value


def test_a_stream_comes_in_pieces_with_usage(client: Any) -> None:
    chunks = list(
        client.chat.completions.create(
            model="Sam",
            messages=[{"role": "user", "content": "slow"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 3
    assert "".join(pieces).startswith("One word at a time")
    assert chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_responses_go_on_with_the_same_conversation(client: Any, letta: Any, sam: Any) -> None:
    first = client.responses.create(model="Sam", input="hello")
    assert first.output_text == "You said: *hello*"
    second = client.responses.create(
        model="Sam",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "and again"}]}],
        previous_response_id=first.id,
    )
    assert (second.output_text, second.previous_response_id) == ("You said: *and again*", first.id)
    assert client.responses.retrieve(first.id).output_text == first.output_text
    assert stored(letta, sam) == ["hello", "and again"]
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="Sam", input="x", previous_response_id="resp_run-999999")


def test_a_response_streams_its_events(client: Any) -> None:
    with client.responses.stream(model="Sam", input="slow") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 3
    assert final.output_text.startswith("One word at a time")
    assert final.usage is not None


def test_the_async_client(product: Product, someone: Newcomer, sam: Any) -> None:
    async def converse() -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{product.url}/openai/v1", api_key=someone.token) as client:
            calls = (
                client.chat.completions.create(model="Sam", messages=[{"role": "user", "content": f"number {n}"}])
                for n in range(4)
            )
            return [answer.choices[0].message.content for answer in await asyncio.gather(*calls)]

    assert asyncio.run(converse()) == [f"You said: *number {n}*" for n in range(4)]


def test_errors_are_the_clients_own(client: Any, product: Product) -> None:
    def ask(**how: object) -> None:
        client.chat.completions.create(**{"model": "Sam", "messages": HELLO, **how})

    with pytest.raises(openai.NotFoundError, match="Nobody"):
        ask(model="Nobody")
    with pytest.raises(openai.BadRequestError, match="`n` > 1"):
        ask(n=2)
    with pytest.raises(openai.BadRequestError, match="tools"):
        ask(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])
    with pytest.raises(openai.BadRequestError, match="no message of the user"):
        ask(messages=[{"role": "system", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="image_url"):
        ask(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}])
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=f"{product.url}/openai/v1", api_key="wrong").models.list()


def test_a_failed_run_is_an_error_that_is_not_sent_again(client: Any, product: Product) -> None:
    before = len(product.model.requests)
    with pytest.raises(openai.APIStatusError, match="out of order") as caught:
        client.chat.completions.create(model="Sam", messages=[{"role": "user", "content": "break down"}])
    assert caught.value.status_code == 424
    assert len(product.model.requests) == before + 1
    stream = client.chat.completions.create(
        model="Sam", messages=[{"role": "user", "content": "break down"}], stream=True
    )
    with pytest.raises(openai.APIError, match="out of order"):
        list(stream)


def test_an_error_has_openais_shape(http: httpx.Client) -> None:
    for answer in (
        http.post("/openai/v1/chat/completions", content=b"{nonsense"),
        http.post("/openai/v1/chat/completions", json={"model": "Sam"}),
        http.get("/openai/v1/nothing"),
        http.get("/openai/v1/models", headers={"Authorization": ""}),
    ):
        assert answer.status_code >= 400
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_command_line_client_talks_with_an_agent(
    product: Product, someone: Newcomer, sam: Any, tmp_path: Path
) -> None:
    """`llm`, from PyPI, with an entry in its list of models and nothing else."""
    models = f'- model_id: sam\n  model_name: Sam\n  api_base: "{product.url}/openai/v1"\n  api_key_name: memweb\n'
    (tmp_path / "extra-openai-models.yaml").write_text(models)
    environment = os.environ | {"LLM_USER_PATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "llm", "prompt", "-m", "sam", "--key", someone.token, "I moved to Lisbon"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "Lovely to know that. I have written it down.", done.stderr
