"""The websocket of a page: it gets what it missed, once, and everything that happens, once; in every open tab."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import queue_manager, services
from agents.broadcast import bus
from agents.broadcast.draft import draft_save
from agents.broadcast.events import DraftDelta, MessagesAdded
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
    '{"type": "resume", "seq": 1}',
    '{"type": "resume", "version": 0}',
    '{"type": "resume", "seq": 1, "version": null}',
    '{"type": "resume", "seq": 1, "version": "x"}',
    '{"type": "resume", "seq": null, "version": 0}',
    '{"type": "resume", "seq": "x", "version": 0}',
    '{"type": "resume", "seq": NaN, "version": 0}',
    '{"type": "resume", "seq": 1e999, "version": 0}',
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
        waiting, asked, status, draft = await socket.resume(1)
        assert 'id="asked"' in asked
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
        ends = [(frame["running"], frame["run"]) for frame in of_kind(frames, "status")]
        assert ends == [(True, run.pk), (False, run.pk)]
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
    draft_save(agent.pk, draft)

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
        assert of_kind(frames, "status") == []  # nothing began or ended

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
        await run_in_thread(services.passage_add, archive=agent.archive, text="A fact.")
        await run_in_thread(services.agent_rename, agent=agent, name="Otto")
        assert changed(await socket.everything()) == {"archival", "archives", "agents"}

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


# Steering


def hand(agent: Agent) -> services.Hand:
    return services.Hand(agent.owner)


def test_what_was_taken_back_is_cut_from_every_page(agent: Agent, browser: Client, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="Name: Ada."), say("Noted.")])
    alices = hand(agent)
    exchange(agent, "I am Ada.")  # its seqs are 2 to 6

    async def talk(socket: Socket) -> None:
        await socket.resume(6)
        await run_in_thread(services.turn_delete, agent=agent, hand=alices)
        frames = await socket.everything()
        assert of_kind(frames, "cut") == [{"type": "cut", "from_seq": 2, "to_seq": 6, "version": 1}]
        assert {"context"} <= changed(frames) and rows(frames) == []

    meet(agent, browser, talk)


def test_a_turn_tried_again_is_cut_and_arrives_anew(agent: Agent, browser: Client, serve_model: ServeModel) -> None:
    serve_model([say("One."), say("Two.")])
    alices = hand(agent)
    exchange(agent, "Count.")

    async def talk(socket: Socket) -> None:
        await socket.resume(4)
        await run_in_thread(services.turn_retry, agent=agent, hand=alices)
        await run_in_thread(services.run_next, agent_id=agent.pk)
        frames = await socket.everything()
        assert of_kind(frames, "cut") == [{"type": "cut", "from_seq": 3, "to_seq": 4, "version": 1}]
        assert rows(frames) == [5]  # the question, 2, stays where it is
        written = next(place for place, frame in enumerate(frames) if seqs(frame))
        assert [kind(frame) for frame in frames].index("cut") < written
        assert "Two." in plain(frames[written])

    meet(agent, browser, talk)


def test_a_message_edited_is_cut_and_the_new_one_waits_and_arrives(
    agent: Agent, browser: Client, serve_model: ServeModel
) -> None:
    serve_model([say("To Oslo."), say("To Bergen.")])
    exchange(agent, "Oslo?")
    message = agent.messages.get(content="Oslo?")

    async def talk(socket: Socket) -> None:
        await socket.resume(4)
        await run_in_thread(browser.post, reverse("message_edit", args=[message.pk]), {"text": "Bergen?"})
        frames = await socket.everything()  # before the run: what waits no more is not drawn
        assert of_kind(frames, "cut") == [{"type": "cut", "from_seq": 2, "to_seq": 4, "version": 1}]
        assert "Bergen?" in next(frame for frame in frames if 'id="waiting"' in frame)
        await run_in_thread(services.run_next, agent_id=agent.pk)
        assert rows(await socket.everything()) == [5, 6]

    meet(agent, browser, talk)


def test_a_reply_corrected_by_a_person_is_drawn_again_in_its_place(
    agent: Agent, browser: Client, serve_model: ServeModel
) -> None:
    serve_model([say("Hello.")])
    exchange(agent, "Hi")
    reply = agent.messages.get(kind=Message.Kind.ASSISTANT)

    async def talk(socket: Socket) -> None:
        await socket.resume(4)
        await run_in_thread(services.reply_rewrite, agent=agent, text="Good evening.")
        frames = await socket.everything()
        row = next(frame for frame in frames if kind(frame) == "html")
        assert f'id="message-{reply.pk}" data-seq="3" hx-swap-oob="true"' in " ".join(row.split())
        assert "Good evening." in plain(row) and "Hello." not in plain(row) and "corrected by you" in plain(row)
        assert of_kind(frames, "version") == [{"type": "version", "version": 1}]
        assert frames.index(row) < [kind(frame) for frame in frames].index("version")
        assert rows(frames) == [3]

    meet(agent, browser, talk)


@pytest.mark.parametrize("version", [0, 2, -1, 10**30])
def test_a_page_whose_rows_were_taken_back_or_edited_is_loaded_anew(
    agent: Agent, browser: Client, version: int
) -> None:
    add(agent, "two", "three")

    async def talk(socket: Socket) -> None:
        await run_in_thread(Agent.objects.filter(pk=agent.pk).update, timeline_version=1)
        await socket.say(type="resume", seq=1, version=version)
        assert json.loads(await socket.frame()) == {"type": "reload"}
        await socket.say(type="resume", seq=1, version=1)
        assert rows([await socket.frame()]) == [2, 3]

    meet(agent, browser, talk)


def test_the_page_as_it_was_drawn_resumes_without_a_reload(
    agent: Agent, browser: Client, serve_model: ServeModel
) -> None:
    serve_model([say("Hello.")])
    exchange(agent, "Hi")
    services.turn_delete(agent=agent, hand=hand(agent))
    markup = browser.get(reverse("agent", args=[agent.pk])).content.decode()
    place = re.search(r'id="last-seq" data-seq="(\d+)" data-version="(\d+)"', markup)
    assert place and place.groups() == ("1", "1")

    async def talk(socket: Socket) -> None:
        await socket.say(type="resume", seq=int(place[1]), version=int(place[2]))
        frames = await socket.until(lambda frame: kind(frame) == "draft")
        assert [kind(frame) for frame in frames] == ["html", "html", "status", "draft"]

    meet(agent, browser, talk)


def test_a_page_that_missed_too_much_is_loaded_anew(
    agent: Agent, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.selectors.timeline.TIMELINE_CATCH_UP", 2)
    add(agent, "two", "three", "four")

    async def talk(socket: Socket) -> None:
        assert kind((await socket.resume(1))[0]) == "reload"
        assert rows(await socket.resume(2)) == [3, 4]

    meet(agent, browser, talk)


# Blocks and archives


@pytest.mark.parametrize("view", ["block_move", "block_detach", "block_delete"])
def test_blocks_that_move_or_go_reach_the_page(agent: Agent, browser: Client, view: str) -> None:
    block = agent.blocks.get(label="human")

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(browser.post, reverse(view, args=[agent.pk, block.pk]), {"to": "up"})
        assert changed(await socket.everything()) == {"blocks", "context"}

    meet(agent, browser, talk)


def test_a_shared_block_is_announced_to_each_agent_that_has_it(agent: Agent, alice: User, browser: Client) -> None:
    other, block = make_agent(alice, "Ada"), agent.blocks.get(label="human")
    services.block_detach(agent=other, block=other.blocks.get(label="human"))

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(services.block_share, block=block, agent=other)
        assert changed(await socket.everything()) == {"blocks", f"block-{block.pk}", "context"}
        await run_in_thread(services.block_edit, block=block, value="Ours.", from_revision=1, editor=alice)
        assert changed(await socket.everything()) == {f"block-{block.pk}", "context"}

    meet(other, browser, talk)


def test_with_whom_a_block_is_shared_reaches_those_who_have_it(agent: Agent, alice: User, browser: Client) -> None:
    other, block = make_agent(alice, "Ada"), agent.blocks.get(label="human")
    services.block_detach(agent=other, block=other.blocks.get(label="human"))

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        for change in (services.block_share, services.block_detach):
            await run_in_thread(change, block=block, agent=other)
            assert changed(await socket.everything()) == {f"block-{block.pk}", "context"}

    meet(agent, browser, talk)


def test_passages_of_an_attached_archive_are_announced_until_it_is_detached(
    agent: Agent, alice: User, browser: Client
) -> None:
    other = make_agent(alice, "Ada")
    services.archive_attach(agent=agent, archive=other.archive)

    async def talk(socket: Socket) -> None:
        await socket.resume(1)
        await run_in_thread(services.passage_add, archive=other.archive, text="A fact.")
        assert changed(await socket.everything()) == {"archival", "archives"}
        await run_in_thread(services.archive_detach, agent=agent, archive=other.archive)
        assert changed(await socket.everything()) == {"archival", "archives"}
        await run_in_thread(services.passage_add, archive=other.archive, text="Another.")
        assert await socket.everything() == []

    meet(agent, browser, talk)
