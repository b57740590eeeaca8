"""Where the server is: as the caller says, else MEMWEB_URL and MEMWEB_TOKEN, else the one that runs here."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from memweb.client.errors import NoServer, NotAllowed


@dataclass(frozen=True)
class Server:
    """Where a memweb answers, and what opens it."""

    url: str
    token: str = field(repr=False)


def home() -> Path:
    """The data folder of this machine's memweb."""
    return Path(os.environ.get("MEMWEB_HOME") or Path.home() / ".memweb").expanduser()


def is_told() -> bool:
    """Whether the environment names a server, which then is the one to speak to."""
    return bool(os.environ.get("MEMWEB_URL"))


def find(base_url: str | None = None, token: str | None = None) -> Server:
    """The server to speak to. Raises NoServer with what to do, NotAllowed where an address has no token."""
    url = base_url or os.environ.get("MEMWEB_URL")
    secret = token or os.environ.get("MEMWEB_TOKEN")
    here = running_here()
    if not url:
        if here is None:
            raise NoServer("No memweb is running on this machine. Start it with `memweb up`, or say where one is.")
        return Server(here.url, secret or here.token)
    url = url.rstrip("/").removesuffix("/v1")
    if not url.startswith(("http://", "https://")):
        raise NoServer(f"“{url}” is no address of a server: it begins with http:// or https://.")
    if not secret and here is not None and here.url == url:
        secret = here.token
    if not secret:
        raise NotAllowed(
            f"{url} wants a token: give it as token=, or in MEMWEB_TOKEN. `memweb token create` makes one."
        )
    return Server(url, secret)


def running_here() -> Server | None:
    """The server of this machine, as `memweb up` wrote it down; None if none runs."""
    try:
        written = json.loads((home() / "local.json").read_text())
        server = Server(str(written["url"]).rstrip("/"), str(written["token"]))
        return server if _is_alive(int(written["pid"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # somebody else's, and alive; no process at all
        return pid > 0
    return pid > 0
