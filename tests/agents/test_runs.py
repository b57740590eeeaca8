"""Runs: in order, one at a time, taken up again after a crash, stopped, failed and tried again."""

import math
import socket
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import agent_loop, maintenance, runs, services
from agents.exceptions import InvalidInput, LeaseLost, RunCancelled
from agents.llm.scripted import Answer, Request, call, last_event, say
from agents.models import Agent, Message, Run
from agents.runs import Lease
from agents.services import Hand
from memweb.stack.signs import this_machine
from tests.conftest import ServeModel, exchange, make_agent

Kind = Message.Kind
Status = Run.Status


def timeline(agent: Agent) -> list[tuple[str, str]]:
    rows = agent.messages.filter(seq__gt=1).exclude(kind=Kind.FUNCTION_RESULT).order_by("seq")
    return [(row.kind, row.content) for row in rows]


def echo(request: Request) -> Answer:
    return say(f"re: {last_event(request)['message']}")


def test_two_messages_at_once_are_answered_in_order(agent: Agent, serve_model: ServeModel) -> None:
    serve_model(echo)
    services.message_send(agent=agent, text="first")
    services.message_send(agent=agent, text="second")
    while services.run_next(agent_id=agent.pk):
        pass
    assert timeline(agent) == [
        ("user_message", "first"),
        ("assistant", "re: first"),
        ("user_message", "second"),
        ("assistant", "re: second"),
    ]


def anybody_waits_for_a_row() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("waiting", [1, 2])
def test_a_worker_looks_for_another_run_only_where_one_waits(
    agent: Agent, serve_model: ServeModel, waiting: int
) -> None:
    serve_model(echo)
    for number in range(waiting):
        services.message_send(agent=agent, text=f"message {number}")
    assert services.run_next(agent_id=agent.pk) is (waiting > 1)


