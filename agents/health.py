"""Whether everything that memweb needs is there, in a sentence for each part that is not."""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.crypto import salted_hmac
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from agents.dispatch import QUEUES
from agents.external_context import archival_storage
from agents.llm import probing
from agents.llm.gateway import configured
from agents.schema import missing_migrations
from memweb.stack.model_state import state_of

KEPT_SECONDS = 5.0  # who asks more often gets the last answer
LEAST_FREE = 500 * 2**20  # bytes
LOOKED = "looked-after-at"  # the reaper's last look, in seconds since 1970
EMBEDDED = "passages-embedded-at"  # likewise
LOOK_PATIENCE = 75.0  # seconds; the clock has it look every thirty
EMBED_PATIENCE = timedelta(minutes=10)
WORKER_PATIENCE = 1.0  # seconds in which a worker says that it is there
ALIKE = ("SECRET_KEY", "EMBEDDINGS", "EMBEDDING_MODEL", "EMBEDDING_DIMENSION")
BROKER_FAULTS = (RedisError, KombuError, OSError)


@dataclass(frozen=True)
class Check:
    """One part; `fault` says what is wrong with it, and is empty if nothing is."""

    name: str
    fault: str


_lock = threading.Lock()
_last: tuple[float, list[Check]] | None = None


def checks() -> list[Check]:
    """All parts, in the order in which one stands on the other. Takes a second or two, asked again within five none."""
    global _last
    with _lock:
        if _last is None or time.monotonic() - _last[0] > KEPT_SECONDS:
            _last = time.monotonic(), [Check(name, _fault(look)) for name, look in PARTS.items()]
        return _last[1]


def _fault(look: Callable[[], str]) -> str:
    try:
        return look()
    except BROKER_FAULTS as error:
        return f"The broker cannot be reached: {error}"
    except DatabaseError as error:
        return f"The database fails: {str(error).strip().splitlines()[0]}"


def note_look() -> None:
    """The reaper was here. So the clock ticks, and a worker takes what it sends."""
    try:
        cache.set(LOOKED, time.time(), 3600)
    except RedisError:
        return


def note_embedded() -> None:
    """Passages got their embeddings just now."""
    try:
        cache.set(EMBEDDED, time.time(), 3600)
    except RedisError:
        return


def _database() -> str:
    try:  # not from the pool, which waits for a server that is not there
        options = {name: value for name, value in connection.get_connection_params().items() if name not in _DJANGOS}
        psycopg.connect(**options, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        return f"The database cannot be reached: {str(error).strip().splitlines()[-1]}"
    return ""


_DJANGOS = {"cursor_factory", "context", "prepare_threshold", "pool"}  # options of its own, beside libpq's


def _migrations() -> str:
    missing = ", ".join(missing_migrations()[:3])
    return f"Migrations are not applied ({missing}): memweb up applies them." if missing else ""


def _broker() -> str:
    cache.get("nothing")
    return ""


def settings_alike() -> dict[str, str]:
    """Of settings that all processes must have alike, on whichever machine: what tells whether they have, no more."""
    return {f"MEMWEB_{name}": salted_hmac(name, "", secret=str(getattr(settings, name))).hexdigest() for name in ALIKE}


def _workers() -> str:
    """Each worker tells its queues and its settings (`memweb.alive`)."""
    replies = current_app.control.broadcast("tell", reply=True, timeout=WORKER_PATIENCE) or []
    workers = {name: told for reply in replies for name, told in reply.items() if "queues" in told}
    missing = sorted(
        {*QUEUES.values(), "background"} - {queue for told in workers.values() for queue in told["queues"]}
    )
    faults = [f"No worker takes the tasks of: {', '.join(missing)}."] if missing else []
    own = settings_alike().items()
    for name, told in sorted(workers.items()):
        if others := sorted(setting for setting, _ in own - told["settings"].items()):
            faults.append(f"The worker {name} has another {' and '.join(others)} than this web process.")
    return " ".join(faults)


def _clock() -> str:
    ago = time.time() - float(cache.get(LOOKED, 0))
    return "" if ago < LOOK_PATIENCE else "The reaper has not looked for a minute: beat or its worker is away."


def _disk() -> str:
    place = next(
        folder for folder in (Path(settings.MEDIA_ROOT), *Path(settings.MEDIA_ROOT).parents) if folder.exists()
    )
    free = shutil.disk_usage(place).free
    return "" if free >= LEAST_FREE else f"Only {free // 2**20:,} MB of disk are free where documents are kept."


def _model() -> str:
    llm = configured()
    if not llm.local:
        return probing.fault_of(llm.base_url, llm.api_key)
    state = state_of(settings.PATHS, llm.model)
    if state.stage == "ready":
        return ""
    return f"The local model is not ready: {state.message or state.stage}."


def _embeddings() -> str:
    """Many may wait for long, after an import: it is a fault when none of them gets its embedding."""
    old = timezone.now() - EMBED_PATIENCE
    late = archival_storage.not_embedded().filter(created_at__lt=old).count()
    if not late or time.time() - float(cache.get(EMBEDDED, 0)) < EMBED_PATIENCE.total_seconds():
        return ""
    return f"No passage got its embedding for ten minutes, and so many wait: {late:,}."


PARTS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "workers": _workers,
    "clock": _clock,
    "disk": _disk,
    "model": _model,
    "embeddings": _embeddings,
}
