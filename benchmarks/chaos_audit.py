"""What an auditor counts in the database after a chaos run: nothing lost, nothing doubled, nothing left half done."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from benchmarks.chaos_model import Said, fact

OPEN = "SELECT count(*) FROM agents_run WHERE status IN ('queued', 'running')"
UNREAD = "SELECT count(*) FROM agents_document WHERE status NOT IN ('ready', 'failed')"

RUNS = """
    SELECT event.content, run.status, run.stop_reason, run.error,
        count(*) FILTER (WHERE part.kind = 'assistant' AND part.content <> ''),
        count(*) FILTER (WHERE part.kind = 'notice' AND part.failed AND part.content = run.error),
        min(part.content) FILTER (WHERE part.kind = 'assistant' AND part.content <> '')
    FROM agents_run AS run JOIN agents_message AS event ON event.id = run.event_id
    LEFT JOIN agents_message AS part ON part.run_id = run.id
    GROUP BY run.id, event.id ORDER BY run.id
"""
SEQS = """
    SELECT agent.name, agent.next_seq, count(message.seq), count(DISTINCT message.seq), coalesce(min(message.seq), 1),
        coalesce(max(message.seq), 0), count(*) FILTER (WHERE message.id IS NOT NULL AND message.seq IS NULL)
    FROM agents_agent AS agent LEFT JOIN agents_message AS message ON message.agent_id = agent.id GROUP BY agent.id
"""
CALLS = """
    WITH called AS (
        SELECT message.agent_id, message.step_id, call ->> 'id' AS id
        FROM agents_message AS message, jsonb_array_elements(message.calls) AS call WHERE message.kind = 'assistant'
    ), answered AS (
        SELECT agent_id, step_id, call_id AS id, count(*) AS times FROM agents_message
        WHERE kind = 'function_result' AND call_id <> '' GROUP BY agent_id, step_id, call_id
    )
    SELECT called.id, answered.id, answered.times
    FROM called FULL JOIN answered USING (agent_id, step_id, id)
"""
REVISIONS = """
    SELECT block.id, block.value, block.revision, revision.number, revision.value, revision.step_id
    FROM agents_block AS block JOIN agents_blockrevision AS revision ON revision.block_id = block.id
    ORDER BY block.id, revision.number
"""
WRITTEN = """
    SELECT message.step_id, call ->> 'name', call ->> 'arguments'
    FROM agents_message AS message CROSS JOIN jsonb_array_elements(message.calls) AS call
    JOIN agents_message AS result ON result.step_id = message.step_id AND result.call_id = call ->> 'id'
    WHERE message.kind = 'assistant' AND result.kind = 'function_result' AND NOT result.failed
        AND call ->> 'name' IN ('core_memory_append', 'archival_memory_insert')
    ORDER BY message.id
"""
STEPS = "SELECT run_id, count(*), max(number) FROM agents_step GROUP BY run_id"
DOCUMENTS = """
    SELECT document.name, document.status, document.error, document.done, document.total, count(passage.id)
    FROM agents_document AS document LEFT JOIN agents_passage AS passage ON passage.document_id = document.id
    GROUP BY document.id
