"""Thoughts that a server leaves in the text, between tags of the model's template: told apart while they arrive.

A new pair of tags goes into `PAIRS`.
"""

from collections.abc import Iterator

PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)
CLOSINGS = dict(PAIRS)
TAGS = (*CLOSINGS, *CLOSINGS.values())


class ThinkTags:
    """Splits arriving text. A tag may come in pieces: what could become one is held back until it is clear.

    A tag counts where thoughts stand: an opening one before anything is said, a lone closing one before any object
    begins. Later ones are what somebody speaks of.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""  # of the pair that is open
        self._said = ""  # outside of thoughts, as far as it matters: its first sign, and a bracket if there was one

    def take(self, text: str) -> Iterator[tuple[bool, str]]:
        """(is it a thought, text) for what is clear by now."""
        self._held += text
        while tag := self._next_tag():
            before, _, self._held = self._held.partition(tag)
            # a template may put the opening tag into the prompt: what stands before a lone closing tag was thought
            yield bool(self._closing) or tag not in CLOSINGS, before
            self._closing, self._said = CLOSINGS.get(tag, ""), ""
        clear = len(self._held) - self._beginning_of_a_tag()
        clear_text, self._held = self._held[:clear], self._held[clear:]
        if not self._closing:
            self._said = self._said_with(clear_text)
        yield bool(self._closing), clear_text

    def rest(self) -> tuple[bool, str]:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        return bool(self._closing), held

    def _next_tag(self) -> str:
        if self._closing:
            return self._closing if self._closing in self._held else ""
        places = sorted((place, tag) for tag in TAGS if (place := self._held.find(tag)) >= 0)
        return next((tag for place, tag in places if self._counts(tag, self._said_with(self._held[:place]))), "")

    def _counts(self, tag: str, said: str) -> bool:
        return not said if tag in CLOSINGS else "{" not in said

    def _said_with(self, text: str) -> str:
        said = self._said + text.strip()
        return said[:1] + ("{" if "{" in said[1:] else "")

    def _beginning_of_a_tag(self) -> int:
        """Characters at the end that may be the beginning of a tag."""
        tags = (self._closing,) if self._closing else TAGS
        longest = max(map(len, tags)) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(tag.startswith(self._held[-length:]) for tag in tags):
                return length
        return 0
