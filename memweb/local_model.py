"""The local model's process, `python -m memweb.stack.local_model`: gets the weights, then serves them on loopback."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from agents.llm import guided
from memweb.stack import catalogue, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import Env, env
from memweb.stack.exceptions import WeightsError
from memweb.stack.model_state import ModelState, Stage, write_state
from memweb.stack.paths import StackPaths

SLOTS = len(guided.SLOTS) + 1  # guided mode keeps one prompt's prefix warm in each; the last is for summaries
CONTEXT_IN_ALL = 16_384  # tokens that the slots share: 0.5 GB for the 1.5B model
RETRY_PAUSE = 60.0  # seconds before the download is tried again
START_TIMEOUT = 180.0  # seconds; a slow disk reads a gigabyte in that
LOG_WARNINGS = 2  # the library's number for it; more would be several lines for each request
STATE_INTERVAL = 0.5  # seconds between two writes of the progress


class Reporter:
    """Tells the page (`model_state.json`) and the terminal how far we are."""

    def __init__(self, paths: StackPaths, model: LocalModel) -> None:
        self._paths = paths
        self._model = model
        self._bar = weights.TerminalBar(model.name)
        self._written_at = 0.0

    def stage(self, stage: Stage, message: str, done: int = 0, total: int = 0) -> None:
        write_state(self._paths, ModelState(stage, done, total, message, self._model.name))
        if not total:
            print(message, flush=True)

    def progress(self, stage: str, done: int, total: int) -> None:
        self._bar(stage, done, total)
        now = time.monotonic()
        if now - self._written_at < STATE_INTERVAL:
            return
        self._written_at = now
        if stage == "verifying":
            self.stage("verifying", f"Checking the local model {self._model.name}.", done, total)
        else:
            amount = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            self.stage("downloading", f"Downloading the local model {self._model.name}: {amount}.", done, total)


def main() -> int:
    """Runs until it is killed. 1 when the settings are wrong."""
    settings = env()
    paths = StackPaths(settings.memweb_home)
    paths.create()
    try:
        model = catalogue.find(settings.memweb_local_model)
    except WeightsError as error:
        write_state(paths, ModelState("failed", message=str(error), model=settings.memweb_local_model))
        print(error, flush=True)
        return 1
    reporter = Reporter(paths, model)
    url = _base(settings)
    file = _weights_at_last(settings, model, paths, reporter)
    reporter.stage("starting", f"Loading the local model {model.name}.")
    server = _start_server(settings, model, file)
    _wait_until_healthy(f"{url}/health")
    if model.function_mode == "guided":
        reporter.stage("warming", f"The local model {model.name} reads its instructions.")
        _warm(settings, url)
    reporter.stage("ready", f"The local model {model.name} is ready.")
    while server is not None:
        signal.pause()
    return 0


def _weights_at_last(settings: Env, model: LocalModel, paths: StackPaths, reporter: Reporter) -> Path:
    """Tries until it has them: a network comes back, a disk is cleared."""
    while True:
        try:
            return weights.resolve(
                model, paths.models, users_file=settings.memweb_local_model_file, progress=reporter.progress
            )
        except (WeightsError, OSError) as error:
            reporter.stage("failed", f"{error} memweb tries again in a minute.")
            time.sleep(RETRY_PAUSE)


def _start_server(settings: Env, model: LocalModel, file: Path) -> object:
    """The server lives in threads of the object returned. Its key keeps other web pages out: its CORS is open."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # read when the library is loaded, which is why it is loaded here
    import xllamacpp

    address = urlsplit(_base(settings))
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {model.name}
    params.hostnames = [address.hostname or "127.0.0.1"]
    params.port = address.port or 0
    if settings.memweb_local_model_key is not None:
        params.api_keys = [settings.memweb_local_model_key.get_secret_value()]
    params.n_ctx = CONTEXT_IN_ALL
    params.n_parallel = SLOTS
    params.kv_unified = True
    params.cache_idle_slots = False  # the library would empty every idle slot, and with it the prefixes kept warm
    params.cache_ram_mib = 0
    params.ui = False
    params.verbosity = LOG_WARNINGS
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = processors()
        threads.poll = 0
    return xllamacpp.Server(params)


def processors() -> int:
    """Those we may use; more threads than that make it ten times slower, since they spin."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _base(settings: Env) -> str:
    url = settings.memweb_local_model_url or ""
    if not urlsplit(url).port:
        raise SystemExit("MEMWEB_LOCAL_MODEL_URL is not set. `memweb up` sets it; this program is not started by hand.")
    return url.removesuffix("/v1")


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"The local model did not answer within {START_TIMEOUT:.0f} seconds.")


def _warm(settings: Env, url: str) -> None:
    """Have each slot read the beginning of its prompts now, so that nobody waits for it with their first message."""
    key = settings.memweb_local_model_key.get_secret_value() if settings.memweb_local_model_key else ""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    for slot, messages in guided.warm_prompts():
        body = json.dumps({"messages": messages, "max_tokens": 1, "id_slot": slot, "cache_prompt": True}).encode()
        request = urllib.request.Request(f"{url}/v1/chat/completions", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=START_TIMEOUT):
            pass


if __name__ == "__main__":
    sys.exit(main())
