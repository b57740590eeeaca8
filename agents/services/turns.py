"""Steering: taking back the last turn with its memory writes, trying it again, editing it.

What is taken back leaves every prompt and every search at once. Block edits and passages of the steps that go, go with
them; a block that somebody else edited since is left to the person, who is shown both texts (RollbackConflict).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import queue_manager, runs, selectors
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged, TimelineCut
from agents.exceptions import Conflict, InvalidInput, RollbackConflict
from agents.external_context import archival_storage
from agents.main_context import working_context
from agents.main_context.working_context import Editor
from agents.models import Agent, Block, BlockRevision, Message, OutsideCall, Passage, Run
from agents.services.messages import message_send

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

POPPED = 3  # messages that `/pop` takes back by default: what was said, the thought, the result


@dataclass(frozen=True)
class Keep:
    """The person's choice for a block in conflict: it stays as it is now."""


@dataclass(frozen=True)
class PutBack:
    """The person's choice for a block in conflict: it says again what it said before, if it is still at `revision`."""

    revision: int


Choices = Mapping[int, Keep | PutBack]  # by block id


@dataclass(frozen=True)
class _Rollback:
    block: Block
    before: BlockRevision
    conflict: Conflict | None


@dataclass(frozen=True)
class Hand:
    """Whose hand takes something back, and what they chose for blocks in conflict."""

    person: "User"
    choices: Choices = field(default_factory=dict)


def run_retry(*, run: Run, hand: Hand) -> Run:
    """Try a failed or stopped run again; a second press makes no second run.

    The run of the last turn starts from what set it off, and what it had done is taken back. Raises InvalidInput,
    RollbackConflict.
    """
    if run.status not in (Run.Status.FAILED, Run.Status.STOPPED):
        raise InvalidInput(_("Only a run that failed or was stopped can be tried again."))
    return _again(run, hand)


def turn_retry(*, agent: Agent, hand: Hand, event: int | None = None) -> Run:
    """Take back what the last turn came to and have it answered anew; a second press makes no second run.

    `event` is the id of the message that began the turn, as the person saw it. Raises InvalidInput, RollbackConflict.
    """
    begun_by = _last_turn(agent, event)
    run = begun_by.triggered.order_by("-id").first()
    assert run is not None  # _last_turn looked for one
    return run if run.status == Run.Status.QUEUED else _again(run, hand)


def _again(run: Run, hand: Hand) -> Run:
    key = f"retry-{run.pk}"
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=run.agent_id)  # two presses, one after the other
        if already := Run.objects.filter(agent=run.agent_id, idempotency_key=key).first():
            return already
        agent = _hold(run.agent)
        last = selectors.last_turn(agent)
        event = run.event if last and run.event_id == last.pk else None
        again = runs.queue(agent, Run.Trigger.RETRY, event=event, key=key)
        if event and event.seq:
            _retract(agent, event.seq + 1, hand)
        return again


def turn_edit(*, agent: Agent, text: str, hand: Hand, event: int | None = None) -> Run:
    """Put another message in the place of the last one. Raises InvalidInput, RollbackConflict; nothing is lost then."""
    with transaction.atomic():
        agent = _hold(agent)
        begun_by = _last_turn(agent, event)
        if begun_by.kind != Message.Kind.USER_MESSAGE:
            raise InvalidInput(_("The last turn was not begun by a message of yours."))
        _retract(agent, begun_by.seq or 0, hand)
        return message_send(agent=agent, text=text, kept=begun_by.pictures)


def turn_delete(*, agent: Agent, hand: Hand, event: int | None = None) -> int:
    """Take back the last turn; returns how many messages went. Raises InvalidInput, RollbackConflict."""
    with transaction.atomic():
        agent = _hold(agent)
        return _retract(agent, _last_turn(agent, event).seq or 0, hand)


def messages_pop(*, agent: Agent, count: int, hand: Hand) -> int:
    """Take back the last `count` messages, whole steps at a time; returns how many went. Raises as `turn_delete`."""
    if count < 1:
        raise InvalidInput(_("Say how many messages to take back, from 1."))
    with transaction.atomic():
        agent = _hold(agent)
        rows = _present(agent).exclude(kind=Message.Kind.NOTICE).order_by("-seq").only("seq", "kind")
        last = list(rows[:count])
        if not last:
            raise InvalidInput(_("There is nothing to take back."))
        oldest = last[-1]
        if oldest.kind == Message.Kind.FUNCTION_RESULT:  # never a call without its result
            oldest = rows.filter(seq__lt=oldest.seq, kind=Message.Kind.ASSISTANT).first() or oldest
        return _retract(agent, oldest.seq or 0, hand)


def messages_reset(*, agent: Agent) -> int:
    """Take back the whole conversation, keep what it wrote to memory; returns how many went. Raises InvalidInput."""
    with transaction.atomic():
        agent = _hold(agent)
        agent.runs.filter(status=Run.Status.QUEUED).delete()
        count = _present(agent).update(retracted_at=timezone.now())
        agent.summaries.all().delete()
        agent.summary, agent.queue_start, agent.pressure_alerted = None, agent.next_seq, False
        _save_cut(agent, from_seq=1)
    return count


def turn_retract(*, agent: Agent, from_seq: int, hand: Hand) -> int:
    """Take back everything from `from_seq` on; returns how many messages. Raises InvalidInput, RollbackConflict."""
    with transaction.atomic():
        return _retract(_hold(agent), from_seq, hand)


