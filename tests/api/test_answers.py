"""An answer that takes long: clients give up after a minute without a byte, and send the message again."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from agents.exceptions import InvalidInput
from api import answers
from api.answers import when_ready


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BLANK_SECONDS", 0.01)


async def after(silences: int, result: Any) -> Any:
    for _silence in range(silences):
        await asyncio.sleep(0.03)
    if isinstance(result, Exception):
        raise result
    return result


async def sent(work: Coroutine[Any, Any, Any]) -> tuple[HttpResponseBase, list[bytes]]:
    response = await when_ready(work)
    parts = [part async for part in response] if isinstance(response, StreamingHttpResponse) else [response.content]  # type: ignore[attr-defined]
    return response, parts


def test_what_is_ready_at_once_is_an_answer_as_any() -> None:
    response, parts = asyncio.run(sent(after(0, {"a": 1})))
    assert (response.status_code, response.streaming, parts) == (200, False, [b'{"a":1}'])


def test_blanks_come_while_nothing_is_ready_and_json_may_begin_with_them() -> None:
    response, parts = asyncio.run(sent(after(3, {"a": "é"})))
    assert response.headers["Content-Type"] == "application/json"
    assert len(parts) > 2
    assert set(parts[:-1]) == {b" "}
    assert json.loads(b"".join(parts)) == {"a": "é"}


def test_an_error_that_comes_late_is_told_where_the_answer_would_be() -> None:
    _response, parts = asyncio.run(sent(after(3, InvalidInput("Not so."))))
    assert json.loads(b"".join(parts))["detail"][0]["msg"] == "Not so."


def test_an_error_that_comes_at_once_is_an_error_as_any() -> None:
    with pytest.raises(InvalidInput):
        asyncio.run(sent(after(0, InvalidInput("Not so."))))


def test_a_client_that_leaves_ends_the_waiting() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def left() -> None:
        reading = asyncio.create_task(sent(endless()))
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(left())
