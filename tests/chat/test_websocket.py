"""The websocket of a page: it gets what it missed, once, and everything that happens, once; in every open tab."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import bus, queue_manager, services
from agents.events import DraftDelta, MessagesAdded
from agents.llm.scripted import call, say
from agents.models import Agent, Message
from tests.chat.conftest import Socket, kind, open_socket, plain, seqs
from tests.conftest import ServeModel, exchange, make_agent

pytestmark = pytest.mark.django_db(transaction=True)

NONSENSE = [
    "",
    "nonsense",
    "null",
    "5",
    "[]",
    '"resume"',
    "{}",
    '{"type": null}',
    '{"type": []}',
    '{"type": "resume"}',
    '{"type": "resume", "seq": null}',
    '{"type": "resume", "seq": "x"}',
    '{"type": "resume", "seq": NaN}',
    '{"type": "resume", "seq": 1e999}',
    '{"type": "delete_everything"}',
    '{"type": "agent_event", "event": "RunChanged"}',
    "[" * 100_000,
]


async def run_in_thread(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await database_sync_to_async(work, thread_sensitive=False)(*arguments, **named)


def meet(agent: Agent, browser: Client, talk: Callable[[Socket], Coroutine[Any, Any, None]]) -> None:
    """Open a page's websocket and go through `talk` with it."""

    async def whole() -> None:
        async with open_socket(agent, browser) as socket:
            await talk(socket)

    asyncio.run(whole())


def add(agent: Agent, *texts: str) -> None:
    now = timezone.now()
    said = [Message(kind=Message.Kind.USER_MESSAGE, content=text, created_at=now) for text in texts]
    queue_manager.append(agent, *said)


def of_kind(frames: list[str], wanted: str) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames if kind(frame) == wanted]


def changed(frames: list[str]) -> set[str]:
    return {what for frame in of_kind(frames, "changed") for what in frame["what"]}


def rows(frames: list[str]) -> list[int]:
    return [seq for frame in frames for seq in seqs(frame)]


def test_a_page_that_comes_back_gets_exactly_what_it_missed(agent: Agent, browser: Client) -> None:
    add(agent, "two", "three", "four")

    async def talk(socket: Socket) -> None:
        frames = await socket.resume(2)
        assert rows(frames) == [3, 4]
        assert 'id="last-seq" data-seq="4"' in frames[0]
        assert rows(await socket.everything()) == []
        assert rows(await socket.resume(4)) == []

    meet(agent, browser, talk)


def test_a_page_that_missed_nothing_is_told_what_goes_on(agent: Agent, browser: Client) -> None:
    services.message_send(agent=agent, text="Not yet taken up.")

    async def talk(socket: Socket) -> None:
        waiting, status, draft = await socket.resume(1)
        assert "Not yet taken up." in waiting and 'id="waiting" hx-swap-oob="true"' in waiting
        assert json.loads(status) == {"type": "status", "running": False, "run": None}
        assert json.loads(draft) == {"type": "draft", "draft": None}

    meet(agent, browser, talk)


def test_results_drawn_with_their_call_still_move_the_page_on(
    agent: Agent, browser: Client, serve_model: ServeModel
) -> None:
    serve_model([say("Hello.")])
    exchange(agent, "Hi")

    async def talk(socket: Socket) -> None:
        frames = await socket.resume(1)
        assert rows(frames) == [2, 3]
        assert 'id="last-seq" data-seq="4"' in frames[0]

    meet(agent, browser, talk)


def test_a_run_arrives_live_and_every_row_of_it_once(agent: Agent, browser: Client, serve_model: ServeModel) -> None:
    remember = call("core_memory_append", label="human", content="Name: Ada.")
    serve_model([remember, say("Hello Ada, how are you today?")])

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        run = await run_in_thread(exchange, agent, "I am Ada.")
        frames = await socket.everything()
        assert rows(frames) == [2, 3, 5]
        assert "Hello Ada, how are you today?" in plain("".join(f for f in frames if kind(f) == "html"))
        block = await run_in_thread(agent.blocks.get, label="human")
        assert {"runs", "context", f"block-{block.pk}"} <= changed(frames)
        assert [(frame["run"], frame["step"]) for frame in of_kind(frames, "step")] == [(run.pk, 1), (run.pk, 2)]
        assert of_kind(frames, "status")[-1] == {"type": "status", "running": False, "run": None}
        assert "I am Ada." not in next(f for f in reversed(frames) if 'id="waiting"' in f)

    meet(agent, browser, talk)


def test_a_reply_streams_in_pieces_that_say_where_they_belong(
    agent: Agent, browser: Client, serve_model: ServeModel
) -> None:
    text = "One lighthouse after another. " * 20
    serve_model([say(text.strip(), thoughts="I count them.", pause=0.005)])

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(exchange, agent, "How many?")
        frames = await socket.everything()
        written = {"thinking": "", "reply": "", "call": ""}
        for delta in of_kind(frames, "delta"):
            assert delta["offset"] == len(written[delta["part"]])
            written[delta["part"]] += delta["text"]
        assert (written["thinking"], written["reply"]) == ("I count them.", text.strip())
        order = [kind(frame) for frame in frames]
        assert order.index("step") < order.index("delta") < order.index("dropped")

    meet(agent, browser, talk)


