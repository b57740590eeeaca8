"""What functions cost: a step of an agent that was given none, 20 and 100; a call of a function of one's own; a call of
an MCP server's beside the bare client.

    python benchmarks/functions.py [--turns 30] [--json OUT]

Turns are worked on in this process, as a worker does, against a scripted model behind HTTP with a window of 65,536, and
alternate between the three agents. `call` is the whole of a call: a process that loads the module, calls it and ends.
Calls of the MCP server (a program of the official package, over stdio) alternate between memweb's keeper and the
package's own client in this process; the first of each, which start the server, are not counted.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.database import database

if TYPE_CHECKING:
    from agents.models import Agent

PROJECT = Path(__file__).resolve().parent.parent
NUMBERS = (0, 20, 100)
MODULE = "from memweb.functions import function\n@function()\ndef add(a: int, b: int) -> int:\n    return a + b\n"
PARAMETERS = {
    "type": "object",
    "properties": {name: {"type": "string", "description": f"The {name} of it."} for name in ("place", "day", "unit")},
    "required": ["place"],
}


@dataclass(frozen=True)
class Given:
    """An agent with so many functions besides memweb's own. Times in ms, p50; CPU is of this process."""

    functions: int
    tokens: int
    step: float
    cpu: float


def agents() -> "dict[int, Agent]":
    from django.contrib.auth.models import User

    from agents import services
    from agents.models import FunctionSource, InstalledFunction

    owner = User.objects.create_user("bench")
    source = FunctionSource.objects.create(name="bench.py")
    names = [f"look_up_{number}" for number in range(max(NUMBERS))]
    InstalledFunction.objects.bulk_create(
        InstalledFunction(source=source, name=name, description=f"What is known of {name}.", parameters=PARAMETERS)
        for name in names
    )
    made = {}
    for number in NUMBERS:
        draft = services.AgentDraft(name=f"{number}", persona="p", human="h", context_window=65_536)
        made[number] = agent = services.agent_create(owner=owner, draft=draft)
        agent.attached_functions = names[:number]
        agent.save()
    return made


def measure(turns: int) -> list[Given]:
    from agents import services
    from agents.models import Step

    times: dict[int, list[tuple[float, float]]] = {number: [] for number in NUMBERS}
    made = agents()
    for turn in range(turns + 3):  # the first ones load what is needed
        for number, agent in made.items():
            services.message_send(agent=agent, text=f"Message {turn}.")
            took = taken(partial(services.run_next, agent_id=agent.pk))
            if turn >= 3:
                times[number].append(took)
    found = []
    for number, agent in made.items():
        step = Step.objects.filter(run__agent=agent).latest("pk")
        tokens = dict(step.sections)["functions"]
        walls, cpus = zip(*times[number], strict=True)
        found.append(Given(number, tokens, statistics.median(walls), statistics.median(cpus)))
    return found


def calls(number: int) -> list[float]:
    """Of a function that adds two numbers, in ms."""
    from memweb.functions import Call, sources

    with TemporaryDirectory() as folder:
        path = Path(folder, "add.py")
        path.write_text(MODULE)
        by = Call(id="1", agent="bench", agent_id="", person="")

        def call() -> str:
            return sources.call({"file": str(path)}, "add", '{"a": 1, "b": 2}', by=by, seconds=60, check=lambda: None)

        return [taken(call)[0] for _time in range(number)]


async def mcp_calls(number: int) -> dict[str, list[float]]:
    """By way, in ms: memweb's, and the bare client's."""
    from mcp import Client, StdioServerParameters

    from memweb.functions import servers

    with TemporaryDirectory() as folder:
        environment = {"COUNTED": str(Path(folder, "counted")), "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, str(PROJECT / "tests" / "mcp_server.py")]
        reach = {"command": command, "env": environment}
        servers.tools(0, reach)
        times: dict[str, list[float]] = {"memweb": [], "bare": []}
        call = partial(servers.call, 0, reach, "lookup", {"word": "heron"}, seconds=60, check=lambda: None)
        async with Client(StdioServerParameters(command=command[0], args=command[1:], env=environment)) as client:
            await client.list_tools()
            for _time in range(number):
                times["memweb"].append(taken(call)[0])
                started = time.perf_counter()
                await client.call_tool("lookup", {"word": "heron"})
                times["bare"].append(1000 * (time.perf_counter() - started))
        servers.forget(0)
    return times


def taken(work: Callable[[], Any]) -> tuple[float, float]:
    """In ms: of the clock, and of CPU."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(database())
        from django.conf import settings

        from agents.llm.scripted import ScriptedServer, say

        model = stack.enter_context(ScriptedServer(lambda _request: say("Yes.")))
        settings.LLM = replace(settings.LLM, base_url=model.url, mode="tools")
        given, called = measure(options.turns), calls(options.turns)
    by_mcp = asyncio.run(mcp_calls(10 * options.turns))
    print(f"{'functions given':>16}{'tokens of all':>15}{'step ms':>10}{'CPU ms':>9}")
    for one in given:
        print(f"{one.functions:16}{one.tokens:15,}{one.step:10.1f}{one.cpu:9.1f}")
    print(f"one call of a function of one's own: {statistics.median(called):.0f} ms")
    ours, bare = (statistics.median(by_mcp[way]) for way in ("memweb", "bare"))
    print(f"one call of an MCP server's function: {ours:.1f} ms, of the bare client {bare:.1f} ms")
    if options.json:
        steps = [asdict(one) for one in given]
        options.json.write_text(json.dumps({"steps": steps, "call": called, "mcp": by_mcp}, indent=2))


if __name__ == "__main__":
    main()
