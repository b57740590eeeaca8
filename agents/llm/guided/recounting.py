"""All that is known about the user, told to them: the notes themselves, since a small model garbles a list of facts."""

import re

from agents.llm.guided.notes import known_lines
from agents.llm.guided.restating import ADVERBS
from agents.llm.guided.words import CJK
from agents.llm.types import Prompt

# What stands before “the user” where something is done to them: “gives the user”, “with the user”.
_DONE_TO = r"\b(?:(?-i:[a-z]+(?:s|ed|ing))|to|with|for|from|of|about|at|by|let|made|gave|told|than|without|near) "
_THE_USER = re.compile(
    rf"(?P<done_to>{_DONE_TO})?\b(?P<the>T|t)he user\b(?P<adverbs>(?: (?:{ADVERBS}))*)(?P<verb> (?!{ADVERBS})[\w'’]+)?"
)
# Whose may be meant by “their” besides the user's.
_SEVERAL = re.compile(
    r"\b(they|and|kids|children|parents|sons|daughters|sisters|brothers|twins|friends|students|people|"
    r"both)\b(?=.*\btheir\b)",
    re.IGNORECASE,
)
_VERBS = {"is": "are", "was": "were", "has": "have", "does": "do", "doesn't": "don't", "isn't": "aren't", "goes": "go"}


def recount(prompt: Prompt, message: str) -> str:
    """The answer to “What do you know about me?”, from every block but the persona."""
    lines = [to_the_user(line) for line in known_lines(prompt)]
    chinese = CJK.search(message)
    if not lines:
        return "我对你还一无所知。" if chinese else "I do not know anything about you yet."
    return "\n".join(["我知道这些：" if chinese else "This is what I know about you:", *lines])


def to_the_user(line: str) -> str:
    """A line as it is said to the one whom it is about."""
    line = re.sub(r"\b(T|t)he user['’]s\b", lambda match: "Your" if match[1] == "T" else "your", line)
    if not _SEVERAL.search(line):
        line = re.sub(r"\btheir\b", "your", line)
    return _THE_USER.sub(_you, line).replace("用户", "你")


def _you(match: re.Match[str]) -> str:
    you = "You" if match["the"] == "T" else "you"
    before, verb = match["done_to"] or "", (match["verb"] or "").strip()
    if verb and (verb in _VERBS or not before):
        verb = _plural(verb)
    return f"{before}{you}{match['adverbs']}" + (f" {verb}" if verb else "")


def _plural(verb: str) -> str:
    if verb in _VERBS:
        return _VERBS[verb]
    if re.search(r"(sh|ch|ss|x|o)es$", verb):
        return verb[:-2]
    if re.search(r"[^aeiou]ies$", verb):
        return verb[:-3] + "y"
    return verb[:-1] if re.search(r"[^s]s$", verb) else verb
