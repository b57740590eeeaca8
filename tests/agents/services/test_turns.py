"""Steering: what is taken back takes its memory writes along, and never what a person wrote since."""

import json

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents import maintenance, selectors, services
from agents.exceptions import InvalidInput, RollbackConflict
from agents.external_context import archival_storage, recall_storage
from agents.llm.gateway import config_of
from agents.llm.scripted import Answer, Request, call, say
from agents.main_context import recursive_summary
from agents.models import Agent, Block, BlockRevision, Message, Run
from agents.services import Hand, Keep, PutBack
from tests.conftest import ServeModel, exchange

Kind = Message.Kind
REMEMBERS = [call("core_memory_append", label="human", content="Name: Ann."), say("Noted.")]
FILES = [call("archival_memory_insert", content="The lamp was lit in 1871."), say("Filed.")]


@pytest.fixture
def hand(alice: User) -> Hand:
    return Hand(alice)


def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def present(agent: Agent) -> list[str]:
    """Kinds in the queue, without the login that begins it."""
    return [m.kind for m in selectors.timeline_before(agent) if m.kind != Kind.LOGIN]


def test_deleting_the_last_turn_takes_its_block_edit_and_its_passage_along(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    serve_model([*REMEMBERS, *FILES])
    exchange(agent, "I am Ann")
    exchange(agent, "File this")
    assert archival_storage.passages_of(agent).count() == 1
    services.turn_delete(agent=agent, hand=hand)
    assert archival_storage.passages_of(agent).count() == 0
    assert human(agent).value == "We have just met.\nName: Ann."
    services.turn_delete(agent=agent, hand=hand)
    assert human(agent).value == "We have just met."
    assert present(agent) == []
    assert not recall_storage.spoken(agent).exists()
    newest = human(agent).revisions.first()
    assert newest and newest.editor == BlockRevision.Editor.ROLLBACK and newest.restores == 1


def test_what_was_taken_back_is_in_no_prompt(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    server = serve_model([say("A secret handshake."), say("Hello.")])
    exchange(agent, "Tell me the secret")
    services.turn_delete(agent=agent, hand=hand)
    exchange(agent, "hi")
    assert "secret" not in json.dumps(server.requests[-1]["messages"])


def test_a_block_that_a_person_edited_since_is_asked_about_with_both_texts(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    serve_model(REMEMBERS)
    exchange(agent, "I am Ann")
    services.block_edit(block=human(agent), value="Name: Anna, mind.", from_revision=2, editor=hand.person)
    with pytest.raises(RollbackConflict) as caught:
        services.turn_delete(agent=agent, hand=hand)
    conflict = caught.value.conflicts[0]
    assert (conflict.current, conflict.before) == ("Name: Anna, mind.", "We have just met.")
    assert present(agent) != []  # nothing half done
    services.turn_delete(agent=agent, hand=Hand(hand.person, {conflict.block: Keep()}))
    assert human(agent).value == "Name: Anna, mind."
    assert present(agent) == []


def test_the_other_choice_puts_the_text_from_before_back(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model(REMEMBERS)
    exchange(agent, "I am Ann")
    services.block_edit(block=human(agent), value="Mine.", from_revision=2, editor=hand.person)
    services.turn_delete(agent=agent, hand=Hand(hand.person, {human(agent).pk: PutBack(3)}))
    assert human(agent).value == "We have just met."


def test_a_choice_made_before_yet_another_edit_is_refused(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model(REMEMBERS)
    exchange(agent, "I am Ann")
    services.block_edit(block=human(agent), value="Mine.", from_revision=2, editor=hand.person)
    services.block_edit(block=human(agent), value="Mine again.", from_revision=3, editor=hand.person)
    with pytest.raises(InvalidInput, match="changed while you were editing"):
        services.turn_delete(agent=agent, hand=Hand(hand.person, {human(agent).pk: PutBack(3)}))
    assert human(agent).value == "Mine again."
    assert present(agent) != []


def test_retry_keeps_the_question_and_answers_it_anew(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    server = serve_model([*REMEMBERS, say("Second try.")])
    exchange(agent, "I am Ann")
    run = services.turn_retry(agent=agent, hand=hand)
    assert human(agent).value == "We have just met."
    services.run_next(agent_id=agent.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.DONE
    assert present(agent) == [Kind.USER_MESSAGE, Kind.ASSISTANT, Kind.FUNCTION_RESULT]
    assert selectors.newest(agent, 2)[1].content == "Second try."
    assert "Noted." not in json.dumps(server.requests[-1]["messages"])


def test_a_turn_can_be_tried_again_and_again(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("One."), say("Two."), say("Three.")])
    exchange(agent, "Count")
    for _ in range(2):
        services.turn_retry(agent=agent, hand=hand)
        services.run_next(agent_id=agent.pk)
    assert [m.content for m in recall_storage.spoken(agent)] == ["Count", "Three."]


def test_editing_the_last_message_replaces_it_and_its_answer(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("To Oslo."), say("To Bergen.")])
    exchange(agent, "Oslo?")
    services.turn_edit(agent=agent, text="Bergen?", hand=hand)
    services.run_next(agent_id=agent.pk)
    assert [m.content for m in recall_storage.spoken(agent)] == ["Bergen?", "To Bergen."]


def test_an_edit_that_cannot_be_taken_loses_nothing(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("To Oslo.")])
    exchange(agent, "Oslo?")
    with pytest.raises(InvalidInput, match="empty"):
        services.turn_edit(agent=agent, text="  ", hand=hand)
    assert [m.content for m in recall_storage.spoken(agent)] == ["Oslo?", "To Oslo."]


def test_pop_never_leaves_a_call_without_its_result(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model(REMEMBERS)
    exchange(agent, "I am Ann")  # message, call, result, reply, result
    assert services.messages_pop(agent=agent, count=1, hand=hand) == 2
    assert present(agent) == [Kind.USER_MESSAGE, Kind.ASSISTANT, Kind.FUNCTION_RESULT]
    assert human(agent).value.endswith("Ann.")
    services.messages_pop(agent=agent, count=3, hand=hand)
    assert human(agent).value == "We have just met."


def test_nothing_is_taken_back_while_the_agent_is_at_work(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("Hi.")])
    exchange(agent, "hi")
    run = services.message_send(agent=agent, text="next")
    with pytest.raises(InvalidInput, match="waiting"):
        services.turn_delete(agent=agent, hand=hand)
    Run.objects.filter(pk=run.pk).update(status=Run.Status.RUNNING)
    with pytest.raises(InvalidInput, match="at work"):
        services.turn_delete(agent=agent, hand=hand)


def test_with_nothing_said_there_is_nothing_to_take_back(agent: Agent, hand: Hand) -> None:
    for take_back in (services.turn_delete, services.turn_retry):
        with pytest.raises(InvalidInput, match="nothing to take back"):
            take_back(agent=agent, hand=hand)


def test_what_had_left_the_window_comes_back_with_the_summary_of_then(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    serve_model([say("Yes.")])
    for number in range(6):
        exchange(agent, f"message {number}")
    first = agent.messages.get(content="message 2")
    services.queue_flush(agent=agent)
    agent.refresh_from_db()
    assert agent.queue_start > (first.seq or 0)
    services.turn_retract(agent=agent, from_seq=first.seq or 0, hand=hand)
    agent.refresh_from_db()
    assert agent.queue_start == 1 and agent.summary is None
    assert [m.content for m in recall_storage.spoken(agent)] == ["message 0", "Yes.", "message 1", "Yes."]


def test_the_exact_prompt_of_a_past_step_survives_edits_and_taking_back(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    server = serve_model([*REMEMBERS, say("Later.")])
    exchange(agent, "I am Ann")
    exchange(agent, "And then?")
    services.reply_rewrite(agent=agent, text="Not what I said.")
    services.turn_delete(agent=agent, hand=hand)
    services.turn_delete(agent=agent, hand=hand)
    services.agent_instruct(agent=agent, text="Be brief.")
    services.block_delete(block=human(agent))
    steps = list(selectors.steps_of(agent).reverse())
    assert len(steps) == len(server.requests) == 3
    for step, request in zip(steps, server.requests, strict=True):
        prompt = selectors.step_view(step).prompt
        assert prompt and prompt.messages() == request["messages"]


def test_a_waiting_message_can_be_withdrawn_until_the_agent_has_it(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([say("Hi.")])
    run = services.message_send(agent=agent, text="never mind")
    assert run.event and services.message_withdraw(message=run.event) == "never mind"
    assert not agent.runs.exists() and not selectors.waiting(agent).exists()
    taken = exchange(agent, "hello")
    assert taken.event
    with pytest.raises(InvalidInput, match="has read"):
        services.message_withdraw(message=taken.event)


def test_a_failed_run_of_the_last_turn_starts_over_without_its_traces(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    refused = Answer(status=401, body='{"error": {"message": "bad key"}}')
    serve_model([REMEMBERS[0], refused, say("Now.")])
    run = exchange(agent, "I am Ann")
    assert run.status == Run.Status.FAILED and human(agent).value.endswith("Ann.")
    services.run_retry(run=run, hand=hand)
    assert human(agent).value == "We have just met."
    services.run_next(agent_id=agent.pk)
    assert [m.content for m in recall_storage.spoken(agent)] == ["I am Ann", "Now."]


@pytest.mark.django_db(transaction=True)
def test_a_summary_of_what_was_taken_back_meanwhile_is_thrown_away(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    def brain(request: Request) -> Answer:
        if "tools" in request:
            return say("Yes.")
        services.turn_delete(agent=Agent.objects.get(pk=agent.pk), hand=hand)  # while the summary is being written
        return Answer(content="They spoke of a secret.")

    serve_model(brain)
    for number in range(4):
        exchange(agent, f"message {number}")
    last = agent.messages.order_by("-seq")[0]
    assert recursive_summary.write(agent, last.seq or 0, config=config_of(agent), searches=()) is None
    assert not agent.summaries.exists()


def test_turns_are_taken_back_one_after_the_other_without_a_question(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    serve_model([*REMEMBERS, call("core_memory_append", label="human", content="Lives in Porto."), say("Noted too.")])
    exchange(agent, "I am Ann")
    exchange(agent, "I live in Porto")
    assert human(agent).value == "We have just met.\nName: Ann.\nLives in Porto."
    services.turn_delete(agent=agent, hand=hand)
    assert human(agent).value == "We have just met.\nName: Ann."
    services.turn_delete(agent=agent, hand=hand)
    assert human(agent).value == "We have just met."


def test_a_retry_that_waits_goes_with_the_turn_it_is_about(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("One.")])
    exchange(agent, "Count")
    services.turn_retry(agent=agent, hand=hand)
    services.turn_delete(agent=agent, hand=hand)
    assert not agent.runs.filter(status=Run.Status.QUEUED).exists()
    assert not services.run_next(agent_id=agent.pk)


def test_a_turn_that_is_not_the_last_any_more_is_left_alone(agent: Agent, hand: Hand, serve_model: ServeModel) -> None:
    serve_model([say("One."), say("Two.")])
    seen = exchange(agent, "First").event_id
    exchange(agent, "Second")
    for take_back in (services.turn_delete, services.turn_retry):
        with pytest.raises(InvalidInput, match="not the last turn any more"):
            take_back(agent=agent, hand=hand, event=seen)
    assert [m.content for m in recall_storage.spoken(agent)] == ["First", "One.", "Second", "Two."]


def test_pop_keeps_calls_and_results_together_without_steps_too(
    agent: Agent, hand: Hand, serve_model: ServeModel
) -> None:
    serve_model([say("Hello.")])
    exchange(agent, "hi")
    agent.messages.update(step=None)  # as of an imported agent
    assert services.messages_pop(agent=agent, count=1, hand=hand) == 2
    assert present(agent) == [Kind.USER_MESSAGE]


def test_a_passage_that_a_checkpoint_holds_outlives_its_deletion(agent: Agent, hand: Hand) -> None:
    kept = services.passage_add(archive=agent.archive, text="The lamp was lit in 1871.")
    checkpoint = services.checkpoint_create(agent=agent)
    later = services.passage_add(archive=agent.archive, text="It was a Tuesday.")
    services.passages_retract(passages=agent.archive.passages.all())
    agent.archive.passages.update(retracted_at=timezone.now() - 2 * maintenance.REGRET)
    type(checkpoint).objects.update(created_at=timezone.now() - 3 * maintenance.REGRET)
    agent.archive.passages.filter(pk=kept.pk).update(created_at=timezone.now() - 4 * maintenance.REGRET)
    maintenance.reap()
    assert agent.archive.passages.filter(pk=kept.pk).exists()
    services.checkpoint_delete(checkpoint=checkpoint)
    maintenance.reap()
    assert not agent.archive.passages.filter(pk__in=[kept.pk, later.pk]).exists()
