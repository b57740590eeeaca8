"""Where everything of the embedded stack lies. The same home gives the same paths, so commands find it running."""

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from memweb.stack.exceptions import StackError

POSTGRES_MAJOR = "18"
ROLE = "memweb_app"  # that memweb works as in its own database server; no superuser
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own limit is 104 (macOS) or 108 (Linux), its final zero included
# Of Celery's transport. A dead broker must not hold a request: the run row is the queue, the reaper enqueues what was
# missed. A worker's wait for a task is begun anew after `polling_interval` seconds; it must be below the time-out.
# Without emulation of acknowledgements: a copy of each message that is at work would be kept in Redis, for workers that
# die. What is to be done stands in rows, and the reaper finds it there.
BROKER_OPTIONS = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 5,
    "max_retries": 0,
    "polling_interval": 4,
    "ack_emulation": False,
}
_SHORT_RUN_PARENT = Path("/tmp")  # not $TMPDIR: two shells with different ones must agree
_ROOT_DATA_PARENT = Path("/var/lib")


@dataclass(frozen=True)
class StackPaths:
    """Data folder layout below `home` (MEMWEB_HOME). Nothing is created by looking at a path.

    As root the PostgreSQL server runs as another user, who has to be able to walk to its files. Where `home` does not
    let it (root's own home is closed to others), they lie in a folder of their own, `/var/lib/memweb-<hash of home>`.
    """

    home: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", self.home.expanduser().resolve())

    @cached_property
    def server_home(self) -> Path:
        """Parent of what the PostgreSQL server's own user must reach; `home` unless root's home is closed."""
        name = f"postgres-{POSTGRES_MAJOR}"
        fallback = _ROOT_DATA_PARENT / f"memweb-{self._hash}"
        if os.geteuid() != 0 or (self.home / name).exists():
            return self.home
        if (fallback / name).exists() or not is_open_to_others(self.home):
            return fallback
        return self.home

    @property
    def postgres_data(self) -> Path:
        return self.server_home / f"postgres-{POSTGRES_MAJOR}"

    @cached_property
    def run_folder(self) -> Path:
        """Parent of both sockets. A short path of its own where `home` is too deep for a socket."""
        folder = self.server_home / "run"
        if len(os.fsencode(folder / "pg" / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return folder
        return _SHORT_RUN_PARENT / f"memweb-{os.geteuid()}-{self._hash}"

    @property
    def postgres_socket_folder(self) -> Path:
        return self.run_folder / "pg"

    @property
    def valkey_data(self) -> Path:
        return self.home / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.run_folder / "valkey.sock"

    @property
    def database_url(self) -> str:
        """For psycopg and Django, where no DATABASE_URL is set."""
        return f"postgresql://{ROLE}@/memweb?host={quote(str(self.postgres_socket_folder), safe='/')}&port=5432"

    @property
    def redis_url(self) -> str:
        """For redis-py and channels_redis, where no REDIS_URL is set. Celery needs `celery_broker_url` of it."""
        return f"unix://{quote(str(self.valkey_socket), safe='/')}"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def lock_file(self) -> Path:
        """Held by the one supervisor of this home; freed by the kernel when it dies."""
        return self.home / "memweb.lock"

    @property
    def local_server(self) -> Path:
        """Tells programs on this machine where the page is, while it runs."""
        return self.home / "local.json"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def model_state(self) -> Path:
        return self.home / "model_state.json"

    @property
    def model_wishes(self) -> Path:
        return self.home / "model_wishes.json"

    @property
    def model_fetches(self) -> Path:
        return self.home / "model_fetches.json"

    @property
    def secret_key(self) -> Path:
        return self.home / "secret_key"

    @property
    def tiktoken(self) -> Path:
        return self.home / "tiktoken"

    @property
    def media(self) -> Path:
        return self.home / "media"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    @property
    def backup_state(self) -> Path:
        return self.home / "backup_state.json"

    @property
    def metrics(self) -> Path:
        """In it each process counts for itself."""
        return self.home / "metrics"

    @property
    def beat_schedule(self) -> Path:
        return self.home / "celerybeat-schedule"

    @property
    def _hash(self) -> str:
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]

    def create(self) -> None:
        """Make the folders that belong to us. Private; as root passable, for the server's user. Safe to repeat."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        for folder in (self.home, self.server_home, self.run_folder):
            make_folder(folder, mode=mode)
        for folder in (self.logs, self.models, self.media, self.valkey_data):
            make_folder(folder, mode=0o700)
        if self.run_folder.lstat().st_uid not in {os.geteuid(), self.home.stat().st_uid}:
            raise StackError(
                f"The folder {self.run_folder} belongs to another user, so memweb's sockets would not be "
                "private there. Remove it, or choose a shorter MEMWEB_HOME."
            )


def make_folder(folder: Path, *, mode: int) -> None:
    """Create it with `mode` if it is missing; one that exists is left as it is. Raises `StackError` in plain words."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True)
        folder.chmod(mode)
    except OSError as error:
        raise StackError(
            f"Cannot make the folder {folder}: {error.strerror}. Set MEMWEB_HOME to a folder you can write to."
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half of it; and never readable by others."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    part.write_text(text)
    part.replace(path)


def is_open_to_others(path: Path) -> bool:
    """True when any user may walk to `path`; parts that do not exist yet count as open."""
    return all(_mode(part) & stat.S_IXOTH for part in (path, *path.parents))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return stat.S_IXOTH


def celery_broker_url(redis_url: str) -> str:
    """`unix://` in the form that Celery's transport reads, `redis+socket://`; any other URL unchanged."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"
