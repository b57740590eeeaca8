"""How programs on this machine find the running memweb: address and token, in a file for its owner's eyes alone."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from memweb.stack.paths import StackPaths, write_whole


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
    write_whole(paths.local_server, json.dumps(asdict(server)))


def remove_local_server(paths: StackPaths, pid: int) -> None:
    """That supervisor's own; another one's stays."""
    server = read_local_server(paths)
    if server is not None and server.pid == pid:
        with suppress(OSError):
            paths.local_server.unlink()
