"""Counts for Prometheus, where a port is set for them: each process has files of its own, `memweb.metrics` adds up.

What the database knows is not counted here but asked when somebody looks (`agents.selectors.operation`).
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

logger = logging.getLogger(__name__)

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)  # bounds of the histograms' buckets
FILES = ("counter", "histogram", "gauge_livesum")  # of each process, by kind
FILE_BYTES = 256 * 1024  # some 1,500 figures; taken at once, since a full disk would end who writes into one later
MOST_MODELS = 50  # that are counted by name in one process


@dataclass(frozen=True)
class _Instruments:
    runs: "Counter"
    waits: "Histogram"
    steps: "Histogram"
    first_tokens: "Histogram"
    tokens: "Counter"
    errors: "Counter"
    functions: "Counter"
    websockets: "Gauge"


def run_began(*, waited: float) -> None:
    """`waited` in seconds."""
    _note(lambda instruments: instruments.waits.observe(max(waited, 0.0)))


def run_ended(*, status: str, reason: str) -> None:
    """`reason`: why it ended, if neither simply done nor stopped by a person."""
    _note(lambda instruments: instruments.runs.labels(status, reason).inc())


def step_ended(*, model: str, seconds: float, first_token: float, prompt: int, cached: int, completion: int) -> None:
    """Times in seconds, the rest in tokens; `prompt` counts those of a cache too."""

    def change(instruments: _Instruments) -> None:
        name = _counted_name(model)
        instruments.steps.labels(name).observe(seconds)
        instruments.first_tokens.labels(name).observe(first_token)
        for kind, tokens in (("prompt", prompt), ("cached", cached), ("completion", completion)):
            instruments.tokens.labels(name, kind).inc(tokens)

    _note(change)


def model_failed(*, model: str, kind: str) -> None:
    """`kind`: as `agents.llm.errors.kind_of` names it."""
    _note(lambda instruments: instruments.errors.labels(_counted_name(model), kind).inc())


def function_called(*, name: str, ok: bool) -> None:
    """`name` is one that there is, or "unknown": a model may think of any."""
    _note(lambda instruments: instruments.functions.labels(name, "ok" if ok else "failed").inc())


def websockets_changed(by: int) -> None:
    """One more is open, or one fewer."""
    _note(lambda instruments: instruments.websockets.inc(by))


def this_process() -> str:
    """Its name among the files: machines that share a data folder have processes of the same numbers."""
    return f"{this_machine()}.{os.getpid()}"


def this_machine() -> str:
    """As it stands in names of files, whose parts a "_" divides."""
    return socket.gethostname().replace("_", "-")


def _note(change: Callable[[_Instruments], None]) -> None:
    """Nothing that is counted is worth a run: a folder that cannot be written to is only logged."""
    if not settings.METRICS_PORT:
        return
    try:
        with _making:
            instruments = _instruments()
        change(instruments)
    except OSError as error:
        logger.warning("Not counted: %s", error)


_making = threading.Lock()
_models: set[str] = set()


def _counted_name(model: str) -> str:
    if model not in _models and len(_models) >= MOST_MODELS:
        return "others"
    _models.add(model)
    return model


@cache
def _instruments() -> _Instruments:
    folder = settings.PATHS.metrics
    folder.mkdir(mode=0o700, exist_ok=True)
    for kind in FILES:
        (folder / f"{kind}_{this_process()}.db").write_bytes(bytes(FILE_BYTES))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read when the package is loaded
    from prometheus_client import Counter, Gauge, Histogram, values

    values.ValueClass = values.MultiProcessValue(this_process)  # type: ignore[no-untyped-call]
    return _Instruments(
        runs=Counter("memweb_runs", "Runs that ended.", ["status", "reason"]),
        waits=Histogram("memweb_run_wait_seconds", "From the message to the worker that took it.", buckets=SECONDS),
        steps=Histogram("memweb_step_seconds", "One step, from the prompt to the commit.", ["model"], buckets=SECONDS),
        first_tokens=Histogram("memweb_first_token_seconds", "Until a model began.", ["model"], buckets=SECONDS),
        tokens=Counter("memweb_tokens", "Tokens, as the model's server counts them.", ["model", "kind"]),
        errors=Counter("memweb_model_errors", "Calls of a model that failed.", ["model", "kind"]),
        functions=Counter("memweb_functions", "Calls of functions by models.", ["function", "result"]),
        websockets=Gauge("memweb_websockets", "Pages that are open.", multiprocess_mode="livesum"),
    )
