"""The queue manager: one alert, a summary begun early, a flush that waits for nobody."""

from unittest.mock import patch

import pytest
from django.contrib.auth.models import User

from agents import queue_manager, services
from agents.exceptions import LLMError
from agents.external_context import recall_storage
from agents.functions import toolset
from agents.llm.gateway import config_of
from agents.llm.scripted import Answer, Request, call, say
from agents.llm.types import Role
from agents.main_context import fifo_queue, recursive_summary
from agents.main_context.compile import compile
from agents.maintenance import reap
from agents.models import Agent, Message, Summary
from tests.conftest import ServeModel, exchange, make_agent

Kind = Message.Kind
WINDOW = 4096


@pytest.fixture
def small(alice: User) -> Agent:
    return make_agent(alice, context_window=WINDOW)


def talkative(request: Request) -> Answer:
    if "tools" not in request:
        return Answer(content="A summary of what was said.")
    return say("word " * 120)


def fill(agent: Agent, until: int) -> None:
    """Talk until the uncut prompt has `until` tokens."""
    config = config_of(agent)
    for number in range(100):
        agent.refresh_from_db()
        if compile(agent, functions=toolset.of(agent).schemas, budget=10**6).uncut_tokens >= until:
            return
        exchange(agent, f"message number {number} " + "and more " * 30)
    raise AssertionError(config)


def summarise(agent: Agent, covers_to: int) -> Summary | None:
    agent.refresh_from_db()
    return recursive_summary.write(
        agent, covers_to, config=config_of(agent), searches=toolset.of(agent).names(Role.SEARCHES_MEMORY)
    )


def test_the_warning_mark_gives_one_alert_per_period(small: Agent, serve_model: ServeModel) -> None:
    serve_model(talkative)
    fill(small, int(WINDOW * 0.7))
    exchange(small, "one more")
    exchange(small, "and another")
    alerts = small.messages.filter(kind=Kind.SYSTEM_ALERT, seq__gte=small.queue_start)
    assert alerts.count() == 1
    assert "Memory pressure" in alerts.get().content


def test_the_warning_mark_already_starts_the_summary(small: Agent, serve_model: ServeModel) -> None:
    serve_model(talkative)
    with patch("agents.dispatch.summarize") as summarize:
        fill(small, int(WINDOW * 0.7))
        exchange(small, "one more")
    assert small.queue_start == 1
    assert summarize.call_args.args[0] == small.pk


def test_the_flush_evicts_about_half_and_waits_for_no_summary(small: Agent, serve_model: ServeModel) -> None:
    serve_model(talkative)
    with patch("agents.dispatch.summarize") as summarize:
        for number in range(12):
            exchange(small, f"number {number} " + "and more " * 60)
    assert small.queue_start > 1
    assert small.summary is None
    assert summarize.called
    flushed_at = small.messages.filter(kind=Kind.NOTICE).latest("seq").seq
    alerts_since = small.messages.filter(kind=Kind.SYSTEM_ALERT, seq__gt=flushed_at)
    assert small.pressure_alerted == alerts_since.exists()  # a new period: the next warning is not held back


def test_a_ready_summary_is_swapped_in_at_the_flush(small: Agent, serve_model: ServeModel) -> None:
    serve_model(talkative)
    with patch("agents.dispatch.summarize") as summarize:
        fill(small, int(WINDOW * 0.7))
        exchange(small, "one more")
        cut = summarize.call_args.args[1]
        ready = summarise(small, cut)
        while small.queue_start == 1:
            exchange(small, "more " * 60)
    assert small.queue_start == cut
    assert small.summary == ready


def test_a_late_summary_is_put_in_when_it_arrives(small: Agent, serve_model: ServeModel) -> None:
    server = serve_model(talkative)
    for number in range(12):
        exchange(small, f"number {number} " + "and more " * 60)
    assert small.queue_start > 1
    summarise(small, small.queue_start)
    small.refresh_from_db()
    assert small.summary and small.summary.covers_to == small.queue_start
    exchange(small, "hello again")
    head = [r for r in server.requests if "tools" in r][-1]["messages"][1]["content"]
    assert "summary_of_earlier_messages" in head and "A summary of what was said." in head


