"""Starts everything in a plan, keeps it running, stops all of it. One at a time for each data folder."""

import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from filelock import FileLock, Timeout

from memweb.stack.children import Child, LineLog, stop_all
from memweb.stack.diagnosis import how_it_ended, last_words, say
from memweb.stack.env import reachable
from memweb.stack.exceptions import StackError
from memweb.stack.forking import PreloadedParent
from memweb.stack.local_server import LocalServer, remove_local_server, write_local_server
from memweb.stack.plan import Plan, Program, Service
from memweb.stack.signs import Pipe, Sign, Silence

TICK = 0.5  # seconds between two looks at the children
HEALTHY_AFTER = 10.0  # seconds a child must live for its earlier deaths to be forgotten
LONGEST_PAUSE = 30.0  # seconds before another start
QUICK_DEATHS = 4  # in a row, then we say more about it
WEB_TIMEOUT = 90.0  # seconds until the page must answer
STOP_TIMEOUT = 4.0  # seconds for the programs; the services have their own after that
TOKEN_PREFIX = "memweb-"  # of every access token
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Watched:
    """Restart policy of one service or program: at once, but 0.5 s, 1 s, 2 s ... later while it keeps dying quickly.

    One that is silent for too long is ended with `kill`.
    """

    name: str
    start: Callable[[], None]
    running: Callable[[], bool]
    ended: Callable[[], str]  # a sentence about its end
    details: Callable[[], str]
    essential: bool = True
    on_end: Callable[[str], None] = lambda _why: None
    kill: Callable[[], None] = lambda: None
    silence: Silence | None = None
    quick_deaths: int = 0
    started_at: float = 0.0
    due_at: float | None = None

    def tend(self, now: float) -> None:
        """Call often. Starts it again when it is due."""
        if self.running():
            if self._is_healthy(now):
                self.quick_deaths = 0
            if self.due_at is None and self.silence is not None and self.silence.is_too_long(now):
                self.kill()
                self._has_died(now, f"{self.name} gave no sign of life for a while and was ended.")
            return
        if self.due_at is None:
            self._has_died(now, self.ended())
        elif now >= self.due_at:
            self.due_at, self.started_at = None, now
            if self.silence is not None:
                self.silence.begin()
            try:
                self.start()
            except StackError as error:
                self._has_died(now, str(error))

    def _is_healthy(self, now: float) -> bool:
        return now - self.started_at > HEALTHY_AFTER

    def _has_died(self, now: float, why: str) -> None:
        if self._is_healthy(now):
            self.quick_deaths, pause = 0, 0.0
        else:
            pause = min(0.5 * 2**self.quick_deaths, LONGEST_PAUSE)
            self.quick_deaths += 1
        self.due_at = now + pause
        self.on_end(why)
        say(f"{why} Starting it again in {pause:g} s." if pause else f"{why} Starting it again.")
        if self.quick_deaths == QUICK_DEATHS:
            say(f"{self.name} has ended {QUICK_DEATHS} times in a row; until that is mended memweb cannot work fully.")
            say(self.details())


