"""MCP servers: how their tools are listed and called, from the process that wants it.

Each server is kept by a process of its own (`keeper.py`), started by the first who needs it and kept for the next. A
server that hangs, floods, breaks the protocol or dies costs its own callers a failed call, and nobody else anything.
"""

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from memweb.functions.sources import CHECK_SECONDS, Described, FunctionFault
from memweb.stack.env import surroundings

MOST_KEEPERS = 50
LISTING_SECONDS = 70.0  # to open a session and list the tools
OPENING_SECONDS = 45.0  # beyond what the call itself may take
STOP_SECONDS = 3.0  # for a request to be stopped; else its keeper is ended
END_SECONDS = 25.0  # for a keeper to end in order
UNKNOWN = "Nobody knows whether it was carried out."

Json = dict[str, Any]


@dataclass(frozen=True)
class Tools:
    """What a server offers. `left_out` says of each tool that cannot be used why."""

    functions: list[Described]
    left_out: list[str]


class Keeper:
    """A server's process, and the requests that wait for it."""

    def __init__(self, reach: Mapping[str, Any]) -> None:
        self.reach = dict(reach)
        self.used_at = time.monotonic()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Json]] = {}
        self._lock = threading.Lock()
        self._over = self._retired = False
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # started by a thread that stays: on Linux a child that dies with its parent dies with the thread that made it
        self._process = _starter.submit(_start).result()
        self._send(self.reach)
        threading.Thread(target=self._write, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it takes no more requests."""
        return self._over

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._waiting)

    def ask(self, request: Json, *, seconds: float, check: Callable[[], None]) -> Json | None:
        """The answer; None if the keeper ended before it began. `check` is asked all the time, and what it raises stops
        the request. Raises FunctionFault."""
        number, answers = next(self._numbers), queue.SimpleQueue[Json]()
        with self._lock:
            if self._over:
                return None
            self._waiting[number] = answers
            self.used_at = time.monotonic()
        self._send({"id": number, **request})
        try:
            answer = self._awaited(number, answers, seconds, check)
        finally:
            with self._lock:
                del self._waiting[number]
            if self._retired and not self._waiting:
                self.end()
        if answer and "fault" in answer:
            fault = FunctionFault(answer["fault"])
            fault.changed = bool(answer.get("changed"))
            raise fault
        return answer

    def _awaited(
        self, number: int, answers: "queue.SimpleQueue[Json]", seconds: float, check: Callable[[], None]
    ) -> Json | None:
        until, begun = time.monotonic() + seconds, False
        while True:
            try:
                answer = answers.get(timeout=CHECK_SECONDS)
            except queue.Empty:
                self._check(number, answers, check)
                if time.monotonic() < until:
                    continue
                self.end()
                late = f"It did not end within {seconds:g} seconds."
                raise FunctionFault(f"{late} {UNKNOWN}" if begun else late) from None
            if answer.get("over"):
                if begun:
                    raise FunctionFault(f"The server's process ended while it was at this. {UNKNOWN}")
                return None
            if not answer.get("begun"):
                return answer
            begun = True

    def _check(self, number: int, answers: "queue.SimpleQueue[Json]", check: Callable[[], None]) -> None:
        try:
            check()
        except BaseException:
            self._send({"stop": number})
            try:
                while answers.get(timeout=STOP_SECONDS).get("begun"):
                    pass
            except queue.Empty:
                self.end()
            raise

    def retire(self) -> None:
        """No new requests come; it ends when those are answered that wait."""
        self._retired = True
        if not self._waiting:
            self.end()

    def end(self) -> None:
        """In order, with all that the server started; struck down if that takes too long."""
        self._over = True
        self._requests.put(None)
        last = threading.Timer(END_SECONDS, self._process.kill)
        last.daemon = True
        last.start()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._requests.put(json.dumps(message).encode() + b"\n")

    def _write(self) -> None:
        assert self._process.stdin
        with suppress(OSError), self._process.stdin as pipe:
            while (line := self._requests.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as pipe:
            for line in pipe:
                try:
                    answer = json.loads(line)
                except ValueError:  # it was struck down while it wrote
                    break
                if answers := self._waiting.get(answer["id"]):
                    answers.put(answer)
        self._process.kill()
        self._process.wait()
        with self._lock:
            self._over = True
            for answers in list(self._waiting.values()):
                answers.put({"over": True})
        self._requests.put(None)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "memweb.functions.keeper", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=surroundings(),
        start_new_session=True,
    )


_starter = ThreadPoolExecutor(1, thread_name_prefix="keepers")
_kept: dict[int, Keeper] = {}
_lock = threading.Lock()


def _keeper(key: int, reach: Mapping[str, Any]) -> Keeper:
    with _lock:
        keeper = _kept.get(key)
        if keeper and not keeper.over and keeper.reach == reach:
            return keeper
        if keeper:
            del _kept[key]
            keeper.retire()
        _make_room()
        try:
            keeper = _kept[key] = Keeper(reach)
        except OSError as error:
            raise FunctionFault(f"No process could be started for it: {error.strerror or error}.") from error
        return keeper


def _make_room() -> None:
    """Let go of those that are over, and of the one that nobody has needed for longest, where there are many."""
    for key in [key for key, keeper in _kept.items() if keeper.over]:
        del _kept[key]
    if len(_kept) < MOST_KEEPERS:
        return
    idle = [(keeper.used_at, key) for key, keeper in _kept.items() if not keeper.busy]
    if not idle:
        raise FunctionFault(f"{MOST_KEEPERS} MCP servers are at work: try again later.")
    _kept.pop(min(idle)[1]).retire()


def _ask(key: int, reach: Mapping[str, Any], request: Json, seconds: float, check: Callable[[], None]) -> Json:
    for _attempt in range(2):  # one that ended because nobody had needed it for long began nothing
        answer = _keeper(key, reach).ask(request, seconds=seconds, check=check)
        if answer is not None:
            return answer
    raise FunctionFault("The process that keeps the server ends at once.")


def tools(key: int, reach: Mapping[str, Any]) -> Tools:
    """What the server offers. `key` names it, `reach` says how: {"url", "headers", "allow_private"} or {"command",
    "env"}; `shared` if several people call it. Raises FunctionFault."""
    answer = _ask(key, reach, {"list": True}, LISTING_SECONDS, lambda: None)
    return Tools([Described(**one) for one in answer["functions"]], answer["left_out"])


def call(
    key: int,
    reach: Mapping[str, Any],
    name: str,
    arguments: Json,
    *,
    seconds: float,
    check: Callable[[], None],
) -> tuple[str, bool]:
    """What the tool returns, as text, and whether the server told of other tools since it was last listed. Raises
    FunctionFault."""
    request = {"call": name, "arguments": arguments, "seconds": seconds}
    answer = _ask(key, reach, request, seconds + OPENING_SECONDS, check)
    return str(answer["result"]), bool(answer.get("changed"))


def forget(key: int) -> None:
    """The server is no more."""
    with _lock:
        if keeper := _kept.pop(key, None):
            keeper.retire()
