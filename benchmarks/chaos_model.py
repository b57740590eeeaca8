"""The scripted model of the chaos run: does what each marked message asks for, and fails where its seed says so."""

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from agents.llm.scripted import Answer, Request, call, say

FAULTS = ("500", "429", "cut", "hung up", "no JSON", "silence")
MARK = re.compile(r"mark-\d+(?:-\w+)?")
THINKING = 0.2, 0.9  # seconds before the first word
MOST_FAULTS = 6  # in a row; more than memweb asks again


@dataclass(frozen=True)
class Said:
    """A message of the run: `wants` is what the model is to do before it answers."""

    agent: str
    mark: str
    wants: str  # "append", "insert" or "answer"

    @property
    def text(self) -> str:
        return f"{self.wants} {self.mark}: the harbour was grey and the gulls were loud over the pier."


def fact(mark: str) -> str:
    """What is written to memory for a mark."""
    return f"[{mark}]"


class Model:
    """Decides by mark and seed alone, however requests come in: a run is the same each time as far as it can be."""

    def __init__(self, seed: int, faulty: Collection[str], thinking: tuple[float, float] = THINKING) -> None:
        self._seed, self._faulty, self._thinking = seed, set(faulty), thinking
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.failed: Counter[str] = Counter()

    def __call__(self, request: Request) -> Answer:
        if "tools" not in request:
            return Answer(content="They spoke of the harbour, and of marks that were written down.")
        mark, wants = asked_for(request)
        with self._lock:
            self._asked[mark] += 1
            number = self._asked[mark]
        chance = random.Random(f"{self._seed}:{mark}:{number}")
        time.sleep(chance.uniform(*self._thinking))
        if mark in self._faulty and number <= random.Random(f"{self._seed}:{mark}").randint(1, MOST_FAULTS):
            return self._fault(chance)
        if wants == "append":
            return call("core_memory_append", label="human", content=fact(mark), pause=0.01)
        if wants == "insert":
            return call("archival_memory_insert", content=fact(mark), pause=0.01)
        return say(f"re {mark}", pause=0.01)

    def _fault(self, chance: random.Random) -> Answer:
        kind = chance.choice(FAULTS)
        with self._lock:
            self.failed[kind] += 1
        if kind == "silence":
            time.sleep(chance.choice((3.0, 12.0)))
        return {
            "500": Answer(status=500),
            "429": Answer(status=429, headers=(("Retry-After", "1"),)),
            "cut": say("This will never be whole.", drop_after=3, pause=0.02),
            "hung up": Answer(hang_up=True),
            "no JSON": Answer(content_type="text/html", body="<html><body>Bad gateway</body></html>"),
            "silence": Answer(hang_up=True),
        }[kind]


def asked_for(request: Request) -> tuple[str, str]:
    """The mark of the message that is being answered, and what is left to do for it."""
    spoken = [text for message in request["messages"] if message["role"] == "user" for text in _messages(message)]
    wants, mark = spoken[-1].split(":")[0].split()
    since = [message for message in request["messages"] if message["role"] in ("user", "tool")]
    asked = max(at for at, message in enumerate(since) if f"{mark}:" in (message.get("content") or ""))
    written = any('"status": "OK"' in message["content"] for message in since[asked:] if message["role"] == "tool")
    return mark, "answer" if written else wants


def _messages(message: dict[str, str]) -> list[str]:
    """What people said in it: neighbours of one role come as one."""
    found = []
    for line in (message.get("content") or "").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and MARK.search(str(event.get("message", ""))):
            found.append(str(event["message"]))
    return found
