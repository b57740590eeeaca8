"""What the local model can do: each case of a JSON-lines file, one step through the product's own compile and gateway.

    python benchmarks/local_model.py --cases FILE --json OUT

A case has `human` (text of the human block), `turns` (events, and earlier calls with their results), `best` and
`acceptable` (function names), `reply_contains` (each inner list needs one of its strings), `arguments_contain_any`.
Starts a private database and the product's local model server, whose weights are fetched if they are not there.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.llm.types import SEND_MESSAGE, FunctionCall
from memweb.stack import catalogue, weights
from memweb.stack.env import env
from memweb.stack.model_state import read_state
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port
from memweb.stack.postgres import Postgres

Case = dict[str, Any]
PERSONA = "I am a friendly assistant. I listen well, remember what matters and speak plainly."


@dataclass(frozen=True)
class Score:
    """One case's outcome. `right` is None where no particular answer is asked for."""

    valid: bool
    sensible: bool
    best: bool
    right: bool | None
    seconds: float


def load_cases(path: Path) -> list[Case]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def score(case: Case, call: FunctionCall | None, *, valid: bool, seconds: float) -> Score:
    """Compare the one call of a step with what the case wants."""
    if call is None or not valid:
        return Score(False, False, False, False if case["reply_contains"] else None, seconds)
    written = json.dumps(json.loads(call.arguments), ensure_ascii=False).lower()
    expected = [] if call.name == SEND_MESSAGE else case["arguments_contain_any"] or []
    sensible = call.name in case["acceptable"] and (not expected or any(text.lower() in written for text in expected))
    right = None
    if case["reply_contains"]:
        reply = str(json.loads(call.arguments).get("message", "")).lower() if call.name == SEND_MESSAGE else ""
        right = all(any(text.lower() in reply for text in group) for group in case["reply_contains"])
    return Score(True, sensible, call.name in case["best"], right, seconds)


def total(scores: list[Score]) -> dict[str, float]:
    answers = [one.right for one in scores if one.right is not None]
    return {
        "cases": len(scores),
        "valid": sum(one.valid for one in scores),
        "sensible": sum(one.sensible for one in scores),
        "best": sum(one.best for one in scores),
        "answers": len(answers),
        "answers_right": sum(answers),
        "median_step_s": round(statistics.median(one.seconds for one in scores), 2) if scores else 0,
    }


@contextmanager
def product() -> Iterator[None]:
    """The product in a temporary data folder: its database, its local model server, Django set up. Minutes at first."""
    settings = env()
    model = catalogue.find(settings.memweb_local_model)
    own = StackPaths(settings.memweb_home)
    own.create()
    bar = weights.TerminalBar(model.name)
    file = weights.resolve(model, own.models, users_file=settings.memweb_local_model_file, progress=bar)
    home = Path(tempfile.mkdtemp(prefix="memweb-benchmark-"))
    home.chmod(0o711)  # PostgreSQL's own user has to pass
    paths = StackPaths(home)
    postgres = Postgres(paths)
    postgres.start()
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # the local model is what is measured
    os.environ |= {
        "MEMWEB_HOME": str(home),
        "DATABASE_URL": paths.database_url,
        "REDIS_URL": "redis://127.0.0.1:9/0",  # never reached: nothing is committed
        "MEMWEB_LOCAL_MODEL_FILE": str(file),
        "MEMWEB_LOCAL_MODEL_URL": f"http://127.0.0.1:{free_port()}/v1",
        "MEMWEB_LOCAL_MODEL_KEY": secrets.token_urlsafe(24),
        "MEMWEB_EMBEDDINGS": "hash",
        "DJANGO_SETTINGS_MODULE": "memweb.settings",
    }
    env.cache_clear()
    server = subprocess.Popen([sys.executable, "-m", "memweb.local_model"])
    try:
        _set_up_django()
        _wait_until_ready(server, paths)
        yield
    finally:
        server.kill()
        server.wait()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def run_case(case: Case) -> tuple[Score, FunctionCall | None]:
    """One step of a fresh agent that has lived through the case's turns; nothing of it is kept."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from agents import function_executor, queue_manager, services
    from agents.functions import toolset
    from agents.llm import gateway
    from agents.llm.types import Completion

    with transaction.atomic():
        owner, _ = User.objects.get_or_create(username="benchmark")
        draft = services.AgentDraft(name="Benchmark", persona=PERSONA, human=case["human"])
        agent = services.agent_create(owner=owner, draft=draft)
        queue_manager.append(agent, *_messages(case["turns"]))
        config, tools = gateway.config_of(agent), toolset.of(agent)
        prompt = queue_manager.admit(agent, functions=tools.schemas, config=config).prompt
        transaction.set_rollback(True)
    started = time.monotonic()
    completion = list(gateway.stream(prompt, config, check=lambda: None))[-1]
    seconds = time.monotonic() - started
    assert isinstance(completion, Completion)
    checked = function_executor.check(completion, tools)
    call = checked[0].call if checked else None
    valid = bool(checked) and all(one.valid for one in checked)
    return score(case, call, valid=valid, seconds=seconds), call


def _messages(turns: list[dict[str, Any]]) -> Iterator[Any]:
    from django.utils import timezone

    from agents.main_context.fifo_queue import package_result
    from agents.models import Message

    for number, turn in enumerate(turns):
        now = timezone.now()
        if "user" in turn:
            yield Message(kind=Message.Kind.USER_MESSAGE, content=turn["user"], created_at=now)
            continue
        call = {"id": f"call_{number}", "name": turn["call"], "arguments": json.dumps(turn["arguments"])}
        yield Message(kind=Message.Kind.ASSISTANT, calls=[call], created_at=now)
        content = package_result(ok=True, message=turn["result"], time=now)
        result = Message(kind=Message.Kind.FUNCTION_RESULT, content=content, created_at=now)
        result.call_id, result.function = call["id"], call["name"]
        yield result


def _set_up_django() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _wait_until_ready(server: subprocess.Popen[bytes], paths: StackPaths) -> None:
    while (state := read_state(paths)).stage != "ready":
        if server.poll() is not None or state.stage == "failed":
            raise SystemExit(state.message or "The local model's server ended. Its last lines are above.")
        time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the local model can do.")
    parser.add_argument("--cases", type=Path, required=True, help="JSON lines, see the top of this file")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    scores = []
    with product():
        for case in load_cases(options.cases):
            one, call = run_case(case)
            scores.append(one)
            marks = [name for name in ("valid", "sensible", "best", "right") if getattr(one, name)]
            print(f"{case['id']:14} {one.seconds:5.1f} s  {' '.join(marks):28} {call and (call.name, call.arguments)}")
    figures = total(scores)
    print("\n".join(f"{name:>14}  {value}" for name, value in figures.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