"""


@dataclass
class Count:
    """One line of the audit: how much was looked at, and a sentence for each that is wrong."""

    what: str
    looked_at: int = 0
    wrong: list[str] = field(default_factory=list)

    def look(self, right: object, fault: str) -> None:
        self.looked_at += 1
        if not right:
            self.wrong.append(fault)


@dataclass(frozen=True)
class Books:
    """What was accepted from senders, by their own account, and the database that must agree with it."""

    connection: "psycopg.Connection[Any]"
    accepted: Sequence[Said]
    documents: int

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement).fetchall()

    def number(self, statement: str) -> int:
        return int(self.rows(statement)[0][0])

    @property
    def quiet(self) -> bool:
        return not self.number(OPEN) and not self.number(UNREAD)


def audit(books: Books) -> list[Count]:
    """Every count; the run was good if none has anything wrong."""
    return [count for counter in COUNTERS for count in counter(books)]


def failures(books: Books) -> Counter[str]:
    """The reasons that people were given, and how often."""
    return Counter(error for _text, status, _stop, error, *_rest in books.rows(RUNS) if status == "failed")


def _messages(books: Books) -> Iterator[Count]:
    """By agent and text, which no two messages share."""
    rows = books.rows("SELECT agent_id::text, content, seq FROM agents_message WHERE kind = 'user_message'")
    there = Counter((agent, text) for agent, text, seq in rows if seq is not None)
    once = Count("each accepted message is once in recall storage")
    for said in books.accepted:
        times = there.pop((said.agent, said.text), 0)
        once.look(times == 1, f"{said.mark} is there {times} times")
    yield once
    yield Count("messages that nobody had accepted", len(rows), [text for _agent, text in there])


def _runs(books: Books) -> Iterator[Count]:
    answered = Count("each has one answer, or failed with a reason in plain words")
    faults, waiting = Count("runs that memweb itself failed"), Count("runs that wait or run for ever")
    runs = Counter[str]()
    for text, status, stop, error, replies, notices, reply in books.rows(RUNS):
        mark = text.split(":")[0].split()[-1]
        runs[mark] += 1
        told = f"{mark}: {status}, {replies} replies ({reply}), {notices} notices, {error!r}"
        good = status == "done" and replies == 1 and reply == f"re {mark}" and not error
        answered.look(good or (status == "failed" and replies == 0 and notices == 1 and _is_plain(error)), told)
        faults.look(stop != "fault" and "memweb itself" not in error, told)
        waiting.look(status not in ("queued", "running"), told)
    one = Count("each message has one run")
    for said in books.accepted:
        one.look(runs[said.mark] == 1, f"{said.mark} has {runs[said.mark]} runs")
    yield from (answered, one, faults, waiting)


def _is_plain(reason: str) -> bool:
    """A sentence: some words, and nothing that only a programmer reads."""
    return len(reason.split()) > 3 and not any(sign in reason for sign in ("Traceback", "Error(", "<html", "0x"))


def _seqs(books: Books) -> Iterator[Count]:
    count = Count("seqs of an agent are whole")
    for name, following, rows, different, first, last, waiting in books.rows(SEQS):
        whole = first == 1 and rows == different == last == following - 1 and not waiting
        count.look(whole, f"{name}: {rows} of {first} to {last}, the next is {following}, {waiting} without a seq")
    yield count


def _calls(books: Books) -> Iterator[Count]:
    count = Count("each call has one result")
    for call, result, times in books.rows(CALLS):
        count.look(call and times == 1, f"call {call}, result {result}, {times} times")
    yield count


def _steps(books: Books) -> Iterator[Count]:
    count = Count("steps of a run are whole")
    for run, steps, last in books.rows(STEPS):
        count.look(steps == last, f"run {run} has {steps} steps, the last is number {last}")
    yield count


def _blocks(books: Books) -> Iterator[Count]:
    """Played again from the calls: each revision is the one before and the lines that its step added."""
    replayed, last = Count("each revision is the one before and what its step added"), Count("each block is its last")
    lines = defaultdict(list)
    for step, name, content in _written(books):
        if name == "core_memory_append":
            lines[step].append(content)
    before: dict[int, tuple[int, str]] = {}
    now: dict[int, tuple[int, str]] = {}
    for block, value, revision, number, text, step in books.rows(REVISIONS):
        now[block] = revision, value
        if block in before:
            played = "\n".join([before[block][1], *lines[step]])
            replayed.look((number, text) == (before[block][0] + 1, played), f"block {block} #{number}: {text}")
        before[block] = number, text
    for block, end in now.items():
        last.look(before[block] == end, f"block {block} is at {end}, its last revision is {before[block]}")
    yield from (replayed, last)


def _memory(books: Books) -> Iterator[Count]:
    """By mark: what was asked for in a message that was answered is there once, in one that failed at most once."""
    done = {text for text, status, *_rest in books.rows(RUNS) if status == "done"}
    blocks = "\n".join(value for (value,) in books.rows("SELECT value FROM agents_block"))
    passages = Counter(text for (text,) in books.rows("SELECT text FROM agents_passage"))
    calls = Counter(content for _step, _name, content in _written(books))
    appended, inserted = Count("each line of core memory was added once"), Count("each passage was filed once")
    for said in books.accepted:
        if said.wants == "answer":
            continue
        line = fact(said.mark)
        count, times = (appended, blocks.count(line)) if said.wants == "append" else (inserted, passages[line])
        right = times == calls[line] and (times == 1 or (times == 0 and said.text not in done))
        count.look(right, f"{said.mark}: {times} times, called {calls[line]} times")
    yield from (appended, inserted)


def _written(books: Books) -> Iterator[tuple[int, str, str]]:
    """Steps that wrote to memory, with the function and what it was given."""
    for step, name, arguments in books.rows(WRITTEN):
        yield step, name, json.loads(arguments)["content"]


def _documents(books: Books) -> Iterator[Count]:
    rows = books.rows(DOCUMENTS)
    count = Count("each document was read to its end, once")
    for name, status, error, done, total, passages in rows:
        told = f"{name}: {status} {error}, {done} of {total}, {passages} passages"
        count.look(status == "ready" and done == total == passages > 0, told)
    if len(rows) != books.documents:
        count.wrong.append(f"{len(rows)} documents, not {books.documents}")
    yield count


COUNTERS: tuple[Callable[[Books], Iterator[Count]], ...] = (
    *(_messages, _runs, _seqs, _calls, _steps),
    *(_blocks, _memory, _documents),
)
