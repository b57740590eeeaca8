"""One message without a terminal, as `echo hi | memweb run --agent Sam`: the reply alone, or why there is none."""

from memweb.client import Agent, Client, MemwebError, Notice, Reply, State
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
    before = _last_seq(client, agent)
    reply = client.user_message(agent_id=agent.id, message=text)
    if reply.failed:
        raise NoReply(_why(client, agent, before, reply))
    return safe(reply.text)


def _command(client: Client, agent: Agent, line: str) -> str:
    outcome = client.run_command(agent_id=agent.id, line=line)
    if outcome.question or outcome.conflicts:
        question = outcome.question or _("A block that it would change was edited since.")
        raise NoReply(_("%(question)s Answer it in a terminal.") % {"question": safe(question)})
    lines = [outcome.title, *(f"{entry.head}\n{entry.body}".strip() for entry in outcome.entries), outcome.sentence]
    return safe("\n".join(line for line in lines if line))


def _last_seq(client: Client, agent: Agent) -> int:
    stream = client.events(agent.id)
    first = next(stream)
    stream.close()
    return first.last_seq if isinstance(first, State) else 0


def _why(client: Client, agent: Agent, after: int, reply: Reply) -> str:
    """The notice of the failed run; what was kept since comes at once."""
    stream, last = client.events(agent.id, after=after), after
    try:
        for event in stream:
            last = event.last_seq if isinstance(event, State) else last
            if isinstance(event, Notice) and event.failed and event.run_id in (None, reply.run_id):
                return safe(event.text)
            if getattr(event, "seq", 0) >= last:
                break
    finally:
        stream.close()
    return _("The answer failed (%(reason)s).") % {"reason": safe(reply.stop_reason)}
