"""What more processes bring: messages a second, CPU of a message and agents in flight, with and without PgBouncer.

    python benchmarks/scaling.py [--json OUT] [--times 3]

Starts PostgreSQL, Valkey and each program by hand as docs/scaling.md says, with a scripted model behind HTTP in this
process, which is not counted but runs on the same cores. The layouts alternate, figures are medians. Where all share
two cores, more processes cannot bring more messages a second: what they cost is what one sees, and what one core would
carry if it were alone. Some minutes.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import ScriptedServer
from benchmarks.database import database
from benchmarks.engine import SETTINGS, Bench, Browser, Model
from benchmarks.pgbouncer import missing, pgbouncer
from benchmarks.process_usage import usage_of
from memweb.stack.env import PROJECT_FOLDER, env
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port
from memweb.stack.valkey import Valkey

AGENTS, ROUNDS, SENDERS = 32, 3, 8  # of a burst
CROWD, MODEL_SECONDS = 200, 5.0
START_SECONDS = 60
NAMES = ("web", "worker-runs", "worker-background", "postgres", "valkey", "pgbouncer")


@dataclass(frozen=True)
class Layout:
    """So many web processes and as many workers of runs; both behind PgBouncer in transaction mode if `pooled`."""

    each: int
    pooled: bool

    def __str__(self) -> str:
        return f"{self.each} web + {self.each} runs{', PgBouncer' if self.pooled else ''}"


LAYOUTS = [Layout(each, pooled) for pooled in (False, True) for each in (1, 2)]


class Site:
    """A web process that was started by hand, as `engine.Browser` asks for one."""

    def __init__(self) -> None:
        self.port = free_port()

    def login_url(self, name: str) -> str:
        from django.contrib.auth.models import User
        from django.urls import reverse

        from chat.login_tokens import login_tokens

        person, _new = User.objects.get_or_create(username=name)
        return f"http://127.0.0.1:{self.port}" + reverse("enter", args=[person.pk, login_tokens.make_token(person)])

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz").close()
                return
            time.sleep(0.1)
        raise SystemExit("a web process does not answer")


class Crew(Bench):
    """Sends to several web processes in turn, from several threads."""

    def __init__(self, sites: Sequence[Site], server: ScriptedServer, model: Model) -> None:
        super().__init__(sites[0], server, model)  # type: ignore[arg-type]  # a product of one process
        self.browsers = [self.browser, *(Browser(site) for site in sites[1:])]  # type: ignore[arg-type]

    def send_all(self, count: int, rounds: int) -> float:
        """Seconds until `rounds` messages to each of so many new agents are answered."""
        agents = self.agents(count, f"Crew {time.monotonic()}")

        def send(number: int) -> None:
            browser = self.browsers[number % len(self.browsers)]
            browser.send(agents[number % count].pk, "How is the harbour today?")

        started = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as threads:
            list(threads.map(send, range(rounds * count)))
        self.wait_for(agents, 0.05)
        return time.monotonic() - started


@contextmanager
def started(layout: Layout, model_url: str) -> Iterator[list[Site]]:
    """Web processes that answer, and their workers."""
    with ExitStack() as stack:
        direct = StackPaths(env().memweb_home).database_url
        pooled = stack.enter_context(pgbouncer(direct, "transaction")) if layout.pooled else direct
        sites = [Site() for _ in range(layout.each)]
        programs = [("worker-background", direct, 0), ("beat", direct, 0)]
        programs += [("worker-runs", pooled, 0)] * layout.each + [("web", pooled, site.port) for site in sites]
        for name, url, port in programs:
            settings = {"DATABASE_URL": url, "OPENAI_BASE_URL": model_url, "MEMWEB_PORT": str(port or free_port())}
            stack.enter_context(_program(name, settings))
        for site in sites:
            site.wait()
        yield sites


@contextmanager
def _program(name: str, settings: dict[str, str]) -> Iterator[None]:
    environment = {**os.environ, **SETTINGS, "REDIS_URL": StackPaths(env().memweb_home).redis_url, **settings}
    command = [sys.executable, "-m", "memweb", "start", name]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=PROJECT_FOLDER, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def measure(layout: Layout, server: ScriptedServer, model: Model) -> dict[str, float]:
    with started(layout, server.url) as sites:
        crew = Crew(sites, server, model)
        crew.send_all(AGENTS, 1)  # warms up
        before = usage_of(os.getpid())
        seconds = crew.send_all(AGENTS, ROUNDS)
        after = usage_of(os.getpid())
        messages = AGENTS * ROUNDS
        each = {
            name: 1000 * (after[name].cpu - before[name].cpu) / messages
            for name in NAMES
            if name in before and name in after
        }
        model.seconds, model.most_at_once = MODEL_SECONDS, 0
        wall = crew.send_all(CROWD, 1)
        model.seconds = 0.0
    figures = {"messages a second": messages / seconds, "CPU of a message, ms": sum(each.values())}
    figures |= {f"    {name}": spent for name, spent in each.items()}
    return figures | {f"{CROWD} agents: in flight": model.most_at_once, f"{CROWD} agents: wall, s": wall}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--times", type=int, default=3, help="how often each layout is measured")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the programs are stopped then too
    layouts = [layout for layout in LAYOUTS if not (layout.pooled and missing())]
    if len(layouts) < len(LAYOUTS):
        print(f"Without PgBouncer: {missing()}.")
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    model = Model()
    with database() as _server, ScriptedServer(model) as server:
        valkey = Valkey(StackPaths(env().memweb_home), quiet=True)
        valkey.start()
        try:
            for _ in range(options.times):
                for layout in layouts:
                    figures = measure(layout, server, model)
                    print(layout, {name.strip(): round(value, 1) for name, value in figures.items()}, flush=True)
                    for name, value in figures.items():
                        taken[name][str(layout)].append(value)
        finally:
            valkey.stop()
    show(taken, [str(layout) for layout in layouts])
    if options.json:
        options.json.write_text(json.dumps(taken, indent=2))


def show(taken: dict[str, dict[str, list[float]]], layouts: Sequence[str]) -> None:
    """Medians, and beside them the ratio to the first layout."""
    print(f"{os.cpu_count()} cores, shared with the model and the senders")
    print(f"{'':28}" + "".join(f"{layout:>30}" for layout in layouts))
    for name, columns in taken.items():
        first = statistics.median(columns[layouts[0]]) if columns[layouts[0]] else 0
        cells = []
        for layout in layouts:
            value = statistics.median(columns[layout]) if columns[layout] else None
            ratio = f"({value / first:.2f}x)" if value is not None and first else ""
            cells.append(f"{'' if value is None else f'{value:.1f}':>20} {ratio:>9}")
        print(f"{name:28}" + "".join(cells))


if __name__ == "__main__":
    main()
    os._exit(0)  # threads of the scripted model may still wait
