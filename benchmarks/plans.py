"""How the database answers at size: every statement of a message, of each tab and of the background's looks.

    python benchmarks/plans.py [--rows 100000] [--others 50000] [--slow 5]

Starts the whole product, gives one agent a long past and another one many steps, asks for each thing once in this
process, and prints the statements that took longer than `--slow` milliseconds or read many rows.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.scripted import ScriptedServer
from benchmarks.agent_rows import lengthen
from benchmarks.engine import SETTINGS, Bench, Model
from benchmarks.product import running

TABS = ("context", "memory", "queue", "recall", "archival", "runs")
LARGE = 10_000  # rows that a statement should not read to answer


@dataclass
class Statements:
    """What was asked for one thing: of each statement the milliseconds, and the plan's node that read most rows."""

    name: str
    milliseconds: float = 0.0
    slowest: list[tuple[float, tuple[float, str], str]] = field(default_factory=list)

    def __call__(self, execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
        started = time.monotonic()
        result = execute(sql, parameters, many, context)
        spent = 1000 * (time.monotonic() - started)
        self.milliseconds += spent
        if sql.lstrip().upper().startswith(("SELECT", "WITH")) and "UPDATE" not in sql and not many:
            with context["connection"].connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
                read = max(_read(cursor.fetchone()[0][0]["Plan"]))
            self.slowest.append((spent, read, " ".join(sql.split())))
        return result


def _read(plan: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """Rows that each node of a plan looked at, and what it is."""
    rows = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    yield rows, " ".join(plan[key] for key in ("Node Type", "Index Name", "Relation Name", "CTE Name") if key in plan)
    for part in plan.get("Plans", ()):
        yield from _read(part)


def _short(sql: str) -> str:
    """Without the columns that a plain SELECT names."""
    return (sql[sql.find(" FROM ") :] if sql.startswith("SELECT") else sql)[:300]


@contextmanager
def told(name: str, slow: float) -> Iterator[None]:
    from django.db import connection

    statements = Statements(name)
    with connection.execute_wrapper(statements):
        yield
    print(f"{name:40}{len(statements.slowest):4} reads {statements.milliseconds:8.1f} ms")
    for spent, (read, node), sql in statements.slowest:
        if spent > slow or read > LARGE:
            print(f"    {spent:7.1f} ms, {read:9,.0f} rows read by {node}: {_short(sql)}")


def measure(bench: Bench, rows: int, others: int, slow: float) -> None:
    from django.test import Client

    from agents import maintenance
    from agents.external_context import archival_storage, recall_storage, vector_index
    from agents.models import Agent

    crowd, one = bench.agents(2, "Plans")
    lengthen(crowd, others * 2)
    lengthen(one, rows)
    vector_index.ensure()
    agent = Agent.objects.get(pk=one.pk)
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(bench.owner)
    with told("page", slow):
        browser.get(f"/agents/{one.pk}/")
    for tab in TABS:
        with told(f"tab {tab}", slow):
            browser.get(f"/agents/{one.pk}/inspector/{tab}/")
    with told("what is not embedded: messages", slow):
        list(recall_storage.not_embedded(agent).order_by("seq")[:32])
    with told("what is not embedded: passages", slow):
        list(archival_storage.not_embedded()[:32])
    with told("the reaper", slow):
        maintenance.reap()
    with told("a message", slow):
        browser.post(f"/agents/{one.pk}/messages/", {"text": "How is the harbour?", "key": "plans"})
    with told("recall search", slow):
        recall_storage.find(agent, "the lamp of the house in the harbour")
    with told("archival search", slow):
        archival_storage.find(agent, "the lamp of the house in the harbour")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="messages and passages of the agent")
    parser.add_argument("--others", type=int, default=50_000, help="steps of another agent")
    parser.add_argument("--slow", type=float, default=5.0, help="milliseconds from which a statement is printed")
    options = parser.parse_args()
    model = Model()
    with ScriptedServer(model) as server, running({**SETTINGS, "OPENAI_BASE_URL": server.url}) as product:
        measure(Bench(product, server, model), options.rows, options.others, options.slow)


if __name__ == "__main__":
    main()
