"""Calls that a person is asked about: the run waits, without a worker, and goes on with their answer."""

import json
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from agents import doctor, maintenance, runs, selectors, services
from agents.exceptions import InvalidInput
from agents.functions import installed
from agents.llm.scripted import Answer, Request, call, last_event, say
from agents.models import Agent, FunctionSource, InstalledFunction, Message, OutsideCall, Run
from agents.prompts import CALL_EXPIRED, CALL_NOT_MADE
from agents.services.runs import MOST_CLAIMS
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
pytestmark = pytest.mark.django_db


@pytest.fixture
def asking(agent: Agent) -> Agent:
    """Its function `pay` asks first, `look` does not."""
    source = FunctionSource.objects.create(name="bank.py", place={"file": "bank.py"})
    InstalledFunction.objects.create(source=source, name="pay", ask_first=True)
    InstalledFunction.objects.create(source=source, name="look")
    for name in ("pay", "look"):
        services.function_switch(agent=agent, name=name, on=True)
    return agent


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that were made."""
    calls: list[str] = []

    def make(self: installed.OutsideFunction, arguments: str, **_: object) -> str:
        calls.append(f"{self.row.name} {arguments}")
        return "Paid."

    monkeypatch.setattr(installed.OutsideFunction, "call", make)
    return calls


def results(agent: Agent) -> list[str]:
    rows = agent.messages.filter(kind=Kind.FUNCTION_RESULT).exclude(function="send_message").order_by("seq")
    return [json.loads(row.content)["message"] for row in rows]


def asked(agent: Agent) -> list[OutsideCall]:
    return list(selectors.calls_asked(agent))


def work(agent: Agent) -> None:
    while services.run_next(agent_id=agent.pk):
        pass


def test_a_run_waits_for_a_yes_and_goes_on_with_it(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5), say("I have paid.")])
    run = exchange(asking, "Pay five.")
    assert run.status == Run.Status.WAITING and run.lease_token is None and not made
    (waiting,) = asked(asking)
    assert (waiting.function, json.loads(waiting.arguments)) == ("pay", {"euros": 5})
    services.call_approve(call=waiting)
    assert asked(asking) == []
    work(asking)
    run.refresh_from_db()
    assert run.status == Run.Status.DONE and made == ['pay {"euros": 5}'] and results(asking) == ["Paid."]
    assert asking.ask_first == ["pay"]


def test_a_no_is_told_with_its_reason(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5), say("As you like.")])
    exchange(asking, "Pay five.")
    services.call_deny(call=asked(asking)[0], reason="Too  much.\x00")
    work(asking)
    assert not made and "did not allow this call" in results(asking)[0] and "Too  much." in results(asking)[0]


def test_always_asks_no_more(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5), call("pay", euros=6), say("Done.")])
    exchange(asking, "Pay twice.")
    services.call_approve(call=asked(asking)[0], always=True)
    work(asking)
    asking.refresh_from_db()
    assert made == ['pay {"euros": 5}', 'pay {"euros": 6}'] and asking.ask_first == []


def test_several_calls_wait_for_all_their_answers(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    calls = (("look", "{}"), ("pay", '{"euros": 1}'), ("pay", '{"euros": 2}'))
    serve_model([Answer(calls=calls), say("Done.")])
    exchange(asking, "Look, and pay twice.")
    first, second = asked(asking)
    assert not made
    services.call_deny(call=first)
    work(asking)
    assert not made and asked(asking) == [second]
    services.call_approve(call=second)
    work(asking)
    assert made == ["look {}", 'pay {"euros": 2}'] and len(results(asking)) == 3


def test_a_message_sent_meanwhile_waits_its_turn(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    def brain(request: Request) -> Answer:
        event = last_event(request)
        text = str(event.get("message"))
        return call("pay", euros=5) if text == "Pay." else say(f"re: {text}")

    serve_model(brain)
    exchange(asking, "Pay.")
    later = exchange(asking, "Hello?")
    assert later.status == Run.Status.QUEUED
    assert asking.pk not in set(runs.agents_to_wake(timezone.now() + timedelta(hours=1)))
    services.call_approve(call=asked(asking)[0])
    work(asking)
    replies = asking.messages.filter(kind=Kind.ASSISTANT).exclude(content="").order_by("seq")
    assert [row.content for row in replies] == ["re: Paid.", "re: Hello?"]


def test_nobody_answers(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5), say("Nobody said anything.")])
    exchange(asking, "Pay.")
    maintenance.reap()
    assert len(asked(asking)) == 1
    OutsideCall.objects.update(asked_at=timezone.now() - timedelta(days=2))
    maintenance.reap()
    work(asking)
    assert not made and results(asking) == [CALL_EXPIRED]


def test_stop_while_it_waits(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5)])
    run = exchange(asking, "Pay.")
    call_row = asked(asking)[0]
    services.run_cancel(agent=asking)
    with pytest.raises(InvalidInput, match="waits for nobody"):
        services.call_approve(call=call_row)
    work(asking)
    run.refresh_from_db()
    assert run.status == Run.Status.STOPPED and not made and results(asking) == [CALL_NOT_MADE]


def test_an_answer_counts_once(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5), say("Done.")])
    exchange(asking, "Pay.")
    waiting = asked(asking)[0]
    services.call_deny(call=waiting)
    for again in (services.call_approve, services.call_deny):
        with pytest.raises(InvalidInput, match="waits for nobody"):
            again(call=waiting)
    work(asking)
    with pytest.raises(InvalidInput):
        services.call_approve(call=waiting)
    assert not made
    with pytest.raises(InvalidInput, match="at most"):
        services.call_deny(call=waiting, reason="x" * 1001)


def test_a_worker_that_dies_after_the_yes_asks_nobody_again(
    asking: Agent, made: list[str], serve_model: ServeModel
) -> None:
    serve_model([call("pay", euros=5), say("Done.")])
    run = exchange(asking, "Pay.")
    services.call_approve(call=asked(asking)[0])
    with patch("agents.outside_calls._begin", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        services.run_next(agent_id=asking.pk)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    work(asking)
    run.refresh_from_db()
    assert run.status == Run.Status.DONE and made == ['pay {"euros": 5}']


def test_waiting_is_no_interruption(asking: Agent, made: list[str], serve_model: ServeModel) -> None:
    times = MOST_CLAIMS + 2
    serve_model([*(call("pay", euros=euros) for euros in range(times)), say("Done.")])
    run = exchange(asking, "Pay often.")
    for _time in range(times):
        services.call_approve(call=asked(asking)[0])
        work(asking)
    run.refresh_from_db()
    assert run.status == Run.Status.DONE and len(made) == times


def test_the_last_turn_cannot_be_taken_back_meanwhile(asking: Agent, serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5)])
    exchange(asking, "Pay.")
    assert runs.is_at_work(asking)


def test_only_functions_of_ones_own_ask(asking: Agent) -> None:
    with pytest.raises(InvalidInput):
        services.function_ask_first(agent=asking, name="core_memory_append", ask=True)
    services.function_ask_first(agent=asking, name="look", ask=True)
    assert asking.ask_first == ["look", "pay"]
    services.function_switch(agent=asking, name="look", on=False)
    assert asking.ask_first == ["pay"]


def test_what_was_done_outside_cannot_be_taken_back_and_that_is_told(
    asking: Agent, made: list[str], serve_model: ServeModel
) -> None:
    serve_model([call("look"), say("Looked."), say("Again.")])
    exchange(asking, "Look.")
    services.turn_retry(agent=asking, hand=services.Hand(asking.owner))
    work(asking)
    (notice,) = asking.messages.filter(kind=Kind.NOTICE, retracted_at=None)
    assert "had called look" in notice.content and made == ["look {}"]
    services.turn_delete(agent=asking, hand=services.Hand(asking.owner))
    assert asking.messages.filter(kind=Kind.NOTICE, retracted_at=None).count() <= 1


def test_a_call_that_waits_breaks_no_rule(asking: Agent, serve_model: ServeModel) -> None:
    serve_model([call("pay", euros=5)])
    exchange(asking, "Pay.")
    rules = {rule.name: rule for rule in doctor.RULES}
    assert list(rules["a call has one result"].look()) == []
    Run.objects.update(status=Run.Status.DONE)
    assert len(list(rules["a call has one result"].look())) == 1
