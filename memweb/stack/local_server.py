"""How programs on this machine find the running memweb: address and token, in a file for its owner's eyes alone."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from memweb.stack.paths import StackPaths


@dataclass(frozen=True)
class LocalServer:
    """`pid` is the supervisor's: where no such process lives, the file is a killed one's."""

    url: str
    token: str
    pid: int


def read_local_server(paths: StackPaths) -> LocalServer | None:
    """As last written; None where nothing readable stands."""
    try:
        return LocalServer(**json.loads(paths.local_server.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_local_server(paths: StackPaths, server: LocalServer) -> None:
    """Whole or not at all, and never readable by others."""
    part = paths.local_server.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    part.write_text(json.dumps(asdict(server)))
    part.replace(paths.local_server)


def remove_local_server(paths: StackPaths, pid: int) -> None:
    """That supervisor's own; another one's stays."""
    server = read_local_server(paths)
    if server is not None and server.pid == pid:
        with suppress(OSError):
            paths.local_server.unlink()