def test_a_page_opened_in_the_middle_of_a_reply_gets_the_whole_draft(agent: Agent, browser: Client) -> None:
    draft = {"run": 7, "step": 1, "parts": {"thinking": "Hm.", "call": "", "reply": "Once upon"}}
    bus.draft_keep(agent.pk, draft)

    async def talk(socket: Socket) -> None:
        frames = await socket.resume(1)
        assert of_kind(frames, "draft") == [{"type": "draft", "draft": draft}]
        bus.publish(bus.agent_group(agent.pk), DraftDelta(7, 1, "reply", 9, " a time"))
        assert of_kind(await socket.everything(), "delta")[0]["offset"] == len("Once upon")
        await socket.say(type="draft")  # as after a gap
        assert json.loads(await socket.frame()) == {"type": "draft", "draft": draft}

    meet(agent, browser, talk)


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: text[:45])
def test_a_frame_of_nonsense_is_ignored(agent: Agent, browser: Client, text: str) -> None:
    add(agent, "two")

    async def talk(socket: Socket) -> None:
        await socket.communicator.send_input({"type": "websocket.receive", "text": text})
        await socket.communicator.send_input({"type": "websocket.receive", "bytes": b"\xff\x00"})
        assert rows(await socket.resume(1)) == [2]
        assert await socket.everything() == []

    meet(agent, browser, talk)


@pytest.mark.parametrize("seq", [10**30, -5])
def test_a_place_that_is_none_does_no_harm(agent: Agent, browser: Client, seq: int) -> None:
    async def talk(socket: Socket) -> None:
        assert rows(await socket.resume(seq)) == ([1] if seq < 0 else [])

    meet(agent, browser, talk)


def test_a_page_that_has_not_said_what_it_has_gets_no_rows(agent: Agent, browser: Client) -> None:
    async def talk(socket: Socket) -> None:
        await run_in_thread(add, agent, "two")
        assert rows(await socket.everything()) == []
        assert rows(await socket.resume(1)) == [2]

    meet(agent, browser, talk)


def test_two_tabs_both_get_every_row(agent: Agent, browser: Client) -> None:
    async def whole() -> None:
        async with open_socket(agent, browser) as one, open_socket(agent, browser) as other:
            await one.resume(1)
            await other.resume(1)
            await run_in_thread(add, agent, "two", "three")
            await run_in_thread(add, agent, "four")
            ending = await asyncio.gather(one.everything(), other.everything())
            assert [rows(frames) for frames in ending] == [[2, 3, 4], [2, 3, 4]]

    asyncio.run(whole())


def test_rows_whose_event_was_lost_come_with_the_next_one(
    agent: Agent, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        with monkeypatch.context() as lossy:
            lossy.setattr(bus, "publish", lambda *_: None)
            await run_in_thread(add, agent, "two", "three")
        await run_in_thread(add, agent, "four")
        assert rows(await socket.everything()) == [2, 3, 4]

    meet(agent, browser, talk)


def test_an_event_that_came_twice_brings_its_rows_once(agent: Agent, browser: Client) -> None:
    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(add, agent, "two")
        for _ in range(3):
            bus.publish(bus.agent_group(agent.pk), MessagesAdded(2))
        assert rows(await socket.everything()) == [2]

    meet(agent, browser, talk)


def test_a_message_sent_in_one_tab_waits_in_the_other(agent: Agent, browser: Client) -> None:
    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(browser.post, reverse("message_send", args=[agent.pk]), {"text": "From the other tab."})
        frames = await socket.everything()
        assert "From the other tab." in next(f for f in frames if 'id="waiting"' in f)
        assert of_kind(frames, "status")[-1]["running"] is False

    meet(agent, browser, talk)


def test_an_edit_of_a_block_reaches_the_page(agent: Agent, browser: Client) -> None:
    block = agent.blocks.get(label="human")

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        url = reverse("block_edit", args=[agent.pk, block.pk])
        await run_in_thread(browser.post, url, {"value": "By hand.", "revision": "1"})
        assert changed(await socket.everything()) == {f"block-{block.pk}", "context"}

    meet(agent, browser, talk)


def test_an_edit_that_is_refused_reaches_nobody(agent: Agent, browser: Client) -> None:
    block = agent.blocks.get(label="human")

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        url = reverse("block_edit", args=[agent.pk, block.pk])
        await run_in_thread(browser.post, url, {"value": "x" * 2001, "revision": "1"})
        assert await socket.everything() == []

    meet(agent, browser, talk)


def test_a_new_passage_and_a_renamed_agent_reach_the_page(agent: Agent, browser: Client) -> None:
    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(services.passage_add, agent=agent, text="A fact.")
        await run_in_thread(services.agent_rename, agent=agent, name="Otto")
        assert changed(await socket.everything()) == {"archival", "agents"}

    meet(agent, browser, talk)


def test_what_happens_to_another_agent_or_another_person_does_not(
    agent: Agent, alice: User, bob: User, browser: Client
) -> None:
    other, bobs = make_agent(alice, "Ada"), make_agent(bob)

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        for somebody in (other, bobs):
            await run_in_thread(add, somebody, "Not for you.")
        await run_in_thread(services.agent_rename, agent=bobs, name="Otto")
        assert await socket.everything() == []

    meet(agent, browser, talk)
