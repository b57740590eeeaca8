"""Agents: made, renamed, visited, deleted."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import queue_manager, quotas
from agents.broadcast import bus
from agents.broadcast.events import AgentsChanged, ContextChanged
from agents.exceptions import InvalidInput, NameTaken
from agents.functions import installed, registry
from agents.llm.types import SEND_MESSAGE
from agents.main_context import system_instructions
from agents.models import Agent, Archive, Connection, Message, Run
from agents.selectors import personas_for
from agents.services.blocks import BlockSettings, block_attach_new
from agents.services.model_choice import check_model
from agents.services.pictures import pictures_drop, pictures_of
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_INSTRUCTIONS = 100_000  # characters
LONGEST_NAME = 80  # characters
OWN_NAME = re.compile(r"(My name is |我叫|我的名字是|我是)[^\n.。,，]+(?=[.。,，])")
AWAY_HOURS = 6  # after which a visit is noted in the queue

PERSONA_BLOCK = BlockSettings(label="persona", description="Who you are and how you speak.")
HUMAN_BLOCK = BlockSettings(label="human", description="What you know about the person you talk with.")


@dataclass(frozen=True, kw_only=True)
class AgentDraft:
    """What a new agent is made from; persona and human are the texts its blocks start with."""

    name: str
    persona: str = ""
    human: str = ""
    connection: Connection | None = None  # whose model it is; none is the configured endpoint
    model: str = ""
    context_window: int | None = None
    blocks: Sequence[tuple[BlockSettings, str]] | None = None  # with their texts: instead of persona and human


def agent_create(*, owner: "User", draft: AgentDraft) -> Agent:
    """Make an agent with its blocks and its own archive. Raises InvalidInput: a name already taken, a quota."""
    name, model = _checked_name(draft.name), draft.model.strip()
    check_model(owner, draft.connection, model)
    quotas.check_agents(owner.pk)
    with transaction.atomic():
        archive = Archive.objects.create(owner=owner, name=name)
        try:
            with transaction.atomic():
                agent = Agent.objects.create(
                    owner=owner,
                    name=name,
                    connection=draft.connection,
                    model=model,
                    context_window=draft.context_window,
                    system_instructions=system_instructions.default(),
                    archive=archive,
                )
        except IntegrityError as error:
            raise _name_taken(name) from error
        persona = with_own_name(draft.persona, owner, name)
        blocks = [(PERSONA_BLOCK, persona), (HUMAN_BLOCK, draft.human)] if draft.blocks is None else draft.blocks
        for settings, value in blocks:
            block_attach_new(agent=agent, settings=settings, value=value)
        agent_greet(agent=agent)
        _announce_agents(owner.pk)
    return agent


def agent_rename(*, agent: Agent, name: str) -> None:
    """Raises InvalidInput for an empty or a taken name."""
    agent.name = _checked_name(name)
    try:
        with transaction.atomic():
            agent.save(update_fields=["name"])
            Archive.objects.filter(pk=agent.archive_id).update(name=agent.name)
            _announce_agents(agent.owner_id)
    except IntegrityError as error:
        raise _name_taken(agent.name) from error


def agent_delete(*, agent: Agent) -> None:
    """Delete an agent with its messages, its archive and the blocks no other agent has."""
    with transaction.atomic():
        Run.objects.filter(agent=agent, status=Run.Status.RUNNING).update(lease_token=None)  # a worker loses its hold
        owner_id, archive, blocks = agent.owner_id, agent.archive, list(agent.blocks.all())
        pictures = pictures_of(agent)
        agent.delete()
        archive.delete()
        for block in blocks:
            if not block.agents.exists():
                block.delete()
        transaction.on_commit(lambda: pictures_drop(pictures))
        _announce_agents(owner_id)


def agent_instruct(*, agent: Agent, text: str) -> None:
    """Give the agent other system instructions. Raises InvalidInput."""
    text = typed(text).strip()
    if not text:
        raise InvalidInput(_("System instructions cannot be empty."))
    if len(text) > LONGEST_INSTRUCTIONS:
        sizes = {"tried": f"{len(text):,}", "most": f"{LONGEST_INSTRUCTIONS:,}"}
        raise InvalidInput(_("This text has %(tried)s characters; at most %(most)s will do.") % sizes)
    agent.system_instructions = text
    with transaction.atomic():
        agent.save(update_fields=["system_instructions"])
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())


def agent_describe(*, agent: Agent, **texts: Any) -> None:
    """Set `description`, `tags`, `metadata` or `asked_for`, which nothing of memweb reads."""
    for name, value in texts.items():
        setattr(agent, name, value)
    agent.save(update_fields=[*texts])


def functions_choose(*, agent: Agent, names: Collection[str]) -> None:
    """Offer the agent these functions and no others, memweb's own and installed ones. Raises InvalidInput."""
    if SEND_MESSAGE not in names:
        raise InvalidInput(_("Without %(function)s an agent cannot speak.") % {"function": SEND_MESSAGE})
    ours = set(registry.registered())
    detached, attached = sorted(ours - set(names)), sorted(set(names) - ours)
    if (detached, attached) == (agent.detached_functions, agent.attached_functions):
        return
    new = set(attached) - set(agent.attached_functions)
    asking = installed.by_name(agent.owner_id, name__in=new, ask_first=True) if new else ()
    agent.detached_functions, agent.attached_functions = detached, attached
    agent.ask_first = sorted((set(agent.ask_first) & set(attached)) | set(asking))
    with transaction.atomic():
        agent.save(update_fields=["detached_functions", "attached_functions", "ask_first"])
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())


