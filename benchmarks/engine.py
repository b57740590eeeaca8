"""What a message costs: CPU of every process, time to the first token, many agents at once, memory, start and rest.

    python benchmarks/engine.py [--json OUT] [--history 100000] [--only message,first-token,...]

Starts the whole product in a temporary data folder with a scripted model behind HTTP in this process, which is not
counted, and asks the bare `openai` client the same beside it. Embeddings are word hashes: a model's own time is not
what is measured. The page is looked at in chromium, which is not counted either. Minutes, most of them for filling the
long history. `make bench-smoke` tells where the CPU of a message goes, layer by layer.
"""

import argparse
import json
import os
import statistics
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import Answer, Request, ScriptedServer, say
from benchmarks.process_usage import Usage, usage_of
from benchmarks.product import Product, running

SETTINGS = {"MEMWEB_EMBEDDINGS": "hash", "MEMWEB_CONTEXT_WINDOW": "8192"}
OWNER = "bench"
FEW = 10  # messages of a short history
MESSAGES = 20  # that a figure is the mean of
REST_SECONDS = 20


@dataclass(frozen=True)
class Figure:
    """One line of the table; `goal` is what `value` should not pass."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    more: bool = False  # `value` should reach the goal

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        reached = self.value >= self.goal if self.more else self.value <= self.goal
        return f"{'within' if reached else 'MISSES'} {self.goal:g}"


class Browser:
    """A person's HTTP session, without a page."""

    def __init__(self, product: Product) -> None:
        self.base = f"http://127.0.0.1:{product.port}"
        self.cookies = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        with self.opener.open(product.login_url(OWNER)) as answer:
            answer.read()

    def send(self, agent_id: Any, text: str) -> None:
        token = next(cookie.value for cookie in self.cookies if cookie.name == "csrftoken") or ""
        data = urlencode({"text": text, "key": uuid.uuid4().hex}).encode()
        headers = {"X-CSRFToken": token, "HX-Request": "true"}
        url = f"{self.base}/agents/{agent_id}/messages/"
        with self.opener.open(urllib.request.Request(url, data=data, headers=headers)) as answer:
            answer.read()


class Model:
    """The scripted model: how long it takes, how many calls it is answering, and when each began."""

    def __init__(self) -> None:
        self.seconds = self.summary_seconds = 0.0
        self.at_once = self.most_at_once = 0
        self.began: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            self.began.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds if "tools" in request else self.summary_seconds)
        with self._lock:
            self.at_once -= 1
        return say("This is a reply of a sentence or so, as a model gives it in a short turn.", piece=30)


class Bench:
    """The running product, a browser's session, the model and the agents."""

    def __init__(self, product: Product, server: ScriptedServer, model: Model) -> None:
        from django.contrib.auth.models import User

        self.owner, _new = User.objects.get_or_create(username=OWNER)
        self.product, self.server, self.model = product, server, model
        self.browser = Browser(product)

    def agents(self, count: int, prefix: str) -> list[Any]:
        from agents import services

        drafts = (
            services.AgentDraft(name=f"{prefix} {n}", persona="I keep the lamp.", human="Name: Ada.")
            for n in range(count)
        )
        return [services.agent_create(owner=self.owner, draft=draft) for draft in drafts]

    def exchange(self, agent: Any, text: str = "How is the harbour today?") -> None:
        self.browser.send(agent.pk, text)
        self.wait_for([agent])

    def wait_for(self, agents: list[Any], pause: float = 0.03) -> None:
        from agents.models import Run

        left = Run.objects.filter(agent__in=agents, status__in=["queued", "running"])
        while left.exists():
            time.sleep(pause)

    def usage(self) -> dict[str, Usage]:
        return usage_of(self.product.process.pid)

    def cpu(self, work: Callable[[], None]) -> dict[str, float]:
        """Milliseconds of CPU by process while `work` is done and until its messages are embedded."""
        before = self.usage()
        work()
        time.sleep(5)
        after = self.usage()
        return {name: 1000 * (after[name].cpu - before[name].cpu) for name in after if name in before}


def message_cpu(bench: Bench, agent: Any, name: str, goal: float | None) -> Iterator[Figure]:
    bench.exchange(agent)
    rest = bench.cpu(lambda: None)

    def work() -> None:
        for number in range(MESSAGES):
            bench.exchange(agent, f"How is the harbour on day {number}?")

    started = time.monotonic()
    spent = bench.cpu(work)
    seconds = time.monotonic() - started
    each = {process: (ms - rest.get(process, 0) * seconds / 5) / MESSAGES for process, ms in spent.items()}
    yield Figure(f"CPU of a one-step message, {name}", sum(each.values()), "ms", goal)
    for process, ms in sorted(each.items(), key=lambda item: -item[1]):
        if ms >= 0.5:
            yield Figure(f"    {process}", ms, "ms")


