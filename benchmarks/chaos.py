"""Nothing is lost: the whole product under kill -9, stopped processes and a failing endpoint, then an audit by SQL.

    python benchmarks/chaos.py [--agents 8] [--messages 600] [--kills 30] [--faults 60] [--seed 1] [--keep]
    python benchmarks/chaos.py --summaries 50

Starts memweb in a temporary data folder with a scripted model behind HTTP. Half of the senders use the page's form,
half `/v1` with a token; one that got no answer sends again with the same key. At moments that the seed chooses,
processes are killed (or stopped, which the supervisor has to notice), now and then the supervisor itself, which is then
started again. After each blow a message is sent at once, and the table tells how long its reply took. The exit code is
1 if any count of `chaos_audit` is wrong. Some five minutes; `tests/e2e/test_chaos.py` is the short form.

`--summaries N` measures something else: one person's N summaries and embeddings hang at a silent endpoint; how long do
another's take beside them, and a run whose worker is killed?
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx
import psycopg

from agents.llm.scripted import ScriptedServer
from benchmarks.chaos_audit import Books, Count, audit, failures
from benchmarks.chaos_beside import beside
from benchmarks.chaos_model import Model, Said
from benchmarks.process_usage import processes_of
from benchmarks.product import Product
from memweb.client import Client, MemwebError, create_client
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.paths import StackPaths

SETTINGS = {
    "MEMWEB_EMBEDDINGS": "hash",
    "MEMWEB_CONTEXT_WINDOW": "8192",
    "MEMWEB_REQUEST_TIMEOUT": "8",
    "MEMWEB_API_REQUESTS_PER_MINUTE": "1000000",
}
KILLED = {  # what may be killed, and how often beside the others
    "worker-runs": 8,
    "worker-background": 3,
    "worker-ingest": 3,
    "web": 4,
    "beat": 2,
    "valkey": 3,
    "postgres": 3,
    "preloaded": 1,
    "memweb up": 2,
}
STOPPED = {"worker-runs": 1, "web": 1, "valkey": 1, "postgres": 1}  # likewise, by SIGSTOP
SUPERVISOR = "memweb up"
LONGEST = 180.0  # seconds for anything to come right again
PAUSE = 0.1  # seconds between two tries

PEOPLE = """
import json
from django.contrib.auth.models import User
from django.urls import reverse
from agents import services
from chat.login_tokens import login_tokens
user = User.objects.create_superuser("chaos")
draft = lambda n: services.AgentDraft(name=f"Agent {{n}}", persona="I keep the lamp.", human="Name: Ada.")
agents = [str(services.agent_create(owner=user, draft=draft(n)).pk) for n in range({agents})]
token = services.token_create(owner=user, name="a program")[1]
print(json.dumps([agents, reverse("enter", args=[user.pk, login_tokens.make_token(user)]), token]))
"""


@dataclass(frozen=True)
class Blow:
    """What is done to which process."""

    victim: str
    number: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return self.victim if self.number == signal.SIGKILL else f"{self.victim} (stopped)"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All of it follows from these. `blows` are chosen by the seed unless they are given."""

    agents: int = 8
    messages: int = 600
    kills: int = 30
    faults: int = 60
    documents: int = 6
    seed: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    given: tuple[Blow, ...] = ()

    @property
    def blows(self) -> Sequence[Blow]:
        """Each kind once, as far as there is room for it, then by weight."""
        if self.given:
            return self.given
        chance = random.Random(self.seed)
        weights = {Blow(name): weight for name, weight in KILLED.items()}
        weights |= {Blow(name, signal.SIGSTOP): weight for name, weight in STOPPED.items()}
        blows = [*weights, *chance.choices(list(weights), list(weights.values()), k=self.kills)][: self.kills]
        return chance.sample(blows, len(blows))


@dataclass(frozen=True)
class Result:
    """`replies` are the seconds from a blow to the reply to what was said at that moment."""

    counts: list[Count]
    replies: list[tuple[Blow, float]]
    reasons: dict[str, int]
    faults: dict[str, int]
    seconds: float

    @property
    def good(self) -> bool:
        return not any(count.wrong for count in self.counts)

    def __str__(self) -> str:
        lines = [f"{'counted':66}{'looked at':>10}{'wrong':>7}"]
        for count in self.counts:
            lines.append(f"{count.what:66}{count.looked_at:10}{len(count.wrong):7}")
            lines += [f"    {sentence}" for sentence in count.wrong[:10]]
        by_victim = defaultdict(list)
        for blow, seconds in self.replies:
            by_victim[str(blow)].append(seconds)
        lines.append(f"\n{'seconds from the blow to the next reply':46}{'blows':>10}{'median':>10}{'worst':>10}")
        for victim, times in sorted(by_victim.items()):
            lines.append(f"{victim:46}{len(times):10}{statistics.median(times):10.1f}{max(times):10.1f}")
        lines += ["", "faults of the endpoint: " + ", ".join(f"{n} x {kind}" for kind, n in self.faults.items())]
        lines += [f"runs that failed: {n} x {reason}" for reason, n in self.reasons.items()]
        return "\n".join([*lines, f"\n{'as it should be' if self.good else 'WRONG'}, {self.seconds:.0f} s"])


