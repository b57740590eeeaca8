"""The backups that memweb makes by itself: one a day, and one before an upgrade. The oldest go."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memweb.stack.backup import making
from memweb.stack.backup.manifest import NAME
from memweb.stack.env import Env
from memweb.stack.exceptions import BackupUnderWay, StackError
from memweb.stack.paths import StackPaths, write_whole

DAILY, UPGRADE = "daily", "upgrade"
EVERY = timedelta(hours=24)
AGAIN = timedelta(hours=1)  # after one that failed


@dataclass(frozen=True)
class Last:
    """How the last one went. Times are ISO 8601, or empty; `folder` is the last whole one."""

    made_at: str = ""
    folder: str = ""
    failed_at: str = ""
    error: str = ""


def folder(env: Env) -> Path:
    """Where they are; a folder that is not named from the root lies in the data folder."""
    paths = StackPaths(env.memweb_home)
    return paths.home / env.memweb_backup_dir.expanduser() if env.memweb_backup_dir else paths.backups


def last(paths: StackPaths) -> Last:
    """As last written; all of it empty where there was none."""
    try:
        return Last(**json.loads(paths.backup_state.read_text()))
    except (OSError, ValueError, TypeError):
        return Last()


def made(paths: StackPaths, backup: Path) -> None:
    """Note a whole one; an error before it is of no interest any more."""
    _note(paths, Last(made_at=_now().isoformat(), folder=str(backup)))


def keep_one(env: Env, kind: str) -> Path:
    """Make one of this kind and let the oldest of the kind go. Raises `StackError`, which is noted for the admin,
    and `BackupUnderWay`, which is no fault: another machine may be at it."""
    paths = StackPaths(env.memweb_home)
    try:
        backup, _manifest = making.make(env, folder(env), kind=kind)
    except BackupUnderWay:
        raise
    except StackError as error:
        before = last(paths)
        _note(paths, Last(before.made_at, before.folder, _now().isoformat(), str(error)))
        raise
    made(paths, backup)
    for old in making.whole_ones(folder(env), kind)[::-1][max(env.memweb_backup_keep, 1) :]:
        shutil.rmtree(old, ignore_errors=True)
    return backup


def is_due(env: Env) -> bool:
    """True when the last daily one is a day old, and none failed within the hour."""
    if env.memweb_backup_keep == 0:
        return False
    failed_at = last(StackPaths(env.memweb_home)).failed_at
    if failed_at and _now() - datetime.fromisoformat(failed_at) < AGAIN:
        return False
    made_before = making.whole_ones(folder(env), DAILY)
    if not made_before:
        return True
    newest = (made_before[-1] / NAME).stat().st_mtime
    return _now().timestamp() - newest >= EVERY.total_seconds()


def start_if_due(env: Env) -> None:
    """In a process of its own, which holds up nobody and says in our log when it fails."""
    if is_due(env):
        subprocess.Popen([sys.executable, "-m", "memweb", "backup", "--daily"], stdin=subprocess.DEVNULL)


def _note(paths: StackPaths, state: Last) -> None:
    with suppress(OSError):  # a full disk: the log has it
        write_whole(paths.backup_state, json.dumps(asdict(state)))


def _now() -> datetime:
    return datetime.now(UTC)
