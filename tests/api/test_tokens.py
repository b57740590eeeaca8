"""A token's limits and its owner, the language of answers, and `Idempotency-Key`, through the whole application."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache.backends.redis import RedisCache
from django.utils import timezone
from pytest_django import Settings
from redis.exceptions import ConnectionError as BrokerAway

from agents import services
from agents.models import Agent, Archive, Block, Document, Token
from tests.api.doors import Answer, Request
from tests.conftest import make_agent

pytestmark = pytest.mark.django_db(transaction=True)

NEW_BLOCK = {"label": "ship", "value": "The Zephyr"}


@pytest.fixture
def token(alice: User) -> str:
    return services.token_create(owner=alice, name="a program")[1]


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: Any, **_named: Any) -> None:
        raise BrokerAway

    for name in ("add", "incr", "get", "set", "delete"):
        monkeypatch.setattr(RedisCache, name, away)


def asked(request: Request, token: str, **headers: str) -> Answer:
    return asyncio.run(request.answer(Authorization=f"Bearer {token}", **headers))


def detail(answer: Answer) -> Any:
    return json.loads(answer.text)["detail"]


TAGS = Request("GET", "/v1/tags")


def posting(path: str, body: Any) -> Request:
    return Request("POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


# The limit


def test_a_token_that_asks_too_often_is_told_when_to_go_on(alice: User, token: str, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    other = services.token_create(owner=alice, name="another program")[1]
    found = [asked(TAGS, token) for _number in range(8)]  # the minute may turn once on the way
    assert [answer.status for answer in found[:3]] == [200, 200, 200]
    refused = [answer for answer in found if answer.status == 429]
    assert refused
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    assert "at most 3 a minute" in detail(refused[0])
    assert "x-should-retry" not in refused[0].headers
    assert asked(TAGS, other).status == 200


def test_the_limit_holds_for_addresses_that_there_are_not_too(token: str, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    assert 429 in {asked(Request("GET", "/v1/nowhere"), token).status for _number in range(3)}


@pytest.mark.usefixtures("broker_away")
def test_a_broker_that_is_away_keeps_nobody_out(token: str, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    assert {asked(TAGS, token).status for _number in range(3)} == {200}
    made = posting("/v1/blocks", NEW_BLOCK)
    assert [asked(made, token, Idempotency_Key="k").status for _number in range(2)] == [200, 200]
    assert Block.objects.filter(label="ship").count() == 2


# Who it is


def test_a_use_is_noted_to_the_minute(token: str) -> None:
    def noted() -> Any:
        asked(TAGS, token)
        return Token.objects.get().last_used_at

    assert Token.objects.get().last_used_at is None
    first = noted()
    assert timezone.now() - first < timedelta(minutes=1)
    assert noted() == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    assert noted() > first


def test_somebody_who_is_deactivated_cannot_come_in(alice: User, token: str) -> None:
    User.objects.update(is_active=False)
    answer = asked(TAGS, token)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    User.objects.update(is_active=True)
    assert asked(TAGS, token).status == 200


@pytest.mark.parametrize(
    ("header", "opens"),
    [("Bearer {}", True), ("bearer {}", True), ("BEARER  {}", True), ("{}", False), ("Token {}", False), ("", False)],
)
def test_how_a_token_is_shown(token: str, header: str, opens: bool) -> None:
    answer = asyncio.run(TAGS.answer(Authorization=header.format(token)))
    assert answer.status == (200 if opens else 401)


@pytest.mark.parametrize("bearer", ["é", "\x00", "x" * 60_000, "memweb-", "…"])
def test_what_is_no_token_is_refused_whatever_it_is(bearer: str) -> None:
    assert asyncio.run(TAGS.answer(Authorization=f"Bearer {bearer}")).status == 401


# Language


def test_a_program_is_answered_in_the_language_it_asks_for(token: str) -> None:
    missing = Request("GET", "/v1/agents/agent-1")
    assert detail(asked(missing, token, Accept_Language="zh-CN,zh;q=0.9")) == "您没有智能体“agent-1”。"
    assert detail(asked(missing, token, Accept_Language="xx")) == "There is no agent “agent-1” of yours."
    assert detail(asked(missing, token)) == "There is no agent “agent-1” of yours."
    refused = asyncio.run(TAGS.answer(Accept_Language="zh-hans"))
    assert "令牌" in detail(refused)


# Idempotency-Key


def test_the_same_request_again_gets_the_same_answer_and_does_nothing(alice: User, token: str) -> None:
    request = posting("/v1/blocks", NEW_BLOCK)
    first, again = asked(request, token, Idempotency_Key="k1"), asked(request, token, Idempotency_Key="k1")
    assert (first.status, again.status) == (200, 200)
    assert again.text == first.text
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert Block.objects.count() == 1
    asked(request, token, Idempotency_Key="k2")
    asked(request, token)
    asked(request, services.token_create(owner=alice, name="other")[1], Idempotency_Key="k1")
    assert Block.objects.count() == 4


def test_a_key_is_for_one_request(token: str) -> None:
    asked(posting("/v1/blocks", NEW_BLOCK), token, Idempotency_Key="k")
    other = asked(posting("/v1/blocks", {**NEW_BLOCK, "value": "The Nimbus"}), token, Idempotency_Key="k")
    assert other.status == 422
    assert detail(other)[0]["loc"] == ["header", "Idempotency-Key"]
    assert "used for another request" in detail(other)[0]["msg"]
    assert Block.objects.count() == 1
    elsewhere = asked(posting("/v1/archives", {"name": "Logs"}), token, Idempotency_Key="k")
    assert elsewhere.status == 200


def test_what_was_refused_leaves_the_key_free(token: str) -> None:
    taken = posting("/v1/archives", {"name": "Logs"})
    asked(taken, token)
    assert asked(taken, token, Idempotency_Key="k").status == 409
    Archive.objects.all().delete()
    assert asked(taken, token, Idempotency_Key="k").status == 200


def test_changes_are_made_once_too(alice: User, token: str) -> None:
    agent = make_agent(alice)
    block = agent.blocks.get(label="human")
    patch = Request("PATCH", f"/v1/blocks/block-{block.pk}", body=b'{"value": "one"}')
    patch.headers["Content-Type"] = "application/json"
    for _number in range(2):
        assert asked(patch, token, Idempotency_Key="k").status == 200
        row = Block.objects.get(pk=block.pk)
        services.block_edit(block=row, value="two", from_revision=row.revision, editor=alice)
    assert list(block.revisions.order_by("pk").values_list("value", flat=True))[1:] == ["one", "two"]
    assert Agent.objects.count() == 1


def upload(folder: Archive, boundary: str, content: str = "Dear diary") -> Request:
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n{content}\r\n'
    form = f"{part}--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return Request("POST", f"/v1/folders/folder-{folder.pk}/upload", body=form, headers=headers)


def test_an_upload_sent_again_is_the_same_whatever_stands_between_its_parts(alice: User, token: str) -> None:
    folder = services.archive_create(owner=alice, name="Logs")
    first, again = [asked(upload(folder, boundary), token, Idempotency_Key="k") for boundary in ("one", "two")]
    assert (first.status, again.text) == (200, first.text)
    assert Document.objects.count() == 1
    assert asked(upload(folder, "one", "other words"), token, Idempotency_Key="k").status == 422
    assert (
        asked(
            Request("POST", upload(folder, "x").path, body=b"x", headers={"Content-Type": "multipart/form-data"}),
            token,
            Idempotency_Key="k2",
        ).status
        == 400
    )


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The first block waits in its creation; the event says that it is there."""
    there, go = threading.Event(), threading.Event()
    create = services.block_create

    def slow(**given: Any) -> Block:
        there.set()
        assert go.wait(20)
        return create(**given)

    monkeypatch.setattr(services, "block_create", slow)
    try:
        yield there
    finally:
        go.set()


