"""All that is known about the user, told to them: the notes themselves, since a small model garbles a list of facts."""

import re

from agents.llm.guided.notes import known_lines
from agents.llm.guided.words import CJK
from agents.llm.types import Prompt

_VERBS = {"is": "are", "was": "were", "has": "have", "does": "do", "doesn't": "don't", "isn't": "aren't"}


def recount(prompt: Prompt, message: str) -> str:
    """The answer to “What do you know about me?”, from every block but the persona."""
    lines = [_to_the_user(line) for line in known_lines(prompt)]
    chinese = CJK.search(message)
    if not lines:
        return "我对你还一无所知。" if chinese else "I do not know anything about you yet."
    return "\n".join(["我知道这些：" if chinese else "This is what I know about you:", *lines])


def _to_the_user(line: str) -> str:
    line = re.sub(r"\bThe user said\b", "You said", line)
    line = re.sub(r"\bThe user['’]s\b", "Your", line)
    line = re.sub(r"\bThe user ([\w']+)", lambda match: f"You {_plural(match[1])}", line)
    return line.replace("用户", "你")


def _plural(verb: str) -> str:
    if verb in _VERBS:
        return _VERBS[verb]
    if re.search(r"(sh|ch|ss|x|o)es$", verb):
        return verb[:-2]
    if re.search(r"[^aeiou]ies$", verb):
        return verb[:-3] + "y"
    return verb[:-1] if re.search(r"[^s]s$", verb) else verb
