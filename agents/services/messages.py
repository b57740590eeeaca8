"""What is sent to an agent: messages, heartbeats, alerts. It waits in the rows, a worker takes it up from there."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import queue_manager, runs
from agents.broadcast import bus
from agents.broadcast.events import WaitingChanged
from agents.exceptions import InvalidInput, QuotaReached
from agents.external_context import recall_storage
from agents.functions import toolset
from agents.llm.gateway import config_of
from agents.main_context import fifo_queue
from agents.main_context.compile import fixed_tokens
from agents.models import Agent, Message, Run
from agents.services.pictures import Picture, pictures_drop, pictures_keep
from agents.text import tokens
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.core.files.base import File

LONGEST_MESSAGE = 100_000  # characters, whatever the window
MESSAGE_SHARE = 0.8  # of the room that instructions, functions and core memory leave to the queue


def message_send(
    *,
    agent: Agent,
    text: str,
    idempotency_key: str = "",
    max_steps: int | None = None,
    pictures: "Sequence[File[bytes]]" = (),
    kept: Sequence[Picture] = (),
) -> Run:
    """Take a message and queue its run; the same key with the same text gives the same run. Raises InvalidInput.

    `max_steps` is how many steps the run may take, where that is fewer than the setting. With `pictures`, or
    those `kept` of a message that this one takes the place of, the text may be empty.
    """
    text = typed(text).strip()
    _check_message(agent, text, may_be_empty=bool(pictures or kept))
    key = idempotency_key[:64] or uuid.uuid4().hex
    new = pictures_keep(pictures, seen=config_of(agent).sees) if pictures else []
    message = Message(agent=agent, kind=Message.Kind.USER_MESSAGE, content=text, created_at=timezone.now())
    message.pictures = [*kept, *new]
    try:
        with transaction.atomic():
            recall_storage.index_words(message)
            message.save()
            return runs.queue(agent, Run.Trigger.USER_MESSAGE, event=message, key=key, max_steps=max_steps)
    except IntegrityError:
        pictures_drop(new)
        run = Run.objects.select_related("event").get(agent=agent, idempotency_key=key)
        if run.event and run.event.content != text:  # edited since: another message
            return message_send(agent=agent, text=text, max_steps=max_steps, pictures=pictures)
        return run
    except QuotaReached:
        pictures_drop(new)
        raise


def _check_message(agent: Agent, text: str, *, may_be_empty: bool = False) -> None:
    if not text and not may_be_empty:
        raise InvalidInput(_("The message is empty."))
    if len(text) > LONGEST_MESSAGE:
        sizes = {"tried": f"{len(text):,}", "most": f"{LONGEST_MESSAGE:,}"}
        raise InvalidInput(_("The message has %(tried)s characters; at most %(most)s can be sent at once.") % sizes)
    flush_mark = queue_manager.marks(config_of(agent)).flush
    most = int((flush_mark - fixed_tokens(agent, toolset.of(agent).schemas)) * MESSAGE_SHARE)
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
    pictures_drop(message.pictures)
    return message.content


def heartbeat_send(*, agent: Agent, reason: str, key: str = "") -> Run:
    """Wake the agent without a message. Raises IntegrityError if it was woken with this `key` before."""
    return _wake(agent, Run.Trigger.HEARTBEAT, Message.Kind.HEARTBEAT, reason, key)


def alert_send(*, agent: Agent, text: str) -> Run:
    """Wake the agent with a system alert. Raises InvalidInput for one that is empty or too long."""
    text = typed(text).strip()
    _check_message(agent, text)
    return _wake(agent, Run.Trigger.SYSTEM_ALERT, Message.Kind.SYSTEM_ALERT, text)


def _wake(agent: Agent, trigger: Run.Trigger, kind: Message.Kind, text: str, key: str = "") -> Run:
    with transaction.atomic():
        message = Message.objects.create(agent=agent, kind=kind, content=text, created_at=timezone.now())
        return runs.queue(agent, trigger, event=message, key=key or uuid.uuid4().hex)


def queue_flush(*, agent: Agent) -> bool:
    """Evict the oldest part of the queue now; true if anything left."""
    return queue_manager.flush(agent, fifo_queue.messages_of(agent))
