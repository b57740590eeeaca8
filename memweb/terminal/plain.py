"""One message without a terminal, as `echo hi | memweb run --agent Sam`: the reply alone, or why there is none."""

from memweb.client import Agent, Client, MemwebError
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import safe


class NoReply(MemwebError):
    """Why there is no reply."""


def answer(client: Client, agent: Agent, text: str) -> str:
    """The reply to a message, or what a slash command came to."""
    text = text.strip()
    if not text:
        raise NoReply(_("There is no message: write it, or give it by a pipe."))
    if text.startswith("/"):
        match = client.match_command(text)
        if match.command:
            return _command(client, agent, text)
        text = match.message or text
    reply = client.user_message(agent_id=agent.id, message=text)
    if reply.failed:
        raise NoReply(reply.error or _("The answer failed (%(reason)s).") % {"reason": reply.stop_reason})
    return safe(reply.text)


def _command(client: Client, agent: Agent, line: str) -> str:
    outcome = client.run_command(agent_id=agent.id, line=line)
    if outcome.question or outcome.conflicts:
        question = outcome.question or _("A block that it would change was edited since.")
        raise NoReply(_("%(question)s Answer it in a terminal.") % {"question": safe(question)})
    lines = [outcome.title, *(f"{entry.head}\n{entry.body}".strip() for entry in outcome.entries), outcome.sentence]
    return safe("\n".join(line for line in lines if line))