class Supervisor:
    """`run` returns the exit code: 0 after Ctrl-C or SIGTERM, 1 after a failed start. `quiet`: only faults are said."""

    def __init__(self, plan: Plan, *, quiet: bool = False) -> None:
        self._plan = plan
        self._quiet = quiet
        self._children: list[Child] = []
        self._parent: PreloadedParent | None = None
        if plan.preloaded:
            self._parent = PreloadedParent(self._new_child("preloaded", plan.preloaded, "preloaded"))
        self._watched: list[Watched] = []

    def run(self) -> int:
        self._plan.paths.create()
        lock = FileLock(self._plan.paths.lock_file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return self._point_to_the_other()
        with lock, _Signals():
            try:
                self._start()
                while True:
                    time.sleep(TICK)
                    for watched in self._watched:
                        watched.tend(time.monotonic())
            except KeyboardInterrupt:
                self._tell("Stopping…")
            except StackError as error:
                say(str(error))
                return 1
            finally:
                self._stop()
        self._tell("Stopped. Everything is saved.")
        return 0

    def _start(self) -> None:
        plan = self._plan
        plan.paths.model_state.unlink(missing_ok=True)  # it speaks of an earlier process
        if plan.programs:
            check_port(plan.host, plan.port)
            if plan.metrics:
                check_port(*plan.metrics, setting="MEMWEB_METRICS_PORT")
        for service in plan.services:
            self._tell(f"Starting {service.name}…")
            service.start()
            self._watch_service(service)
        for program in plan.set_up:
            self._tell(f"{program.name}…")
            self._run_to_end(program)
        for program in plan.programs:
            self._watch_program(program)
        if plan.programs:
            self._wait_for_web()
            self._tell(f"memweb is ready. Open this address in your browser:\n\n    {self._enter()}\n")
        self._tell("Press Ctrl-C to stop." if plan.programs else "The services run. Press Ctrl-C to stop.")

    def _stop(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # whoever presses twice gets no half stop
        remove_local_server(self._plan.paths, os.getpid())
        stop_all(self._children, STOP_TIMEOUT)
        if self._parent is not None:
            self._parent.stop(0)
        for service in reversed(self._plan.services):
            service.stop()

    def _watch_service(self, service: Service) -> None:
        name = service.name
        watched = Watched(
            name,
            start=service.start,
            running=lambda: service.running,
            ended=lambda: how_it_ended(service.child) if service.child else f"{name} ended.",
            details=lambda: f"Its log is {self._plan.paths.logs / name}.log.",
            kill=lambda: service.child.signal(signal.SIGKILL) if service.child else None,
            silence=Silence(service.question, self._plan.silence),
        )
        watched.started_at = time.monotonic()
        self._watched.append(watched)

    def _watch_program(self, program: Program) -> None:
        child = self._child(program)
        sign: Sign | None = program.question
        if program.signs:
            sign = pipe = Pipe()
            child.signs = pipe.writing
        watched = Watched(
            program.name,
            start=child.start,
            running=lambda: child.running,
            ended=lambda: how_it_ended(child),
            essential=program.essential,
            on_end=program.on_end,
            details=lambda: f"{last_words(child)}\nIts log is {self._plan.paths.logs / program.name}.log.",
            kill=lambda: child.signal(signal.SIGKILL),
            silence=None if sign is None else Silence(sign, self._plan.silence),
        )
        child.start()
        watched.started_at = child.started_at
        self._watched.append(watched)

    def _child(self, program: Program, *, log_name: str | None = None) -> Child:
        child = self._new_child(program.name, program.command, log_name or program.name)
        child.fork = self._parent.fork if self._parent is not None and program.forked else None
        self._children.append(child)
        return child

    def _new_child(self, name: str, command: Sequence[str], log_name: str) -> Child:
        log = LineLog(log_name, self._plan.paths.logs, quiet=self._quiet)
        return Child(name, command, log, environment=self._plan.environment, folder=self._plan.paths.home)

    def _run_to_end(self, program: Program, *, secret: bool = False) -> list[str]:
        """Its last lines. Raises StackError when it failed."""
        child = self._child(program, log_name="set-up")
        child.log.quiet, child.log.secret = True, secret
        child.start()
        while child.running:
            time.sleep(0.05)
        child.clear_away()
        if child.poll() != 0:
            raise StackError(f"{how_it_ended(child)} Its last words:\n{last_words(child, 15)}")
        return list(child.log.recent)

    def _wait_for_web(self) -> None:
        deadline = time.monotonic() + WEB_TIMEOUT
        while not answers_http(self._plan.host, self._plan.port):
            for watched in self._watched:
                watched.tend(time.monotonic())
                if watched.essential and watched.quick_deaths >= QUICK_DEATHS:
                    raise StackError(f"{watched.name} does not start. See the lines above.")
            if time.monotonic() > deadline:
                raise StackError(
                    f"The page did not answer within {WEB_TIMEOUT:.0f} seconds. See {self._plan.paths.logs}/web.log."
                )
            time.sleep(TICK)

    def _enter(self) -> str:
        """A login address, when programs on this machine have been told the page's address and a token."""
        address, token = self._ways_in(self._plan.entrance)
        if not token:
            say(f"Programs on this machine will not find memweb. {address}")
            return address
        try:
            write_local_server(self._plan.paths, LocalServer(self._plan.url, token, os.getpid()))
        except OSError as error:
            say(f"Programs on this machine will not find memweb: {error}.")
        return address

    def _ways_in(self, program: Program) -> tuple[str, str]:
        """A login address, or a sentence when that fails: the page itself works; and what token the program printed."""
        try:
            lines = self._run_to_end(program, secret=True)
        except StackError as error:
            return f"(no login address: {error})", ""
        address = next((line for line in reversed(lines) if line.startswith("http")), "(no login address was printed)")
        return address, next((line for line in reversed(lines) if line.startswith(TOKEN_PREFIX)), "")

    def _tell(self, text: str) -> None:
        if not self._quiet:
            say(text)

    def _point_to_the_other(self) -> int:
        self._tell(f"memweb is already running for {self._plan.paths.home}; nothing was started.")
        self._parent = None  # not for one command
        if self._plan.programs and not self._quiet:
            say(f"Open this address in your browser:\n\n    {self._ways_in(self._plan.login)[0]}\n")
        return 0


class _Signals:
    """While it lasts, SIGTERM and SIGHUP interrupt the main thread as Ctrl-C does."""

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, signal.default_int_handler) for number in STOP_SIGNALS}

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def check_port(host: str, port: int, *, setting: str = "MEMWEB_PORT") -> None:
    """Raises `StackError` when nothing can listen there, as `setting` says."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StackError(
            f"“{host}” is no address of this machine ({error.strerror}). "
            f"Set {setting.replace('PORT', 'HOST')} to one, as 127.0.0.1."
        ) from error
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise StackError(
                f"memweb cannot listen on {host}, port {port}: {error.strerror}. Another program may be using it. "
                f"Choose another port, for example: {setting}={port + 1}"
            ) from error


def answers_http(host: str, port: int) -> bool:
    """True when a web server answers there, whatever it says."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=10)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