class Storm:
    """The product, who sends to it, and who strikes it."""

    def __init__(self, plan: Plan, home: Path, model: ScriptedServer) -> None:
        self.plan = plan
        self.product = Product(home, {**SETTINGS, "OPENAI_BASE_URL": model.url, **plan.settings})
        self.url = f"http://127.0.0.1:{self.product.port}"
        self.database = StackPaths(home).database_url
        self.accepted: list[Said] = []
        self._struck = 0
        self._given_up = False
        self._moved = threading.Condition()

    def people(self) -> None:
        """Agents, one more for what is said at each blow, and the ways in."""
        program = PEOPLE.format(agents=self.plan.agents + 1)
        told = json.loads(managed(self.product, "shell", "--no-imports", "-c", program))
        (*self.agents, self.watched), self.enter, self.token = told

    def messages(self) -> list[list[Said]]:
        """By agent; `wants` by seed."""
        chance = random.Random(f"{self.plan.seed} messages")
        agents = itertools.cycle(self.agents)
        wants = [chance.choice(("append", "insert", "answer")) for _ in range(self.plan.messages)]
        said = [Said(next(agents), f"mark-{number}", want) for number, want in enumerate(wants)]
        return [[one for one in said if one.agent == agent] for agent in self.agents]

    def send_all(self, number: int, messages: list[Said]) -> None:
        """One agent's messages, as many for each blow as for any other, through one of the two doors."""
        with ExitStack() as stack:
            send = self._page(stack) if number % 2 else self._program(stack)
            for at, said in enumerate(messages):
                due = at * len(self.plan.blows) // len(messages)
                with self._moved:
                    self._moved.wait_for(partial(self._is_due, due))
                self._insist(partial(send, said))
                self.accepted.append(said)

    def _is_due(self, blows: int) -> bool:
        return self._struck >= blows or self._given_up

    def load_all(self, folder: Path) -> None:
        """One document after the other."""
        with create_client(self.url, self.token) as client:
            archive = self._insist(lambda: client.create_archive("shelf"))
            for number in range(self.plan.documents):
                file = folder / f"document-{number}.txt"
                file.write_text("\n\n".join(f"Day {day} of log {number}: fog. " * 20 for day in range(200)))
                self._insist(partial(_loaded, client, file, archive.id))

    def strike_all(self) -> Iterator[tuple[Blow, float]]:
        """Each blow, with the seconds until the reply to what was said at that moment."""
        chance = random.Random(f"{self.plan.seed} moments")
        with ExitStack() as stack:
            send = self._program(stack)
            for number, blow in enumerate(self.plan.blows):
                time.sleep(chance.uniform(0.3, 3.0))
                said = Said(self.watched, f"mark-{number}-watched", "answer")
                started = time.monotonic()
                self.strike(blow)
                with self._moved:
                    self._struck += 1
                    self._moved.notify_all()
                self._insist(partial(send, said))
                self.accepted.append(said)
                self.until_quiet_for(said)
                yield blow, time.monotonic() - started

    def strike(self, blow: Blow) -> None:
        """Only what this product runs, by its process id; the supervisor is started again by us."""
        if blow.victim == SUPERVISOR:
            self.product.process.kill()
            self.product.process.wait()
            self.product.start()
            return
        pid = self._insist(lambda: processes_of(self.product.process.pid)[blow.victim])
        os.kill(pid, blow.number)

    def until_quiet_for(self, said: Said) -> None:
        """Until its run is over."""
        statement = """
            SELECT count(*) FROM agents_run AS run JOIN agents_message AS event ON event.id = run.event_id
            WHERE event.agent_id = %s AND event.content = %s AND run.finished_at IS NOT NULL
        """

        def look() -> None:
            with psycopg.connect(self.database, connect_timeout=5) as connection:
                if not connection.execute(statement, [said.agent, said.text]).fetchone()[0]:  # type: ignore[index]
                    raise LookupError(f"{said.mark} is not over")

        self._insist(look)

    def books(self) -> list[Count]:
        """Wait until nothing is at work, then count. What is still at work when patience ends is counted as that."""
        deadline = time.monotonic() + LONGEST
        while True:
            with suppress(psycopg.OperationalError), psycopg.connect(self.database, autocommit=True) as connection:
                books = Books(connection, self.accepted, self.plan.documents)
                if books.quiet or time.monotonic() > deadline:
                    self.reasons = dict(failures(books))
                    return audit(books)
            time.sleep(PAUSE)

    def give_up(self) -> None:
        """Let nobody wait any more."""
        with self._moved:
            self._given_up = True
            self._moved.notify_all()

    def _insist(self, act: Callable[[], Any]) -> Any:
        """Until it succeeds: nobody knows what became of a request that got no answer."""
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                return act()
            except (httpx.HTTPError, MemwebError, psycopg.Error, LookupError):
                if time.monotonic() > deadline or self._given_up:
                    raise
                time.sleep(PAUSE)

    def _program(self, stack: ExitStack) -> Callable[[Said], None]:
        client = stack.enter_context(create_client(self.url, self.token, silence=10))

        def send(said: Said) -> None:
            client.send_message(agent_id=f"agent-{said.agent}", message=said.text, key=said.mark)

        return send

    def _page(self, stack: ExitStack) -> Callable[[Said], None]:
        browser = stack.enter_context(httpx.Client(base_url=self.url, timeout=10, cookies=self.cookies))

        def send(said: Said) -> None:
            form = {"text": said.text, "key": said.mark}
            headers = {"X-CSRFToken": self.cookies["csrftoken"], "HX-Request": "true"}
            answer = browser.post(f"/agents/{said.agent}/messages/", data=form, headers=headers)
            if answer.raise_for_status().headers.get("HX-Trigger", "").find("memweb:sent") < 0:
                raise AssertionError(f"{answer.status_code} {answer.text}")

        return send

    def log_in(self) -> None:
        """With the address that can be used once; all senders of the page share the session."""
        with httpx.Client(base_url=self.url, timeout=30, follow_redirects=True) as browser:
            browser.get(self.enter).raise_for_status()
            self.cookies = dict(browser.cookies)