def messages(bench: Bench, history: int) -> Iterator[Figure]:
    from benchmarks.agent_rows import lengthen

    (short,) = bench.agents(1, "Short")
    for _ in range(FEW // 3):
        bench.exchange(short)
    figures = list(message_cpu(bench, short, f"{FEW} messages of history", 45))
    yield from figures
    if history:
        (long,) = bench.agents(1, "Long")
        lengthen(long, history)
        yield from message_cpu(bench, long, f"{history:,} messages", 1.15 * figures[0].value)


def page_open(bench: Bench) -> Iterator[Figure]:
    """The same while somebody looks at it."""
    from benchmarks.page import browser_context

    (agent,) = bench.agents(1, "Looked at")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright's loop runs in this thread, which asks the database
    with browser_context() as browser:
        page = browser.new_page()
        page.goto(bench.product.login_url(OWNER))
        page.goto(f"{bench.browser.base}/agents/{agent.pk}/")
        page.wait_for_selector(f"text={agent.name}")
        figures = list(message_cpu(bench, agent, "one page open", 80))
    yield from figures


def overflow(bench: Bench) -> Iterator[Figure]:
    """Messages that fill the window several times over; the wait for a reply must never be that for a summary."""
    (agent,) = bench.agents(1, "Full")
    text = "The harbour was grey and the gulls were loud over the pier. " * 40
    bench.model.summary_seconds = 10.0
    waits = []
    for number in range(20):
        started = time.monotonic()
        bench.exchange(agent, f"{number}. {text}")
        waits.append(time.monotonic() - started)
    bench.model.summary_seconds = 0.0
    agent.refresh_from_db()
    assert agent.queue_start > 1, "the window never overflowed"
    yield Figure("window overflow, summary takes 10 s: longest wait", max(waits), "s", 1)


def first_token(bench: Bench) -> Iterator[Figure]:
    """From the POST to the model's first byte, over that of the bare client: what memweb adds before the model."""
    from openai import OpenAI

    (agent,) = bench.agents(1, "First")
    bench.exchange(agent)
    request = bench.server.requests[-1]
    client = OpenAI(base_url=bench.server.url, api_key="none")
    for count, goal in ((1, 25), (8, 80)):
        agents = bench.agents(count, f"First of {count}")
        for one in agents:
            bench.exchange(one)
        bare, ours = [], []
        for _ in range(7):
            started = time.monotonic()
            stream: Any = client.chat.completions.create(**request)
            with stream:
                next(iter(stream))
            bare.append(bench.model.began[-1] - started)
            seen, started = len(bench.model.began), time.monotonic()
            senders = [threading.Thread(target=bench.browser.send, args=(one.pk, "And now?")) for one in agents]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            bench.wait_for(agents)
            ours.append(statistics.fmean(bench.model.began[seen:]) - started)
        added = 1000 * (statistics.median(ours) - statistics.median(bare))
        yield Figure(f"model asked after the POST, over the bare client: {count} at once", added, "ms", goal)


def crowd(bench: Bench, count: int, seconds: float, goal: float) -> Iterator[Figure]:
    agents = bench.agents(count, f"Crowd of {count}")
    bench.model.seconds, bench.model.most_at_once = seconds, 0
    started = time.monotonic()
    for agent in agents:
        bench.browser.send(agent.pk, "Hello")
    bench.wait_for(agents, 0.1)
    wall = time.monotonic() - started
    bench.model.seconds = 0
    yield Figure(
        f"{count} agents, model takes {seconds:g} s: calls in flight", bench.model.most_at_once, "", count, True
    )
    yield Figure(f"{count} agents, model takes {seconds:g} s: wall", wall, "s", goal)


def burst(bench: Bench) -> Iterator[Figure]:
    agents = bench.agents(32, "Burst")
    started = time.monotonic()
    for _ in range(3):
        for agent in agents:
            bench.browser.send(agent.pk, "Hello")
    bench.wait_for(agents, 0.05)
    yield Figure("burst of 32 agents", 96 / (time.monotonic() - started), "messages/s", 25, True)


def rest(bench: Bench) -> Iterator[Figure]:
    used = bench.usage()
    yield Figure("memory at rest, whole stack (PSS)", sum(one.pss for one in used.values()) / 1e6, "MB", 480)
    for name, one in sorted(used.items(), key=lambda item: -item[1].pss):
        yield Figure(f"    {name}", one.pss / 1e6, "MB")
    spent = bench.cpu(lambda: time.sleep(REST_SECONDS - 5))
    yield Figure("idle CPU, nobody there", sum(spent.values()) / REST_SECONDS, "ms/s", 6)
    for name, ms in sorted(spent.items(), key=lambda item: -item[1]):
        if ms / REST_SECONDS >= 0.2:
            yield Figure(f"    {name}", ms / REST_SECONDS, "ms/s")


def measure(history: int, only: list[str]) -> Iterator[Figure]:
    model = Model()
    with ScriptedServer(model) as server, running({**SETTINGS, "OPENAI_BASE_URL": server.url}) as product:
        ready = usage_of(product.process.pid)
        yield Figure("CPU from start to ready", sum(one.cpu for one in ready.values()), "s", 14)
        bench = Bench(product, server, model)
        parts: dict[str, Callable[[], Iterator[Figure]]] = {
            "rest": lambda: rest(bench),
            "message": lambda: messages(bench, history),
            "page": lambda: page_open(bench),
            "overflow": lambda: overflow(bench),
            "first-token": lambda: first_token(bench),
            "crowd": lambda: crowd(bench, 32, 3, 4.5),
            "large-crowd": lambda: crowd(bench, 200, 5, 8),
            "burst": lambda: burst(bench),
        }
        for name, part in parts.items():
            if not only or name in only:
                yield from part()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--history", type=int, default=100_000, help="messages of the long history; 0: none")
    parser.add_argument("--only", default="", help="parts, separated by commas")
    options = parser.parse_args()
    figures = []
    for figure in measure(options.history, [part for part in options.only.split(",") if part]):
        print(f"{figure.name:72}{figure.value:10.1f} {figure.unit:12} {figure.verdict}", flush=True)
        figures.append(figure)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()
    os._exit(0)  # threads of the scripted model may still wait
