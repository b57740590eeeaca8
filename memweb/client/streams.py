"""Reading a stream of server-sent events, whoever waits for its bytes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from memweb.client.errors import ServerFault
from memweb.client.steps import Request

T = TypeVar("T")


@dataclass(frozen=True)
class Stream(Generic[T]):
    """A request and how its events are read: `read` gives None for one to pass over, `is_last` knows the end."""

    request: Request
    read: Callable[[dict[str, Any]], T | None]
    is_last: Callable[[T], bool] = lambda _piece: False


class Reader(Generic[T]):
    """Makes events of bytes as they come. `ended` tells whether the end was one."""

    def __init__(self, stream: Stream[T]) -> None:
        self.stream = stream
        self.ended = False
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[T]:
        """The events that are complete now. Only a line feed ends a line: JSON may hold any other separator."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                yield from self._event(data)

    def _event(self, data: bytes) -> Iterator[T]:
        if data == b"[DONE]":
            self.ended = True
            return
        try:
            event = json.loads(data)
        except ValueError as error:
            raise ServerFault(f"The server sent an event that is no JSON: {data[:80]!r}") from error
        try:
            piece = self.stream.read(event) if isinstance(event, dict) else None
        except ValidationError as error:
            raise ServerFault(f"The server sent an event that this client does not understand: {error}") from error
        if piece is not None:
            self.ended = self.ended or self.stream.is_last(piece)
            yield piece
