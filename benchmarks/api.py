"""What it costs to come in by the doors for programs: beside the same message sent by the page; streams; many at once.

    python benchmarks/api.py [--json OUT] [--waiting 200]

Starts the whole product in a temporary data folder with a scripted model behind HTTP in this process, which is not
counted. The ways to send alternate in one run, so that what else the machine does falls on all of them alike. About
two minutes.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import Answer, Request, ScriptedServer, say
from benchmarks.engine import SETTINGS, Bench, Figure, Model
from benchmarks.process_usage import usage_of
from benchmarks.product import running

ROUNDS = 5
EACH = 8  # messages by each way and round
TOKENS = 1500
LONG = "Write much."
WAITING_SECONDS = 8.0  # that the model takes while many wait


class TalkativeModel(Model):
    """As the engine's; asked to write much, it writes a token at a time, two hundred a second."""

    def __call__(self, request: Request) -> Answer:
        if LONG in json.dumps(request["messages"][-1]):
            return say("word " * TOKENS, thoughts="", piece=5, pause=0.005)
        return super().__call__(request)


class Program:
    """A program with a token."""

    def __init__(self, bench: Bench) -> None:
        from agents import services

        token = services.token_create(owner=bench.owner, name="bench")[1]
        self.url = bench.browser.base
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=self.url, headers=self.headers, timeout=120)

    def letta(self, agent: Any, text: str) -> None:
        answer = self.client.post(f"/v1/agents/agent-{agent.pk}/messages", json={"input": text})
        assert answer.json()["messages"][-1]["message_type"] == "assistant_message", answer.text

    def openai(self, agent: Any, text: str) -> None:
        messages = [{"role": "user", "content": text}]
        answer = self.client.post("/openai/v1/chat/completions", json={"model": agent.name, "messages": messages})
        assert answer.json()["choices"][0]["message"]["content"], answer.text

    def first_event(self, agent: Any, text: str) -> float:
        """Seconds from the request to the first event, less those that the model took to be asked."""
        started = time.monotonic()
        body = {"input": text, "streaming": True, "stream_tokens": True}
        with self.client.stream("POST", f"/v1/agents/agent-{agent.pk}/messages", json=body) as answer:
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            first = time.monotonic() - started
            for _line in lines:
                pass
        return first


def overhead(bench: Bench, program: Program) -> Iterator[Figure]:
    """Seconds until the run's end, and CPU of all processes, by each way."""
    (agent,) = bench.agents(1, "Overhead")
    ways: dict[str, Callable[[Any, str], None]] = {
        "page": bench.exchange,
        "POST /v1/agents/{id}/messages": program.letta,
        "POST /openai/v1/chat/completions": program.openai,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    for way in ways.values():
        way(agent, "The first of all.")
    for number in range(ROUNDS):
        for name, way in ways.items():
            before = _cpu(bench)
            for message in range(EACH):
                started = time.monotonic()
                way(agent, f"How is the harbour on day {number}.{message}?")
                seconds[name].append(time.monotonic() - started)
            cpu[name] += _cpu(bench) - before
    count = ROUNDS * EACH
    page_ms, page_cpu = 1000 * statistics.median(seconds["page"]), 1000 * cpu["page"] / count
    yield Figure("by the page: until its run has ended", page_ms, "ms")
    yield Figure("by the page: CPU of all processes", page_cpu, "ms")
    for name in list(ways)[1:]:
        yield Figure(f"{name}: over the page", 1000 * statistics.median(seconds[name]) - page_ms, "ms")
        yield Figure(f"{name}: CPU over the page", 1000 * cpu[name] / count - page_cpu, "ms")


def _cpu(bench: Bench) -> float:
    return sum(usage.cpu for usage in bench.usage().values())


def first_events(bench: Bench, program: Program) -> Iterator[Figure]:
    (agent,) = bench.agents(1, "Stream")
    firsts = []
    for number in range(20):
        bench.model.began.clear()
        firsts.append(program.first_event(agent, f"How is the harbour on day {number}?"))
    yield Figure("first event of a stream after the POST", 1000 * statistics.median(firsts), "ms")


def tokens(bench: Bench, program: Program) -> Iterator[Figure]:
    """CPU of a long answer, streamed token by token to a program; the same without a stream beside it."""
    agents = bench.agents(2, "Long")

    def streamed() -> None:
        program.first_event(agents[0], LONG)

    def waited() -> None:
        program.letta(agents[1], LONG)

    for name, work in (("streamed", streamed), ("waited for", waited)):
        before = bench.usage()
        work()
        after = bench.usage()
        whole = sum(after[p].cpu - before[p].cpu for p in after if p in before)
        web = after["web"].cpu - before["web"].cpu
        yield Figure(f"CPU of an answer of {TOKENS} tokens, {name}: a token", 1e6 * whole / TOKENS, "µs")
        yield Figure("    of it the web process", 1e6 * web / TOKENS, "µs")


def many_waiting(bench: Bench, program: Program, count: int) -> Iterator[Figure]:
    """Requests that wait at once, each for an agent of its own."""
    agents = bench.agents(count, "Waiting")
    bench.model.seconds, bench.model.most_at_once = WAITING_SECONDS, 0
    before = usage_of(bench.product.process.pid)["web"]
    peaks: list[int] = []

    async def ask(client: httpx.AsyncClient, agent: Any) -> bool:
        answer = await client.post(f"/v1/agents/agent-{agent.pk}/messages", json={"input": "Are you there?"})
        return bool(answer.status_code == 200 and answer.json()["stop_reason"]["stop_reason"] == "end_turn")

    async def watch(done: Callable[[], bool]) -> None:
        while not done():
            peaks.append((await asyncio.to_thread(usage_of, bench.product.process.pid))["web"].pss)
            await asyncio.sleep(0.5)

    async def everybody() -> list[bool]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=program.url, headers=program.headers, timeout=300, limits=limits
        ) as client:
            asking: list[Awaitable[bool]] = [ask(client, agent) for agent in agents]
            whole = asyncio.gather(*asking)
            watching = asyncio.create_task(watch(whole.done))
            answered = await whole
            await watching
            return answered

    started = time.monotonic()
    answered = asyncio.run(everybody())
    took = time.monotonic() - started
    bench.model.seconds = 0.0
    yield Figure(f"{count} requests wait at once: answered", sum(answered), "", count, more=True)
    yield Figure(f"    all of them after (the model takes {WAITING_SECONDS:g} s)", took, "s")
    yield Figure("    memory of the web process over its rest, at most", (max(peaks) - before.pss) / 2**20, "MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--waiting", type=int, default=200, help="requests that wait at once")
    options = parser.parse_args()
    model = TalkativeModel()
    figures: list[Figure] = []
    with ScriptedServer(model) as server:
        settings = {**SETTINGS, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none", "MEMWEB_MODEL": "scripted"}
        with running(settings | {"MEMWEB_API_REQUESTS_PER_MINUTE": "100000"}) as product:
            bench = Bench(product, server, model)
            program = Program(bench)
            for part in (
                overhead(bench, program),
                first_events(bench, program),
                tokens(bench, program),
                many_waiting(bench, program, options.waiting),
            ):
                for figure in part:
                    print(f"{figure.name:<72} {figure.value:>10,.1f} {figure.unit:<3} {figure.verdict}", flush=True)
                    figures.append(figure)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()
