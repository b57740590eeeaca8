"""Named snapshots of an agent, and new agents made from them."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.models import Agent, Checkpoint
from agents.services.agent_copies import agent_from, moment_of
from agents.text.clean import typed

LONGEST_NAME = 80  # characters


def checkpoint_create(*, agent: Agent, name: str = "") -> Checkpoint:
    """Keep the agent as it is now; without a name it is called by the time. Raises InvalidInput for a taken name."""
    name = " ".join(typed(name).split()) or timezone.localtime().strftime("%Y-%m-%d %H:%M:%S")
    if len(name) > LONGEST_NAME:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_NAME})
    try:
        with transaction.atomic():
            checkpoint = moment_of(agent)
            checkpoint.name = name
            checkpoint.save()
    except IntegrityError as error:
        raise InvalidInput(_("There is a checkpoint called “%(name)s” already.") % {"name": name}) from error
    return checkpoint


def checkpoint_restore(*, checkpoint: Checkpoint, name: str) -> Agent:
    """A new agent that is what the other one was: see `agent_from`. Raises InvalidInput."""
    return agent_from(moment=checkpoint, name=name)


def checkpoint_delete(*, checkpoint: Checkpoint) -> None:
    """Agents that were made from it stay."""
    checkpoint.delete()
