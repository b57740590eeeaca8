"""Slash commands, as the page's message box has them."""

from collections.abc import Sequence

from memweb.client.results import Choice, Command, CommandMatch, CommandOutcome
from memweb.client.steps import Steps, ask, get, new_key, path, post, read_as


def list_commands() -> Steps[list[Command]]:
    """The slash commands of this memweb."""
    return read_as(list[Command], (yield from ask(get(path("commands")))))


def match_command(text: str) -> Steps[CommandMatch]:
    """Whether a typed line is a command, and if not, which message it is ("//help" is "/help")."""
    return read_as(CommandMatch, (yield from ask(post(path("commands", "match"), {"text": text}, key=new_key()))))


def run_command(
    *, agent_id: str, line: str, confirmed: bool = False, choices: Sequence[Choice] = ()
) -> Steps[CommandOutcome]:
    """Carry out a slash command, as "/pop 3".

    If the outcome has a `question`, the same with confirmed=True says yes to it; if it has `conflicts`, the same with a
    Choice for each settles them. Raises Invalid for what is no command, with what would be one.
    """
    body = {
        "line": line,
        "confirmed": confirmed,
        "choices": [choice.model_dump(exclude_none=True) for choice in choices],
    }
    return read_as(CommandOutcome, (yield from ask(post(path("agents", agent_id, "commands"), body, key=new_key()))))