def test_the_second_of_two_at_once_is_told_to_come_back(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = posting("/v1/blocks", NEW_BLOCK)
    bearer = {"Authorization": f"Bearer {token}", "Idempotency_Key": "k"}

    async def both() -> tuple[Answer, Answer]:
        with held(monkeypatch) as there:
            first = asyncio.create_task(request.answer(**bearer))
            await asyncio.to_thread(there.wait, 20)
            second = await request.answer(**bearer)
        return await first, second

    first, second = asyncio.run(both())
    assert (first.status, second.status, second.headers["retry-after"]) == (200, 409, "1")
    assert "x-should-retry" not in second.headers  # so that clients do send it again
    assert Block.objects.count() == 1
    assert asked(request, token, Idempotency_Key="k").text == first.text


def test_a_client_that_left_meanwhile_gets_the_answer_when_it_comes_back(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = posting("/v1/blocks", NEW_BLOCK)
    bearer = {"Authorization": f"Bearer {token}", "Idempotency_Key": "k"}

    async def left_and_back() -> Answer:
        with held(monkeypatch) as there:
            leaving = asyncio.create_task(request.answer(**bearer))
            await asyncio.to_thread(there.wait, 20)
            leaving.cancel()
        while (answer := await request.answer(**bearer)).status == 409:
            await asyncio.sleep(0.01)
        return answer

    assert asyncio.run(left_and_back()).headers.get("idempotent-replayed") == "true"
    assert Block.objects.count() == 1