def test_the_new_summary_covers_the_old_one_and_what_was_evicted(small: Agent, serve_model: ServeModel) -> None:
    server = serve_model(talkative)
    for number in range(8):
        exchange(small, f"unicorn{number}")
    summarise(small, 8)
    summarise(small, 14)
    asked = [r["messages"][1]["content"] for r in server.requests if "tools" not in r]
    assert "unicorn0" in asked[0]
    assert "A summary of what was said." in asked[1] and "unicorn0" not in asked[1]


def test_a_failing_summarizer_loses_nothing_and_is_asked_again(small: Agent, serve_model: ServeModel) -> None:
    serve_model(lambda request: talkative(request) if "tools" in request else Answer(status=500))
    with patch("agents.llm.connection.MAX_RETRIES", 0):
        for number in range(12):
            exchange(small, f"number {number} " + "and more " * 60)
        with pytest.raises(LLMError):
            summarise(small, small.queue_start)
    small.refresh_from_db()
    assert small.summary is None and small.messages.filter(kind=Kind.USER_MESSAGE).count() == 12
    with patch("agents.dispatch.summarize") as summarize:
        reap()
    summarize.assert_called_once_with(small.pk, small.queue_start)


def test_the_prompt_never_exceeds_the_window_and_old_facts_are_found(small: Agent, serve_model: ServeModel) -> None:
    server = serve_model(talkative)
    exchange(small, "My grandmother's parrot is called Bartholomew.")
    for number in range(100):
        exchange(small, f"turn {number} " + "chatter " * (number % 7) * 12)
        if number % 5 == 0:
            summarise(small, small.queue_start)
    view = [step.counted_tokens for run in small.runs.all() for step in run.steps.all()]
    assert max(view) <= WINDOW - config_of(small).reply_reserve
    last = [r for r in server.requests if "tools" in r][-1]
    assert "Bartholomew" not in str(last["messages"])
    assert "Bartholomew" in recall_storage.find(small, "what is the parrot called").hits[0].row.content


def test_a_window_too_small_for_the_fixed_sections_is_said_in_plain_words(alice: User, serve_model: ServeModel) -> None:
    serve_model(talkative)
    tiny = make_agent(alice, "Tiny", context_window=2048)
    block = tiny.blocks.get(label="human")
    services.block_edit(block=block, value="dense fact " * 180, from_revision=1, editor=alice)
    services.heartbeat_send(agent=tiny, reason="test")
    services.run_next(agent_id=tiny.pk)
    notice = tiny.messages.get(kind=Kind.NOTICE)
    assert notice.failed and "larger context window" in notice.content


def test_evicting_by_hand_moves_the_same_messages(small: Agent, serve_model: ServeModel) -> None:
    serve_model([say("ok")])
    for number in range(6):
        exchange(small, f"message {number}")
    assert services.queue_flush(agent=small)
    small.refresh_from_db()
    assert small.queue_start > 1
    assert "left the window" in small.messages.get(kind=Kind.NOTICE).content


def test_the_question_stays_in_view_when_a_long_run_pushes_it_out_of_the_queue(
    small: Agent, serve_model: ServeModel
) -> None:
    def brain(request: Request) -> Answer:
        return call("archival_memory_insert", content=f"{len(server.requests)} " + "note " * 400)

    server = serve_model(brain)
    exchange(small, "What about the unicorn?")
    assert small.queue_start > 2
    assert all("unicorn" in str(request["messages"]) for request in server.requests)


def test_a_flush_decided_on_an_old_view_does_not_undo_a_newer_one(small: Agent, serve_model: ServeModel) -> None:
    serve_model(talkative)
    for number in range(6):
        exchange(small, f"message {number}")
    old_view = Agent.objects.get(pk=small.pk)
    messages = fifo_queue.messages_of(old_view)
    assert queue_manager.flush(small, messages)
    summary = Summary.objects.create(agent=small, text="Newer.", covers_to=small.queue_start, tokens=2)
    recursive_summary.adopt(small, summary)
    assert not queue_manager.flush(old_view, messages)
    small.refresh_from_db()
    assert small.summary == summary