@pytest.mark.django_db(transaction=True)
def test_a_message_that_comes_while_a_run_is_committed_is_not_forgotten(
    agent: Agent, serve_model: ServeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own worker finds the agent busy, and the one that commits has looked already whether another run waits."""
    serve_model(echo)
    finished, sent, finish = threading.Event(), threading.Event(), runs.finish

    def finish_slowly(*arguments: Any, **named: Any) -> bool:
        others_wait = finish(*arguments, **named)
        finished.set()
        sent.wait(60)
        return others_wait

    def work() -> None:
        while services.run_next(agent_id=agent.pk):
            pass
        connection.close()

    services.message_send(agent=agent, text="first")
    monkeypatch.setattr(runs, "finish", finish_slowly)
    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(work)
        assert finished.wait(60)
        monkeypatch.undo()
        services.message_send(agent=agent, text="second")
        second = workers.submit(work)
        while not (second.done() or anybody_waits_for_a_row()):
            time.sleep(0.01)
        sent.set()
        first.result(60), second.result(60)
    assert timeline(agent)[-1] == ("assistant", "re: second")


def test_the_same_key_makes_no_second_run(agent: Agent) -> None:
    first = services.message_send(agent=agent, text="hi", idempotency_key="abc")
    again = services.message_send(agent=agent, text="hi", idempotency_key="abc")
    assert first == again
    assert agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 1


def test_another_agent_may_use_the_same_key(agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Otto")
    assert services.message_send(agent=agent, text="a", idempotency_key="k").agent == agent
    assert services.message_send(agent=other, text="b", idempotency_key="k").agent == other


def test_two_running_runs_of_one_agent_cannot_exist(agent: Agent) -> None:
    Run.objects.create(agent=agent, status=Status.RUNNING, idempotency_key="1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(agent=agent, status=Status.RUNNING, idempotency_key="2")


def test_a_second_worker_leaves_a_held_run_alone(agent: Agent) -> None:
    services.message_send(agent=agent, text="hi")
    assert runs.claim(agent.pk) is not None
    assert services.run_next(agent_id=agent.pk) is False


def crash(agent: Agent) -> Run:
    """As if the worker that holds the run had died: the lease runs out."""
    run = agent.runs.get(status=Status.RUNNING)
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    return run


def test_a_run_of_a_dead_worker_goes_on_at_its_first_missing_step(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([call("core_memory_append", label="human", content="Name: Ann."), say("Hi Ann.")])
    services.message_send(agent=agent, text="I am Ann.")
    run = runs.claim(agent.pk)
    assert run and run.lease_token
    next(agent_loop.run(run, lease=Lease(run.pk, run.lease_token)))  # one step, then the worker dies
    crash(agent)
    services.run_next(agent_id=agent.pk)
    assert len(server.requests) == 2
    assert agent.blocks.get(label="human").value == "We have just met.\nName: Ann."
    assert timeline(agent)[-1] == ("assistant", "Hi Ann.")
    assert list(run.steps.values_list("number", flat=True)) == [1, 2]


def test_a_worker_that_lost_its_lease_commits_nothing(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("too late")])
    services.message_send(agent=agent, text="hi")
    run = runs.claim(agent.pk)
    assert run and run.lease_token
    Run.objects.filter(pk=run.pk).update(lease_token=uuid.uuid4())
    with pytest.raises(LeaseLost):
        list(agent_loop.run(run, lease=Lease(run.pk, run.lease_token)))
    assert timeline(agent) == [("user_message", "hi")]
    assert run.steps.count() == 0


def test_the_reaper_enqueues_what_a_dead_worker_held_and_what_was_missed(agent: Agent, alice: User) -> None:
    services.message_send(agent=agent, text="hi")
    runs.claim(agent.pk)
    crash(agent)
    other = make_agent(alice, "Otto")
    missed = services.message_send(agent=other, text="hi")
    Run.objects.filter(pk=missed.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    with patch("agents.dispatch.run_agent") as run_agent:
        maintenance.reap()
    assert {call.args[0] for call in run_agent.call_args_list} == {agent.pk, other.pk}


def test_an_agent_is_woken_once_by_all_who_look(agent: Agent) -> None:
    """Every worker looks, every few seconds, also while all of them are busy."""
    services.message_send(agent=agent, text="hi")
    Run.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    with patch("agents.dispatch.run_agent") as run_agent:
        maintenance.look_after_runs()
        maintenance.look_after_runs()
    run_agent.assert_called_once_with(agent.pk)


def test_what_is_unfinished_is_found_without_reading_what_is_over(agent: Agent) -> None:
    """However long an agent's history: each claim asks for its runs that wait or are at work."""
    Run.objects.bulk_create(
        Run(agent=agent, trigger="user_message", status=Status.DONE, idempotency_key=str(n)) for n in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_run")
        for sql, parameters in ((runs.NEXT_RUN_SQL, [agent.pk]), (runs.TO_WAKE_SQL, [timezone.now()] * 3)):
            cursor.execute(f"EXPLAIN {sql}", parameters)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan on agents_run" not in plan and "run_unfinished" in plan, plan
            assert "run_newest" not in plan, plan


def test_the_reaper_leaves_running_runs_alone(agent: Agent) -> None:
    services.message_send(agent=agent, text="hi")
    runs.claim(agent.pk)
    with patch("agents.dispatch.run_agent") as run_agent:
        maintenance.reap()
    run_agent.assert_not_called()


def test_a_failure_for_good_keeps_the_message_and_can_be_tried_again(agent: Agent, serve_model: ServeModel) -> None:
    broken = True
    serve_model(lambda request: Answer(status=401) if broken else say("Now it works."))
    run = exchange(agent, "hi")
    assert run.status == Status.FAILED and "refused the key" in run.error
    notice = agent.messages.get(kind=Kind.NOTICE)
    assert notice.failed and notice.run == run
    broken = False
    again = services.run_retry(run=run, hand=Hand(agent.owner))
    assert services.run_retry(run=run, hand=Hand(agent.owner)) == again
    services.run_next(agent_id=agent.pk)
    assert [text for kind, text in timeline(agent) if kind != Kind.NOTICE] == ["hi", "Now it works."]


def test_a_failed_run_does_not_swallow_the_next_message(agent: Agent, serve_model: ServeModel) -> None:
    answers = iter([Answer(status=401), say("second answer")])
    serve_model(lambda request: next(answers))
    exchange(agent, "first")
    exchange(agent, "second")
    assert timeline(agent)[-1] == ("assistant", "second answer")


def test_a_finished_run_cannot_be_tried_again(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("fine")])
    with pytest.raises(InvalidInput):
        services.run_retry(run=exchange(agent, "hi"), hand=Hand(agent.owner))


def test_an_answer_that_breaks_off_is_asked_for_again(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("half an answer that breaks", drop_after=4), say("A whole answer.")])
    run = exchange(agent, "hi")
    assert [text for kind, text in timeline(agent) if kind == Kind.ASSISTANT and text] == ["A whole answer."]
    assert run.steps.count() == 1


def test_an_answer_that_always_breaks_off_fails_with_the_reason(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("half an answer that breaks", drop_after=4)])
    run = exchange(agent, "hi")
    assert run.status == Status.FAILED and "in the middle of a call" in run.error


