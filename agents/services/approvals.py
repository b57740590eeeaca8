"""Calls that wait for a person's yes: decided, or expired."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import runs, selectors
from agents.broadcast import bus
from agents.broadcast.events import CallsAsked
from agents.exceptions import InvalidInput
from agents.models import OutsideCall, Run
from agents.services.agents import function_ask_first
from agents.text.clean import storable

LONGEST_REASON = 1000  # characters
NOT_WAITING = gettext_lazy("This call waits for nobody any more: it was decided, or its run has ended.")

Decision = OutsideCall.Decision


def call_approve(*, call: OutsideCall, always: bool = False) -> None:
    """Have the call made; `always`: and every later one of its function by this agent. Raises InvalidInput if it was
    decided already."""
    _decide(call, Decision.APPROVED, always=always)


def call_deny(*, call: OutsideCall, reason: str = "") -> None:
    """Have the model told that it was not allowed, and why. Raises InvalidInput."""
    reason = storable(reason).strip()
    if len(reason) > LONGEST_REASON:
        raise InvalidInput(_("A reason has at most %(most)d characters.") % {"most": LONGEST_REASON})
    _decide(call, Decision.DENIED, reason=reason)


def calls_expire(*, before: datetime) -> None:
    """What was asked before then, and nobody answered, is not allowed. One query if there is none."""
    waiting = OutsideCall.objects.filter(asked_at__lt=before, ended_at=None, decision="")
    for call in waiting.filter(step__run__status=Run.Status.WAITING).select_related("step"):
        _decide(call, Decision.EXPIRED)


def _decide(call: OutsideCall, decision: Decision, *, reason: str = "", always: bool = False) -> None:
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True).select_related("agent").get(pk=call.step.run_id)
        call.refresh_from_db()
        if run.status != Run.Status.WAITING or call.decision or not call.asked_at:
            if decision == Decision.EXPIRED:
                return
            raise InvalidInput(str(NOT_WAITING))
        if always:
            function_ask_first(agent=run.agent, name=call.function, ask=False)
        call.decision, call.reason = decision, reason
        call.save(update_fields=["decision", "reason"])
        if not selectors.calls_asked(run.agent).exists():
            runs.go_on(run)
        bus.publish_on_commit(bus.agent_group(run.agent_id), CallsAsked())
