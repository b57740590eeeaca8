"""The local model's process, `python -m memweb.local_model`: gets the weights, then serves them on loopback."""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from agents.llm import guided
from memweb.stack import weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.env import Env, env
from memweb.stack.exceptions import WeightsError
from memweb.stack.fetching import RETRY_PAUSE, Fetches, Interrupted, Progress
from memweb.stack.model_state import ModelState, Stage, read_state, write_state
from memweb.stack.paths import StackPaths
from memweb.stack.wishes import Wishes, change_wishes, own_file, read_wishes, to_serve

SLOTS = len(guided.SLOTS) + 1  # guided mode keeps one prompt's prefix warm in each; the last is for summaries
CONTEXT_IN_ALL = 16_384  # tokens that the slots share: 0.5 GB for the 1.5B model
START_TIMEOUT = 180.0  # seconds; a slow disk reads a gigabyte in that
IDLE_PATIENCE = 60.0  # seconds for answers that have begun, before another model takes the place
LOOK_SECONDS = 0.5  # between two looks at what is wished
LOG_WARNINGS = 2  # the library's number for it; more would be several lines for each request
MOST_FILES = 1024  # numbers of files that may be open


class Keeper:
    """Gets the model's weights, serves it, and fetches others meanwhile. For another model the process begins anew."""

    def __init__(self, settings: Env, paths: StackPaths, model: LocalModel) -> None:
        self._settings = settings
        self._paths = paths
        self._model = model
        self._url = _base(settings)
        self._server: object = None
        self._again_at = 0.0
        self._fetches = Fetches(paths, model.name, go_on=lambda wishes: not self._is_wanted(wishes))

    def look(self) -> None:
        """Do what is wished now. Call from the main thread, often."""
        wishes = read_wishes(self._paths)
        if self._is_to_change(wishes):
            self._begin_anew(to_serve(wishes, self._settings))
        if self._server is None and self._is_paused(wishes):
            self._tell("paused", f"The download of the local model {self._model.name} is paused.")
            self._again_at = 0.0
        elif self._is_due():
            self._serve()
        self._fetches.look()

    def _is_wanted(self, wishes: Wishes) -> bool:
        """For something more urgent than to fetch another model."""
        return self._is_to_change(wishes) or (self._is_due() and not self._is_paused(wishes))

    def _is_to_change(self, wishes: Wishes) -> bool:
        return to_serve(wishes, self._settings) != self._model

    def _is_paused(self, wishes: Wishes) -> bool:
        return wishes.models.get(self._model.name) == "pause"

    def _is_due(self) -> bool:
        return self._server is None and time.monotonic() >= self._again_at

    def _serve(self) -> None:
        """A download that fails is tried again later: a network comes back, a disk is cleared."""
        model, progress = self._model, Progress(self._model, self._write, self._is_still_wished, self._paths)
        own = own_file(model, self._settings)
        try:
            file = weights.resolve(model, self._paths.models, users_file=own, progress=progress)
        except Interrupted:
            return
        except (WeightsError, OSError) as error:
            self._again_at = time.monotonic() + RETRY_PAUSE
            self._tell("failed", f"{error} memweb tries again in a minute.")
            return
        change_wishes(self._paths, lambda now: now.without(model.name))
        self._tell("starting", f"Loading the local model {model.name}.")
        self._server = _start_server(self._settings, model, file)
        _wait_until_healthy(f"{self._url}/health")
        if model.function_mode == "guided":
            self._tell("warming", f"The local model {model.name} reads its instructions.")
            _warm(self._settings, self._url)
        self._tell("ready", f"The local model {model.name} is ready.")

    def _is_still_wished(self, wishes: Wishes) -> bool:
        return not self._is_to_change(wishes) and not self._is_paused(wishes)

    def _begin_anew(self, model: LocalModel) -> None:
        """The same program in the same process, with nothing of the old model in its memory. Who asks meanwhile finds
        nobody at the address, and waits."""
        message = f"Loading the local model {model.name}."
        self._write(ModelState("starting", message=message, model=model.name))
        print(message, flush=True)
        if self._server is not None:
            _wait_until_idle(self._settings, self._url)
        for number in range(3, MOST_FILES):
            with suppress(OSError):
                os.set_inheritable(number, False)  # else the old server's socket would stay open
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    def _tell(self, stage: Stage, message: str) -> None:
        """To the page and the terminal, once."""
        state = ModelState(stage, message=message, model=self._model.name)
        if read_state(self._paths) != state:
            self._write(state)
            print(message, flush=True)

    def _write(self, state: ModelState) -> None:
        write_state(self._paths, state)


def main() -> int:
    """Runs until it is killed. 1 when the settings are wrong."""
    settings = env()
    paths = StackPaths(settings.memweb_home)
    paths.create()
    try:
        model = to_serve(read_wishes(paths), settings)
    except WeightsError as error:
        write_state(paths, ModelState("failed", message=str(error), model=settings.memweb_local_model))
        print(error, flush=True)
        return 1
    keeper = Keeper(settings, paths, model)
    while True:
        keeper.look()
        time.sleep(LOOK_SECONDS)


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
    params.enable_reasoning = 0  # thinking would take a small machine minutes for each answer
    params.default_template_kwargs = {"enable_thinking": "false"}
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


def _wait_until_idle(settings: Env, url: str) -> None:
    """Answers that have begun are brought to their ends, if that takes no longer than `IDLE_PATIENCE`."""
    deadline = time.monotonic() + IDLE_PATIENCE
    with suppress(OSError, ValueError, http.client.HTTPException):
        while time.monotonic() < deadline:
            with urllib.request.urlopen(
                urllib.request.Request(f"{url}/slots", headers=_headers(settings)), timeout=5
            ) as answer:
                if not any(slot["is_processing"] for slot in json.load(answer)):
                    return
            time.sleep(0.2)


def _warm(settings: Env, url: str) -> None:
    """Have each slot read the beginning of its prompts now, so that nobody waits for it with their first message."""
    headers = {"Content-Type": "application/json", **_headers(settings)}
    for slot, messages in guided.warm_prompts():
        body = json.dumps({"messages": messages, "max_tokens": 1, "id_slot": slot, "cache_prompt": True}).encode()
        request = urllib.request.Request(f"{url}/v1/chat/completions", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=START_TIMEOUT):
            pass


def _headers(settings: Env) -> dict[str, str]:
    key = settings.memweb_local_model_key.get_secret_value() if settings.memweb_local_model_key else ""
    return {"Authorization": f"Bearer {key}"}


if __name__ == "__main__":
    sys.exit(main())