def test_an_overflow_the_server_reports_evicts_and_tries_again(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("ok")])
    for number in range(5):
        exchange(agent, f"message {number}")
    too_long = Answer(status=400, body='{"error": {"message": "maximum context length exceeded"}}')
    serve_model([too_long, say("Fits now.")])
    run = exchange(agent, "one more")
    assert run.status == Status.DONE
    assert agent.queue_start > 1
    assert ("assistant", "Fits now.") in timeline(agent)


def test_an_overflow_that_stays_fails_with_the_reason(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([Answer(status=400, body='{"error": {"message": "maximum context length exceeded"}}')])
    run = exchange(agent, "hi")
    assert run.status == Status.FAILED and "too long" in run.error


def test_stop_keeps_the_partial_reply_marked(agent: Agent, serve_model: ServeModel) -> None:
    services.message_send(agent=agent, text="a story")
    run = runs.claim(agent.pk)
    assert run and run.lease_token
    services.run_cancel(agent=agent)
    lease = Lease(run.pk, run.lease_token)
    lease.checked_at = math.inf  # nobody looks for Stop until the model has been asked, and its words have come

    def asked(_request: Request) -> Answer:
        lease.checked_at = time.monotonic()
        return say("Once upon a time there was a keeper", piece=4, hang_after=14)

    server = serve_model(asked)
    with patch("agents.runs.CHECK_SECONDS", 1.5):
        list(agent_loop.run(run, lease=lease))
    run.refresh_from_db()
    stopped = agent.messages.get(kind=Kind.ASSISTANT)
    assert run.status == Status.STOPPED and stopped.stopped
    assert stopped.content and "Once upon a time".startswith(stopped.content[:8])
    assert server.left.wait(5)


def test_a_stopped_run_can_be_tried_again(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("All of it.")])
    run = Run.objects.create(agent=agent, status=Status.STOPPED, idempotency_key="x")
    services.run_retry(run=run, hand=Hand(agent.owner))
    services.run_next(agent_id=agent.pk)
    assert timeline(agent)[-1] == ("assistant", "All of it.")


def test_our_own_fault_fails_the_run_and_is_raised(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("hi")])
    run = services.message_send(agent=agent, text="hi")
    with patch("agents.function_executor.execute", side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        services.run_next(agent_id=agent.pk)
    run.refresh_from_db()
    assert run.status == Status.FAILED and "memweb itself failed" in run.error


def test_a_quiet_agent_gets_its_timed_heartbeat_unless_paused(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("pause_heartbeats", heartbeat=False, minutes=30)])
    an_hour_ago = timezone.now() - timedelta(hours=1)
    Agent.objects.filter(pk=agent.pk).update(heartbeat_minutes=5, last_active_at=an_hour_ago)
    maintenance.reap()
    services.run_next(agent_id=agent.pk)
    assert timeline(agent)[0][0] == "heartbeat"
    Agent.objects.filter(pk=agent.pk).update(last_active_at=an_hour_ago)
    maintenance.reap()
    assert agent.runs.count() == 1


def test_two_reapers_send_one_timed_heartbeat(agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(heartbeat_minutes=5, last_active_at=timezone.now() - timedelta(hours=1))
    agent.refresh_from_db()
    with patch("agents.maintenance._quiet", return_value=[agent]):  # both looked before one of them wrote
        maintenance.reap()
        maintenance.reap()
    assert agent.runs.count() == 1


def test_deleting_an_agent_in_the_middle_of_a_run_ends_the_run(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("hi")])
    services.message_send(agent=agent, text="hi")
    run = runs.claim(agent.pk)
    assert run and run.lease_token
    services.agent_delete(agent=agent)
    with pytest.raises(LeaseLost):
        Lease(run.pk, run.lease_token).check()
    assert not Agent.objects.exists()


