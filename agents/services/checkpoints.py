"""Named snapshots of an agent, and new agents made from them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.external_context import recall_storage
from agents.main_context import fifo_queue, working_context
from agents.models import Agent, Checkpoint, Message, Passage, Summary
from agents.services.agents import AgentDraft, agent_create
from agents.services.blocks import BlockSettings, block_attach_new
from agents.text import tokens
from agents.text.clean import typed

LONGEST_NAME = 80  # characters


def checkpoint_create(*, agent: Agent, name: str = "") -> Checkpoint:
    """Keep the agent as it is now; without a name it is called by the time. Raises InvalidInput for a taken name."""
    name = " ".join(typed(name).split()) or timezone.localtime().strftime("%Y-%m-%d %H:%M:%S")
    if len(name) > LONGEST_NAME:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_NAME})
    try:
        with transaction.atomic():
            # held, so that blocks and the last seq are of one moment
            agent.refresh_from_db(from_queryset=Agent.objects.select_for_update(no_key=True).select_related(None))
            return Checkpoint.objects.create(
                agent=agent,
                name=name,
                system_instructions=agent.system_instructions,
                blocks=[asdict(block) for block in working_context.prompt_blocks(working_context.blocks_of(agent))],
                last_seq=agent.next_seq - 1,
                queue_start=agent.queue_start,
                summary=agent.summary.text if agent.summary else "",
            )
    except IntegrityError as error:
        raise InvalidInput(_("There is a checkpoint called “%(name)s” already.") % {"name": name}) from error


def checkpoint_restore(*, checkpoint: Checkpoint, name: str) -> Agent:
    """A new agent that is what the other one was: core memory, conversation, what it had filed. Raises InvalidInput.

    A passage that was edited since comes as it reads now.
    """
    source = checkpoint.agent
    draft = AgentDraft(name=name, persona="", human="", model=source.model, context_window=source.context_window)
    with transaction.atomic():
        agent = agent_create(owner=source.owner, draft=draft)
        agent.blocks.all().delete()
        agent.messages.all().delete()
        for stored in checkpoint.blocks:
            settings = BlockSettings(**{name: value for name, value in stored.items() if name != "value"})
            block_attach_new(agent=agent, settings=settings, value=stored["value"])
        _copy_messages(source, agent, checkpoint)
        _copy_passages(source, agent, checkpoint.created_at)
        agent.attached_archives.set(source.attached_archives.all())
        agent.system_instructions, agent.function_mode = checkpoint.system_instructions, source.function_mode
        agent.next_seq, agent.queue_start = checkpoint.last_seq + 1, checkpoint.queue_start
        if checkpoint.summary:
            agent.summary = _summary(agent, checkpoint)
        agent.save()
    return agent


def checkpoint_delete(*, checkpoint: Checkpoint) -> None:
    """Agents that were made from it stay."""
    checkpoint.delete()


def _summary(agent: Agent, checkpoint: Checkpoint) -> Summary:
    return Summary.objects.create(
        agent=agent,
        text=checkpoint.summary,
        covers_to=checkpoint.queue_start,
        tokens=tokens.count(checkpoint.summary),
    )


def _copy_messages(source: Agent, target: Agent, checkpoint: Checkpoint) -> None:
    """With their `seq`, and with the steps of the agent they come from, which show what those did."""
    _copy(
        Message,
        {"agent_id": target.pk, "run_id": None, "retracted_at": None},
        "agent_id = %s AND seq <= %s AND (retracted_at IS NULL OR retracted_at > %s)",
        [source.pk, checkpoint.last_seq, checkpoint.created_at],
    )
    for message in target.messages.exclude(earlier=[]):  # those corrected since read as they did then
        fifo_queue.as_then(message, checkpoint.created_at)
        message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
        recall_storage.index_words(message)
        message.embedding_model = ""
        message.save()


def _copy_passages(source: Agent, target: Agent, until: datetime) -> None:
    """What the agent or a person filed. Documents stay where they are: attach the archive that has them."""
    _copy(
        Passage,
        {"archive_id": target.archive_id, "step_id": None, "retracted_at": None},
        "archive_id = %s AND document_id IS NULL AND created_at <= %s AND (retracted_at IS NULL OR retracted_at > %s)",
        [source.archive_id, until, until],
    )


def _copy(model: type[Model], changed: dict[str, Any], where: str, values: list[Any]) -> None:
    """Rows copied inside the database, vectors and all; columns in `changed` get that value instead."""
    same = [f.column for f in model._meta.concrete_fields if not f.primary_key and f.column not in changed]
    columns = ", ".join(f'"{name}"' for name in [*changed, *same])
    values_sql = ", ".join([*("%s" for _name in changed), *(f'"{name}"' for name in same)])
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({columns}) SELECT {values_sql} FROM "{table}" WHERE {where}',
            [*changed.values(), *values],
        )
