"""The small constrained calls: which slot each prompt owns, and what they cost together."""

import time
from collections.abc import Iterator
from typing import Any

from agents.llm.types import ChatMessage, RawChat, Usage

SLOTS = {"label": 0, "write": 1, "check": 2, "reply": 3}
"""Prompt kind -> server slot. A slot of its own keeps each prompt's beginning cached."""


class Model:
    """Calls the raw chat and adds up usage. Raises what the raw chat raises."""

    def __init__(self, chat: RawChat) -> None:
        self._chat = chat
        self.usage = Usage()
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Since the step began."""
        return time.monotonic() - self._started

    def pieces(
        self, kind: str, messages: list[ChatMessage], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[str]:
        """The answer in pieces as they arrive, after `grammar` (GBNF) if there is one."""
        yield from self._run(kind, messages, max_tokens, {"grammar": grammar})

    def word(self, kind: str, messages: list[ChatMessage], words: tuple[str, ...]) -> str:
        """One of `words`, whatever the model would rather say."""
        grammar = "root ::= " + " | ".join(f'"{word}"' for word in words)
        text = "".join(self._run(kind, messages, 8, {"grammar": grammar})).strip()
        return text if text in words else words[0]

    def json(self, kind: str, messages: list[ChatMessage], schema: dict[str, Any], *, max_tokens: int) -> str:
        """JSON text after `schema`; cut off if it needs more than `max_tokens`."""
        return "".join(self._run(kind, messages, max_tokens, {"json_schema": schema}))

    def _run(self, kind: str, messages: list[ChatMessage], max_tokens: int, form: dict[str, Any]) -> Iterator[str]:
        for piece in self._chat(messages, max_tokens=max_tokens, slot=SLOTS[kind], **form):
            if isinstance(piece, Usage):
                self.usage += piece
            else:
                yield piece
