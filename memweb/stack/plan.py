"""What the supervisor is to run: which services are ours, which programs, with which environment."""

import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from memweb.stack.children import Child
from memweb.stack.env import ENV_FILE, IN_CHECKOUT, PROJECT_FOLDER, Env, reachable
from memweb.stack.model_state import ModelState, write_state
from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres
from memweb.stack.signs import Question
from memweb.stack.valkey import Valkey
from memweb.stack.wishes import read_wishes

ROOT_IS_MEANT = "ignore:You're running the worker with superuser privileges"  # as in a container
PRELOADED = "memweb.preloaded"
ASGI = "memweb.asgi:application"
BACKGROUND_THREADS = 10  # one person's work that waits for a silent endpoint takes five at most
INGEST_THREADS = 3  # one more than documents of one person are read at once (`agents.ingest.turns`)
BACKLOG = 1024  # connections that wait to be accepted
SILENT = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # workers that need not know of each other


class Service(Protocol):
    """A server that programs need before they can start."""

    name: str
    child: Child | None
    question: Question

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Program:
    """Where an `essential` one keeps dying, the start is given up. `on_end` is told why it ended, each time it does.

    One that is `forked` is forked from the plan's preloaded parent, where there is one; its command is then
    `[python, "-m", MODULE, ...]`. One that shows `signs` of life, or answers a `question`, is started again when it
    is silent.
    """

    name: str
    command: Sequence[str]
    essential: bool = True
    forked: bool = False
    signs: bool = False
    question: Question | None = None
    on_end: Callable[[str], None] = lambda _why: None


@dataclass(frozen=True)
class Plan:
    """`set_up` programs run one after another, each announced by its name, before `programs` start side by side.

    `login` prints an address that logs in, `entrance` before it the token for programs on this machine, which reach the
    page at `url`. `preloaded` is the command of the parent from which programs are forked; empty: each is started for
    itself.
    """

    paths: StackPaths
    services: Sequence[Service]
    set_up: Sequence[Program]
    programs: Sequence[Program]
    environment: Mapping[str, str]
    login: Program
    entrance: Program
    url: str
    preloaded: Sequence[str] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    metrics: tuple[str, int] | None = None  # where Prometheus asks
    silence: float = 25.0  # seconds without a sign of life, after which a process is ended and started again


def plan_for(env: Env) -> Plan:
    """The plan for these settings: embedded services and a local model only where none of one's own is set."""
    paths = StackPaths(env.memweb_home)
    services = embedded_services(env, paths)
    programs = [
        replace(_program("web", "daphne", "-v", "0", "-e", _endpoint(env), ASGI), question=_is_web_there(env)),
        replace(_program("worker-runs", *_worker("runs", env.memweb_run_threads)), signs=True),
        replace(_program("worker-background", *_worker("background", BACKGROUND_THREADS)), signs=True),
        replace(_program("worker-ingest", *_worker("ingest", INGEST_THREADS)), signs=True),
        replace(_program("beat", *_beat(paths)), signs=True),
    ]
    environment = children_environment(env, paths)
    if env.memweb_metrics_port is not None:
        programs.append(replace(_program("metrics", "memweb.metrics"), essential=False))
    if not env.has_own_endpoint:
        programs.append(_local_model(env, paths))
        environment["MEMWEB_LOCAL_MODEL_URL"] = f"http://127.0.0.1:{free_port()}/v1"
        environment["MEMWEB_LOCAL_MODEL_KEY"] = secrets.token_urlsafe(24)
    return Plan(
        paths=paths,
        services=services,
        set_up=[_program("Preparing the database", "memweb.upgrade")],
        programs=programs,
        environment=environment,
        login=_program("login address", "django", "login_url"),
        entrance=_program("login address", "django", "login_url", "--token"),
        url=env.local_url,
        preloaded=_python(PRELOADED) if sys.platform == "linux" else (),
        host=env.memweb_host,
        port=env.memweb_port,
        metrics=(env.memweb_metrics_host, env.memweb_metrics_port) if env.memweb_metrics_port is not None else None,
        silence=env.memweb_silence_seconds,
    )


