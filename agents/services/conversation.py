"""Messages and runs: what is sent waits in the rows, a worker takes it up from there."""

import contextlib
import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from agents import agent_loop, bus, dispatch, queue_manager, tokens
from agents.events import RunChanged, WaitingChanged
from agents.exceptions import InvalidInput, LeaseLost, LLMError
from agents.external_context import recall_storage
from agents.functions import registry
from agents.language import language_of
from agents.lease import Lease, expiry
from agents.main_context.compile import compile
from agents.models import Agent, Message, Run
from agents.text import typed

LONGEST_MESSAGE = 100_000  # characters, whatever the window
MESSAGE_SHARE = 0.8  # of the room that instructions, functions and core memory leave to the queue


def message_send(*, agent: Agent, text: str, idempotency_key: str = "") -> Run:
    """Take a message and queue its run; the same key with the same text gives the same run. Raises InvalidInput."""
    text = typed(text).strip()
    _check_message(agent, text)
    key = idempotency_key[:64] or uuid.uuid4().hex
    try:
        with transaction.atomic():
            message = Message(agent=agent, kind=Message.Kind.USER_MESSAGE, content=text, created_at=timezone.now())
            recall_storage.index_words(message)
            message.save()
            return queue_run(agent, Run.Trigger.USER_MESSAGE, event=message, key=key)
    except IntegrityError:
        run = Run.objects.select_related("event").get(agent=agent, idempotency_key=key)
        if run.event and run.event.content != text:  # edited since: another message
            return message_send(agent=agent, text=text)
        return run


def _check_message(agent: Agent, text: str) -> None:
    if not text:
        raise InvalidInput(_("The message is empty."))
    if len(text) > LONGEST_MESSAGE:
        sizes = {"tried": f"{len(text):,}", "most": f"{LONGEST_MESSAGE:,}"}
        raise InvalidInput(_("The message has %(tried)s characters; at most %(most)s can be sent at once.") % sizes)
    flush_mark = queue_manager.marks(agent_loop.config_of(agent)).flush
    main = compile(agent, functions=registry.schemas(), budget=flush_mark)
    most = int((flush_mark - main.fixed_tokens) * MESSAGE_SHARE)
    if (spent := tokens.count(text)) > most:
        raise InvalidInput(
            _(
                "The message has %(tried)s tokens; with this context window at most %(most)s fit. "
                "Shorten it, or upload it as a document."
            )
            % {"tried": f"{spent:,}", "most": f"{most:,}"}
        )


def message_withdraw(*, message: Message) -> str:
    """Take back a message that waits for its run; returns its text. Raises InvalidInput if the agent has it already."""
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=message.agent_id)  # a claim holds this lock
        run = Run.objects.filter(event=message, status=Run.Status.QUEUED).first()
        if run is None or message.seq is not None:
            raise InvalidInput(_("%(agent)s has read that message already.") % {"agent": message.agent.name})
        run.delete()
        message.delete()
        bus.publish_on_commit(bus.agent_group(message.agent_id), WaitingChanged())
    return message.content


def heartbeat_send(*, agent: Agent, reason: str) -> Run:
    """Wake the agent without a message."""
    return _wake(agent, Run.Trigger.HEARTBEAT, Message.Kind.HEARTBEAT, reason)


def alert_send(*, agent: Agent, text: str) -> Run:
    """Wake the agent with a system alert."""
    return _wake(agent, Run.Trigger.SYSTEM_ALERT, Message.Kind.SYSTEM_ALERT, text)


def _wake(agent: Agent, trigger: Run.Trigger, kind: Message.Kind, text: str) -> Run:
    with transaction.atomic():
        message = Message.objects.create(agent=agent, kind=kind, content=text, created_at=timezone.now())
        return queue_run(agent, trigger, event=message, key=uuid.uuid4().hex)


def queue_run(agent: Agent, trigger: str, *, event: Message | None, key: str) -> Run:
    run = Run.objects.create(agent=agent, trigger=trigger, event=event, idempotency_key=key)
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, WaitingChanged())
    bus.publish_on_commit(group, RunChanged(run.pk, run.status))
    dispatch.run_agent(agent.pk)
    return run


def run_cancel(*, agent: Agent) -> None:
    """Stop the running run; the worker keeps what was said so far."""
    Run.objects.filter(agent=agent, status=Run.Status.RUNNING).update(cancel_requested_at=timezone.now())


def run_next(*, agent_id: uuid.UUID) -> bool:
    """Work on the agent's next queued or abandoned run, if no other worker is. True if there was one.

    Raises what our own faults raise; the run is then marked failed first. What is written for the person is in their
    language.
    """
    run = _claim(agent_id)
    if run is None or run.lease_token is None:
        return False
    with translation.override(language_of(run.agent.owner_id)):
        return _work(run, Lease(run.pk, run.lease_token))


def _work(run: Run, lease: Lease) -> bool:
    try:
        for _step in agent_loop.run(run, lease=lease):
            dispatch.embed_messages(run.agent_id)
    except LeaseLost:
        return False
    except LLMError as error:
        _fail(run, lease, str(error))
    except Exception as error:  # our own fault: said to the person, then raised for the log
        fault = _("memweb itself failed: %(error)s. The log says more.") % {"error": type(error).__name__}
        _fail(run, lease, fault)
        raise
    return True


def _claim(agent_id: uuid.UUID) -> Run | None:
    """Take the lease of the run to work on: an abandoned one first, else the oldest queued one."""
    now = timezone.now()
    with transaction.atomic():
        agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
        if agent is None:
            return None
        held = agent.runs.filter(status=Run.Status.RUNNING).first()
        # A row that is locked is being committed by its worker, which wants the agent's row next: never wait for it.
        abandoned = agent.runs.select_for_update(skip_locked=True, no_key=True).filter(lease_until__lte=now)
        if held and not abandoned.filter(pk=held.pk).exists():
            return None
        run = held or agent.runs.filter(status=Run.Status.QUEUED).order_by("id").first()
        if run is None:
            return None
        run.status, run.lease_token, run.lease_until = Run.Status.RUNNING, uuid.uuid4(), expiry()
        run.started_at = run.started_at or now
        run.save(update_fields=["status", "lease_token", "lease_until", "started_at"])
        if run.event and run.event.seq is None:
            run.event.run = run
            queue_manager.append(agent, run.event)
            bus.publish_on_commit(bus.agent_group(agent_id), WaitingChanged())
        bus.publish_on_commit(bus.agent_group(agent_id), RunChanged(run.pk, run.status))
    return run


def _fail(run: Run, lease: Lease, reason: str) -> None:
    with contextlib.suppress(LeaseLost), transaction.atomic():
        agent_loop.finish(lease.hold(), Run.Status.FAILED, error=reason)
        notice = Message(kind=Message.Kind.NOTICE, content=reason, failed=True, run=run, created_at=timezone.now())
        queue_manager.append(run.agent, notice)
    bus.draft_keep(run.agent_id, None)


def queue_flush(*, agent: Agent) -> bool:
    """Evict the oldest part of the queue now; true if anything left."""
    config = agent_loop.config_of(agent)
    context = compile(agent, functions=registry.schemas(), budget=queue_manager.marks(config).flush)
    return queue_manager.flush(agent, context.messages)
