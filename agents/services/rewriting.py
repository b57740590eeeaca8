"""Correcting what the agent thought or said last: the model then reads the corrected text as its own."""

import json
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import dispatch, runs
from agents.broadcast import bus
from agents.broadcast.events import ContextChanged, MessageEdited
from agents.exceptions import InvalidInput
from agents.external_context import recall_storage
from agents.llm.types import INNER_THOUGHTS, SEND_MESSAGE
from agents.main_context import fifo_queue
from agents.models import Agent, Message
from agents.text.clean import typed


def reply_rewrite(*, agent: Agent, text: str) -> Message:
    """Replace the last reply. Raises InvalidInput."""
    text = _checked(text)
    with transaction.atomic():
        message = _last(agent, with_text="content")
        _keep_earlier(message)
        message.content = text
        spoken = [call for call in message.calls if call["name"] == SEND_MESSAGE]
        for place, call in enumerate(spoken):  # a reply in several pieces becomes one, in the first
            _set_argument(call, "message", "" if place else text)
        message.embedding, message.embedding_model = None, ""
        recall_storage.index_words(message)
        _save(agent, message)
        dispatch.embed_messages(agent.pk)
    return message


def thought_rewrite(*, agent: Agent, text: str) -> Message:
    """Replace the last inner monologue. Raises InvalidInput."""
    text = _checked(text)
    with transaction.atomic():
        message = _last(agent, with_text="inner_monologue")
        _keep_earlier(message)
        message.inner_monologue = text
        for call in message.calls:
            _set_argument(call, INNER_THOUGHTS, text)
        _save(agent, message)
    return message


def _checked(text: str) -> str:
    text = typed(text).strip()
    if not text:
        raise InvalidInput(_("Say what it should read instead."))
    return text


def _last(agent: Agent, *, with_text: str) -> Message:
    """The newest assistant message that has such a text. Holds the agent's row, so that no run starts meanwhile."""
    Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
    if runs.is_at_work(agent):
        raise InvalidInput(_("%(agent)s is at work. Stop that first.") % {"agent": agent.name})
    rows = agent.messages.filter(kind=Message.Kind.ASSISTANT, seq__isnull=False, retracted_at=None)
    message = rows.exclude(**{with_text: ""}).order_by("-seq").first()
    if message is None:
        raise InvalidInput(_("There is nothing to correct yet."))
    return message


def _keep_earlier(message: Message) -> None:
    """For the exact prompt of past steps."""
    version = {"content": message.content, "inner_monologue": message.inner_monologue, "calls": message.calls}
    message.earlier = [*message.earlier, {"until": timezone.now().isoformat(), **json.loads(json.dumps(version))}]


def _set_argument(call: dict[str, Any], name: str, value: str) -> None:
    try:
        arguments = json.loads(call["arguments"])
    except (ValueError, RecursionError):
        return  # what the model wrote was no JSON: shown to it as it is
    if isinstance(arguments, dict) and name in arguments:
        call["arguments"] = json.dumps({**arguments, name: value}, ensure_ascii=False)


def _save(agent: Agent, message: Message) -> None:
    message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
    message.save()
    agent.refresh_from_db(fields=["timeline_version"])
    agent.timeline_version += 1
    agent.save(update_fields=["timeline_version"])
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, MessageEdited(message.pk, agent.timeline_version))
    bus.publish_on_commit(group, ContextChanged())