def _last_turn(agent: Agent, expected: int | None) -> Message:
    event = selectors.last_turn(agent)
    if event is None:
        raise InvalidInput(_("There is nothing to take back."))
    if expected is not None and event.pk != expected:
        raise InvalidInput(_("That is not the last turn any more."))
    return event


def _present(agent: Agent) -> "QuerySet[Message]":
    return agent.messages.filter(seq__isnull=False, retracted_at=None)


def _hold(agent: Agent) -> Agent:
    """The agent's row, locked until the transaction ends, so that no worker claims a run. Raises InvalidInput."""
    agent.refresh_from_db(from_queryset=Agent.objects.select_for_update(no_key=True).select_related(None))
    if runs.is_at_work(agent):
        raise InvalidInput(_("%(agent)s is at work. Stop that first.") % {"agent": agent.name})
    if selectors.waiting(agent).exists():
        raise InvalidInput(_("Messages are waiting. Withdraw them first, or let them be answered."))
    return agent


def _retract(agent: Agent, from_seq: int, hand: Hand) -> int:
    """Of an agent that is held."""
    agent.runs.filter(status=Run.Status.QUEUED, event__seq__gte=from_seq).delete()  # a retry of what goes
    messages = _present(agent).filter(seq__gte=from_seq)
    steps = set(messages.filter(step__isnull=False).values_list("step", flat=True))
    _roll_back_blocks(agent, steps, hand)
    now = timezone.now()
    # its own archive alone: an agent made from a checkpoint shares steps with the one it comes from
    if Passage.objects.filter(step__in=steps, archive=agent.archive_id, retracted_at=None).update(retracted_at=now):
        archival_storage.announce(agent.archive)
    if messages.filter(kind=Message.Kind.SYSTEM_ALERT).exists():
        agent.pressure_alerted = False
    count = messages.update(retracted_at=now)
    _turn_back_window(agent, from_seq)
    _save_cut(agent, from_seq)
    _tell_what_stays(agent, steps)
    return count


def _tell_what_stays(agent: Agent, steps: set[int]) -> None:
    """What functions did outside of memweb cannot be taken back: the person has to know."""
    calls = OutsideCall.objects.filter(step__in=steps).exclude(begun_at=None)
    names = sorted(set(calls.values_list("function", flat=True)))
    if names:
        text = _("What was taken back had called %(functions)s. What that did outside of memweb stays done.")
        content = text % {"functions": ", ".join(names)}
        queue_manager.append(agent, Message(kind=Message.Kind.NOTICE, content=content, created_at=timezone.now()))


def _save_cut(agent: Agent, from_seq: int) -> None:
    """Keep the agent's new window, and tell pages that the timeline ends before `from_seq`."""
    agent.timeline_version += 1
    agent.save(update_fields=["pressure_alerted", "queue_start", "summary", "timeline_version"])
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, TimelineCut(from_seq, agent.next_seq - 1, agent.timeline_version))
    bus.publish_on_commit(group, ContextChanged())


def _turn_back_window(agent: Agent, from_seq: int) -> None:
    """No summary may cover what was taken back: the last one that does not is the queue's head again."""
    agent.summaries.filter(covers_to__gt=from_seq).delete()
    if agent.queue_start > from_seq:
        agent.summary = agent.summaries.first()
        agent.queue_start = agent.summary.covers_to if agent.summary else 1


def _roll_back_blocks(agent: Agent, steps: set[int], hand: Hand) -> None:
    touched = BlockRevision.objects.filter(step__in=steps, agent=agent).values("block")
    locked = Block.objects.select_for_update(no_key=True).filter(pk__in=touched).order_by("pk")
    plans = [plan for block in locked if (plan := _plan(block, steps))]
    open_questions = [p.conflict for p in plans if p.conflict and p.block.pk not in hand.choices]
    if open_questions:
        raise RollbackConflict(open_questions)
    for plan in plans:
        choice = hand.choices.get(plan.block.pk)
        if plan.conflict and isinstance(choice, Keep):
            continue
        from_revision = choice.revision if plan.conflict and isinstance(choice, PutBack) else plan.block.revision
        editor = Editor(user=hand.person, restores=plan.before.number, rollback=True)
        working_context.write(block=plan.block, value=plan.before.value, from_revision=from_revision, editor=editor)


def _plan(block: Block, steps: set[int]) -> _Rollback | None:
    """What to do with one block; None if nothing of these steps stands in it."""
    revisions = _standing(block)
    first = next((index for index, revision in enumerate(revisions) if revision.step_id in steps), None)
    if first is None:
        return None
    before = revisions[max(first - 1, 0)]
    if block.value == before.value:
        return None
    others = [revision for revision in revisions[first:] if revision.step_id not in steps]
    conflict = Conflict(block.pk, block.label, block.value, block.revision, before.value) if others else None
    return _Rollback(block, before, conflict)


def _standing(block: Block) -> list[BlockRevision]:
    """The revisions that count, oldest first: without those that were taken back, and without the taking back."""
    standing: list[BlockRevision] = []
    for revision in block.revisions.order_by("number"):
        if revision.editor == BlockRevision.Editor.ROLLBACK:
            standing = [earlier for earlier in standing if earlier.number <= (revision.restores or 0)]
        else:
            standing.append(revision)
    return standing
