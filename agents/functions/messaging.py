"""Speaking, and keeping quiet."""

from datetime import timedelta

from agents.exceptions import FunctionError
from agents.functions.registry import Context, function
from agents.llm.types import Role

LONGEST_PAUSE = 7 * 24 * 60  # minutes


@function(role=Role.SPEAKS)
def send_message(context: Context, message: str) -> str:
    """Say something to the person. Nothing else reaches them.

    Args:
        message: What to say, in Markdown.
    """
    if not message.strip():
        raise FunctionError("The message is empty.")
    return "Sent."


@function()
def pause_heartbeats(context: Context, minutes: int) -> str:
    """Do not be woken by timed heartbeats for a while. Messages still wake you.

    Args:
        minutes: For how long, from 1 to 10080 (a week).
    """
    if not 1 <= minutes <= LONGEST_PAUSE:
        raise FunctionError(f"minutes must be from 1 to {LONGEST_PAUSE}, not {minutes}.")
    context.agent.heartbeats_paused_until = context.now + timedelta(minutes=minutes)
    context.agent.save(update_fields=["heartbeats_paused_until"])
    return f"Timed heartbeats are paused for {minutes} minutes."
