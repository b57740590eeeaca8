"""Where functions of one's own come from, and how they are looked at and called: each time in a process of its own.

A module that is broken, hangs, exits or crashes hurts nobody else, and a call that takes too long can be ended.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from memweb.functions import Call
from memweb.stack.env import surroundings

FOLDER = "functions"  # in the data folder
GROUP = "memweb.functions"  # of entry points
LOOKING_SECONDS = 30.0  # for a module to be imported
CHECK_SECONDS = 0.2  # between two looks at whether the call may go on
LARGEST_ANSWER = 10_000_000  # bytes


class FunctionFault(Exception):
    """A module or a call failed; says why, in a sentence. `changed`: its server told that it offers something else."""

    changed = False


@dataclass(frozen=True)
class Source:
    """A module with functions: a file of the folder, or what an installed package's entry point names."""

    name: str
    place: Mapping[str, str]  # {"file": PATH} or {"module": NAME}


@dataclass(frozen=True)
class Described:
    """A function as its module tells of it. `parameters` is a JSON schema (an object), `time_limit` in seconds."""

    name: str
    description: str
    parameters: dict[str, Any]
    idempotent: bool
    ask_first: bool
    time_limit: float
    remote_name: str = ""  # where its source has another one for it


def sources(home: Path) -> list[Source]:
    """All modules with functions that this installation has, in order of their names."""
    files = sorted((home / FOLDER).glob("[!_.]*.py"))
    packaged = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return [
        *(Source(file.name, {"file": str(file)}) for file in files),
        *(Source(entry.name, {"module": entry.module}) for entry in packaged),
    ]


def describe(source: Source) -> list[Described]:
    """The functions of a module. Raises FunctionFault if it cannot be loaded."""
    answer = _ask({"source": dict(source.place)}, seconds=LOOKING_SECONDS, check=lambda: None)
    return [Described(**one) for one in answer["functions"]]


def call(
    place: Mapping[str, str], name: str, arguments: str, *, by: Call, seconds: float, check: Callable[[], None]
) -> str:
    """What the function returns, as text. `arguments` is JSON; `check` is asked all the time, and what it raises ends
    the call. Raises FunctionFault."""
    asked = {"source": dict(place), "function": name, "arguments": arguments, "call": vars(by)}
    answer = _ask(asked, seconds=seconds, check=check)
    return str(answer["result"])


def _ask(request: dict[str, Any], *, seconds: float, check: Callable[[], None]) -> dict[str, Any]:
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "memweb.functions.process", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=surroundings(),
            start_new_session=True,
        )
    except OSError as error:
        raise FunctionFault(f"No process could be started for it: {error.strerror or error}.") from error
    try:
        answer = _answer(process, json.dumps(request).encode(), seconds, check)
    finally:
        _end(process)
    if "fault" in answer:
        raise FunctionFault(answer["fault"])
    return answer


def _answer(
    process: "subprocess.Popen[bytes]", request: bytes, seconds: float, check: Callable[[], None]
) -> dict[str, Any]:
    until = time.monotonic() + seconds
    told: bytes | None = request
    while True:
        try:
            written, _none = process.communicate(told, timeout=CHECK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            told = None  # communicate has it already
        check()
        if time.monotonic() > until:
            raise FunctionFault(f"It did not end within {seconds:g} seconds.")
    if not written or len(written) > LARGEST_ANSWER:
        raise FunctionFault(f"It ended without an answer (exit code {process.returncode}).")
    try:
        answer: dict[str, Any] = json.loads(written)
    except ValueError as error:  # it was struck down while it wrote
        raise FunctionFault(f"It ended in the middle of its answer (exit code {process.returncode}).") from error
    return answer


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