def _loaded(client: Client, file: Path, archive: str) -> None:
    (loaded,) = client.load_documents(file, archive_id=archive, same_name="skip")
    if loaded.document is None:
        raise LookupError(loaded.error)


def managed(product: Product, *arguments: str) -> str:
    """What a management command prints last."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=PROJECT_FOLDER, env=product.environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()[-1]


@contextmanager
def own_home(keep: bool = False) -> Iterator[Path]:
    """A temporary data folder."""
    home = Path(tempfile.mkdtemp(prefix="memweb-chaos-"))
    home.chmod(0o711)  # PostgreSQL's own user has to pass
    try:
        yield home
    finally:
        if keep:
            print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def run(plan: Plan, *, tell: Callable[[str], None] = lambda _line: None, keep: bool = False) -> Result:
    """The whole of it: start, send and strike, wait until all is quiet, count."""
    started = time.monotonic()
    marks = [f"mark-{number}" for number in range(plan.messages)]
    faulty = random.Random(f"{plan.seed} faults").sample(marks, min(plan.faults, len(marks)))
    model = Model(plan.seed, faulty)
    with own_home(keep) as home, ScriptedServer(model) as server:
        storm = Storm(plan, home, server)
        try:
            storm.product.start()
            storm.people()
            storm.log_in()
            replies = _weathered(storm, home, tell)
            counts = storm.books()
        finally:
            storm.product.stop()
        return Result(counts, replies, storm.reasons, dict(model.failed), time.monotonic() - started)


def _weathered(storm: Storm, home: Path, tell: Callable[[str], None]) -> list[tuple[Blow, float]]:
    """Everything sent, every blow dealt. Raises what went wrong with any of it."""
    replies = []
    with ThreadPoolExecutor(storm.plan.agents + 1) as threads:
        try:
            work = [threads.submit(storm.send_all, *sent) for sent in enumerate(storm.messages())]
            work.append(threads.submit(storm.load_all, home))
            for blow, seconds in storm.strike_all():
                replies.append((blow, seconds))
                tell(f"{len(replies):3} {blow}: {seconds:.1f} s, {len(storm.accepted)} messages taken")
                for done in work:
                    if done.done():
                        done.result()
            for done in work:
                done.result()
        except BaseException:
            storm.give_up()
            raise
    return replies


def measured(summaries: int, keep: bool) -> int:
    """Print what one person's hanging tasks cost others; 1 if any waited for too long."""
    late = 0
    with own_home(keep) as home:
        for what, seconds, most in beside(summaries, home, managed):
            late += seconds > most
            print(f"{what:66}{seconds:8.1f} s  {'LATE' if seconds > most else 'within'} {most:g} s", flush=True)
    return 1 if late else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("agents", 8), ("messages", 600), ("kills", 30), ("faults", 60), ("documents", 6), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--summaries", type=int, default=0, help="measure what waits for so many that hang instead")
    parser.add_argument("--keep", action="store_true", help="leave the data folder, with its logs, where it is")
    options = vars(parser.parse_args())
    keep, summaries = options.pop("keep"), options.pop("summaries")
    if summaries:
        return measured(summaries, keep)
    result = run(Plan(**options), tell=lambda line: print(line, flush=True), keep=keep)
    print(f"\n{result}")
    return 0 if result.good else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # threads of the scripted model may still wait
