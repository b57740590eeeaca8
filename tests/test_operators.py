"""What operators see of a real worker: metrics by the official client, traces by a collector, and its log as JSON."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from django.contrib.auth.models import User
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from agents import services
from agents.llm.scripted import Answer, Request, ScriptedServer, call, last_event, say
from agents.models import Agent, Run
from memweb import metrics
from memweb.stack.plan import free_port
from tests.conftest import make_agent
from tests.processes import Process, answers, until, worker

pytestmark = pytest.mark.django_db(transaction=True)
Samples = dict[tuple[str, tuple[str, ...]], float]  # by name and the values of its labels


@pytest.fixture
def agent(transactional_db: None) -> Agent:
    return make_agent(User.objects.create_user("watched"))


def brain(request: Request) -> Answer:
    event = last_event(request)
    if "fail" in str(event.get("message", "")):
        return Answer(status=429, body='{"error": {"message": "Slow down, please: rate limit."}}')
    if "status" in event:
        return say("Noted.")
    if "magic" in str(event.get("message", "")):
        return call("do_magic")
    return call("core_memory_append", label="human", content="Likes tea.")


def runs_worker(model: ScriptedServer, folder: Path, **environment: str) -> Process:
    return worker("runs", folder / "runs.log", threads=2, **{"OPENAI_BASE_URL": model.url, **environment})


def ends(run: Run) -> None:
    def is_over() -> bool:
        run.refresh_from_db()
        return run.status not in Run.OPEN

    until(is_over, "the run ends")


def scraped(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """A server that takes traces; what it got, as the official package reads it."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def test_metrics(agent: Agent, tmp_path: Path) -> None:
    port = free_port()
    wanted = {"MEMWEB_METRICS_PORT": str(port)}
    with (
        ScriptedServer(brain) as model,
        runs_worker(model, tmp_path, **wanted) as runs,
        Process("memweb.metrics", log=tmp_path / "metrics.log", **wanted),
    ):
        for text in ("I like tea.", "Do magic.", "Now fail."):
            ends(services.message_send(agent=agent, text=text))
        until(lambda: answers(f"http://127.0.0.1:{port}/"), "the metrics answer")
        found = scraped(port)
        assert found["memweb_runs_total", ("", "done")] == 2 and found["memweb_runs_total", ("endpoint", "failed")] == 1
        assert found["memweb_run_wait_seconds_count", ()] == 3
        assert found["memweb_step_seconds_count", ("scripted",)] == 4
        assert found["memweb_tokens_total", ("prompt", "scripted")] > 1000
        assert found["memweb_functions_total", ("core_memory_append", "ok")] == 1
        assert found["memweb_functions_total", ("unknown", "failed")] == 1
        assert found["memweb_model_errors_total", ("rate", "scripted")] >= 1
        assert found["memweb_database_up", ()] == 1 and found["memweb_agents", ()] == 1
        assert found["memweb_runs_open", ("queued",)] == 0 and found["memweb_run_queue_age_seconds", ()] == 0
        runs.kill()
        services.message_send(agent=agent, text="Anybody?")
        until(lambda: scraped(port)["memweb_run_queue_age_seconds", ()] > 0, "the queue grows old")
        assert scraped(port)["memweb_runs_total", ("", "done")] == 2, "a dead worker's counts stay"


def test_files_of_the_dead_are_cleared_away(tmp_path: Path) -> None:
    alive, dead, elsewhere = (
        tmp_path / f"gauge_livesum_{name}.db"
        for name in (f"{socket.gethostname()}.1", f"{socket.gethostname()}.4194304", "another.4194304")
    )
    for path in (alive, dead, elsewhere):
        path.touch()
    assert [path for path in (alive, dead, elsewhere) if not metrics.is_alive(path)] == [dead]


def test_traces(agent: Agent, tmp_path: Path) -> None:
    with collector() as (url, spans), ScriptedServer(brain) as model:
        wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with runs_worker(model, tmp_path, **wanted):
            run = services.message_send(agent=agent, text="I like tea.")
            until(lambda: any(span.name == "run" for span in spans), "the run's trace")
    (root,) = (span for span in spans if span.name == "run")
    assert {a.key: a.value.string_value or a.value.int_value for a in root.attributes} == {
        "memweb.agent": str(agent.pk),
        "memweb.run": run.pk,
    }
    names = {span.span_id: span.name for span in spans}
    below = sorted((span.name, names[span.parent_span_id]) for span in spans if span is not root)
    assert below == [
        ("function core_memory_append", "step"),
        ("function send_message", "step"),
        ("model call", "step"),
        ("model call", "step"),
        ("step", "run"),
        ("step", "run"),
    ]
    assert {span.trace_id for span in spans} == {root.trace_id}


def test_the_log_as_json_names_the_run(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "metrics").touch()  # no folder: what cannot be counted is a line of the log, and no fault of the run
    wanted = {"MEMWEB_HOME": str(tmp_path), "MEMWEB_LOG_FORMAT": "json", "MEMWEB_METRICS_PORT": "1"}
    with ScriptedServer(brain) as model, runs_worker(model, tmp_path, **wanted) as process:
        run = services.message_send(agent=agent, text="I like tea.")
        ends(run)
        process.line("Not counted")
    assert run.status == Run.Status.DONE
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    first = next(line for line in lines if line["message"].startswith("Not counted") and "step" in line)
    assert (first["agent"], first["run"], first["step"]) == (str(agent.pk), run.pk, 1)
    assert first["level"] == "WARNING" and first["logger"] == "agents.telemetry.metrics" and "time" in first