@pytest.mark.parametrize("text", ["", "   \n ", "\x00"])
def test_an_empty_message_is_refused(agent: Agent, text: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        services.message_send(agent=agent, text=text)


def test_a_message_larger_than_the_window_is_refused_with_figures(agent: Agent) -> None:
    with pytest.raises(InvalidInput, match=r"tokens; with this context window at most"):
        services.message_send(agent=agent, text="word " * 20_000)
    assert not agent.runs.exists()


def test_a_visit_after_hours_is_noted_in_the_queue(agent: Agent) -> None:
    services.agent_visit(agent=agent)
    assert agent.messages.filter(kind=Kind.LOGIN).count() == 1
    agent.last_active_at = timezone.now() - timedelta(hours=7)
    services.agent_visit(agent=agent)
    assert agent.messages.filter(kind=Kind.LOGIN).count() == 2


def test_the_same_key_with_another_text_is_another_message(agent: Agent) -> None:
    services.message_send(agent=agent, text="first words", idempotency_key="abc")
    services.message_send(agent=agent, text="first words, mended", idempotency_key="abc")
    assert agent.messages.filter(kind=Kind.USER_MESSAGE).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_claimer_never_waits_for_a_worker_that_is_committing(agent: Agent) -> None:
    """Its lease may have run out while a function took long; the run's row is locked then."""
    services.message_send(agent=agent, text="hi")
    runs.claim(agent.pk)
    run = crash(agent)
    claimed: list[Run | None] = []

    def claim() -> None:
        claimed.append(runs.claim(agent.pk))
        connection.close()

    with transaction.atomic():
        Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join(10)
        assert claimed == [None]


def test_all_leases_of_a_process_are_renewed_in_one_statement(agent: Agent, alice: User) -> None:
    held = []
    for one in (agent, make_agent(alice, "Ada"), make_agent(alice, "Otto")):
        services.message_send(agent=one, text="hi")
        run = runs.claim(one.pk)
        assert run and run.lease_token
        held.append(Lease(run.pk, run.lease_token))
    first, stopped, taken = held
    services.run_cancel(agent=Agent.objects.get(name="Ada"))
    Run.objects.filter(pk=taken.run_id).update(lease_token=uuid.uuid4())
    Run.objects.filter(pk=first.run_id).update(lease_until=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        first.check()
    assert len(queries) == 1
    renewed = Run.objects.get(pk=first.run_id).lease_until
    assert renewed and renewed > timezone.now() + timedelta(seconds=5)
    with pytest.raises(RunCancelled):
        stopped.check()
    with pytest.raises(LeaseLost):
        taken.check()
    first.check()
    assert len(queries) == 1  # nobody looks again within half a second


# Interruptions that are no fault of the run


def test_a_database_that_goes_away_fails_no_run(agent: Agent, serve_model: ServeModel, monkeypatch: Any) -> None:
    serve_model([say("Here I am.")])
    services.message_send(agent=agent, text="hi")
    monkeypatch.setattr("agents.queue_manager.admit", Mock(side_effect=OperationalError("terminated")))
    assert services.run_next(agent_id=agent.pk) is False
    run = agent.runs.get()
    assert (run.status, run.error) == (Status.RUNNING, "")
    assert run.lease_until and run.lease_until <= timezone.now()  # anybody may go on with it at once
    monkeypatch.undo()
    services.run_next(agent_id=agent.pk)
    assert timeline(agent) == [("user_message", "hi"), ("assistant", "Here I am.")]


def test_a_run_that_is_interrupted_again_and_again_is_given_up(agent: Agent, serve_model: ServeModel) -> None:
    server = serve_model([say("never")])
    services.message_send(agent=agent, text="hi")
    agent.runs.update(claims=20)
    services.run_next(agent_id=agent.pk)
    assert agent.runs.get().status == Status.FAILED
    assert "interrupted 20 times" in timeline(agent)[-1][1]
    assert server.requests == []


def test_what_a_dead_process_of_this_machine_held_is_freed(agent: Agent) -> None:
    services.message_send(agent=agent, text="hi")
    run = runs.claim(agent.pk)
    assert run
    assert set(runs.let_go_of_the_dead()) == set()  # this process is alive
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    Run.objects.filter(pk=run.pk).update(held_by=f"{this_machine()}/{dead.pid}")
    assert set(runs.let_go_of_the_dead()) == {agent.pk}
    assert runs.claim(agent.pk) is not None
    for elsewhere in ("elsewhere", socket.gethostname(), f"{this_machine()}0"):  # a host name may be given twice
        held_by = f"{elsewhere}/{dead.pid}"
        Run.objects.filter(pk=run.pk).update(held_by=held_by, lease_until=timezone.now() + timedelta(9))
        assert set(runs.let_go_of_the_dead()) == set()


def test_a_lease_that_cannot_be_renewed_for_a_moment_is_not_lost(agent: Agent, monkeypatch: Any) -> None:
    services.message_send(agent=agent, text="hi")
    run = runs.claim(agent.pk)
    assert run and run.lease_token
    lease = Lease(run.pk, run.lease_token)
    monkeypatch.setattr(runs, "_look", Mock(side_effect=OperationalError("terminated")))
    lease.check()
    monkeypatch.undo()
    lease.checked_at = 0.0
    lease.check()
    assert not lease.lost