def _is_web_there(env: Env) -> Question:
    """Answered by its event loop alone (`memweb.asgi`)."""
    host = reachable(env.memweb_host.strip("[]"))
    return Question((host, env.memweb_port), b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


def _beat(paths: StackPaths) -> list[str]:
    return _celery("beat", "--pidfile=", "--schedule", str(paths.beat_schedule), app="memweb.beat")


def _endpoint(env: Env) -> str:
    """Where the web process listens, as Twisted writes it. Its own backlog of 50 would lose some of many at once."""
    host = env.memweb_host.strip("[]").replace(":", r"\:")
    return f"tcp:port={env.memweb_port}:interface={host}:backlog={BACKLOG}"


def embedded_services(env: Env, paths: StackPaths) -> list[Service]:
    """Those that are not replaced by DATABASE_URL or REDIS_URL."""
    services: list[Service] = []
    if env.database_url is None:
        services.append(Postgres(paths))
    if env.redis_url is None:
        services.append(Valkey(paths))
    return services


def children_environment(env: Env, paths: StackPaths) -> dict[str, str]:
    """Ours, plus where the services are. Waiting OpenMP threads must sleep, or they starve the model beside them.

    Nothing in it depends on the folder that memweb was started from.
    """
    inherited = dict(os.environ)
    if IN_CHECKOUT:  # modules are found there; where memweb is installed, Python finds them by itself
        inherited["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT_FOLDER), os.environ.get("PYTHONPATH")]))
    if env.memweb_local_model_file is not None:
        inherited["MEMWEB_LOCAL_MODEL_FILE"] = str(env.memweb_local_model_file)
    if env.database_url is None:  # settings for another PostgreSQL must not lead to ours being missed
        inherited = {name: value for name, value in inherited.items() if not name.startswith("PG")}
    return (
        inherited
        | {
            "MEMWEB_HOME": str(paths.home),
            "MEMWEB_ENV_FILE": str(ENV_FILE),
            "PYTHONSAFEPATH": "1",  # whatever lies in the working folder is no module
            "DATABASE_URL": env.database_url or paths.database_url,
            "REDIS_URL": env.redis_url or paths.redis_url,
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": str(min(2, os.cpu_count() or 1)),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "memweb.settings",
            "CELERY_SKIP_CHECKS": "1",  # Django's own: migrating has made them
        }
        | ({"PYTHONWARNINGS": ROOT_IS_MEANT} if os.geteuid() == 0 else {})
    )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _program(name: str, *module_and_arguments: str) -> Program:
    return Program(name, _python(*module_and_arguments), forked=True)


def _local_model(env: Env, paths: StackPaths) -> Program:
    """memweb is of use without it, and the page says what is the matter."""

    def tell_the_page(why: str) -> None:
        message = f"{why} memweb starts it again; its log is {paths.logs / 'local-model.log'}."
        model = read_wishes(paths).chosen
        name = model.name if model else env.memweb_local_model
        write_state(paths, ModelState("failed", message=message, model=name))

    return Program("local-model", _python("memweb.local_model"), essential=False, on_end=tell_the_page)


def _worker(queue: str, threads: int) -> list[str]:
    """Threads, not processes: a task mostly waits, and the embedding model must not be forked after use.

    Several of a kind may be started on one machine, or on two of one name: each has a name of its own.
    """
    name = f"{queue}-{secrets.token_hex(4)}@%h"
    options = ["-Q", queue, "-P", "threads", "-c", str(threads), "-n", name, "--loglevel", "INFO"]
    return _celery("worker", *options, *SILENT)


def _celery(*arguments: str, app: str = "memweb.celery") -> list[str]:
    return ["celery", "-A", app, "--quiet", *arguments]


def free_port() -> int:
    """One that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