def function_switch(*, agent: Agent, name: str, on: bool) -> None:
    """Offer the agent one function more, or one less. Raises InvalidInput."""
    chosen = (set(registry.registered()) - set(agent.detached_functions)) | set(agent.attached_functions)
    functions_choose(agent=agent, names=chosen | {name} if on else chosen - {name})


def function_ask_first(*, agent: Agent, name: str, ask: bool) -> None:
    """Have each call of this function wait for a person's yes, or no more. Raises InvalidInput."""
    if name not in agent.attached_functions:
        raise InvalidInput(_("memweb asks before functions of your own, when they are on."))
    agent.ask_first = sorted({*agent.ask_first, name} if ask else {*agent.ask_first} - {name})
    with transaction.atomic():
        agent.save(update_fields=["ask_first"])
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())


def agent_visit(*, agent: Agent) -> None:
    """Note in the queue that the person is back after hours away, so that the agent knows time has passed."""
    if (timezone.now() - agent.last_active_at).total_seconds() >= AWAY_HOURS * 3600:
        agent_greet(agent=agent)


def agent_greet(*, agent: Agent) -> None:
    """Note in the queue that the person is there."""
    text = "The person opened the conversation."
    login = Message(kind=Message.Kind.LOGIN, content=text, created_at=timezone.now())
    with transaction.atomic():
        queue_manager.append(agent, login)
        bus.publish_on_commit(bus.agent_group(agent.pk), ContextChanged())


def with_own_name(persona: str, owner: "User", name: str) -> str:
    """A persona that begins with the name of the preset it was made from, with the agent's own instead."""
    own = OWN_NAME.match(persona)
    if not own or not any(text.startswith(own[0]) for text in personas_for(owner).values_list("text", flat=True)):
        return persona
    return f"{own[1]}{name}{persona[own.end() :]}"


def _checked_name(name: str) -> str:
    name = " ".join(typed(name).split())
    if not name:
        raise InvalidInput(_("Give the agent a name."))
    if len(name) > LONGEST_NAME:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_NAME})
    return name


def _name_taken(name: str) -> NameTaken:
    return NameTaken(_("You already have an agent called “%(name)s”. Choose another name.") % {"name": name})


def _announce_agents(owner_id: int) -> None:
    bus.publish_on_commit(bus.owner_group(owner_id), AgentsChanged())
