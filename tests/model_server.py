"""A model server as people run one: a list of models, a key that it wants or not, an API of its own. Behind it is the
scripted model."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from agents.llm.scripted import Answer, Brain, Request, ScriptedServer, call
from agents.llm.trial import FUNCTION, NUMBER
from tests.brain import brain


def in_trials(otherwise: Brain = brain) -> Brain:
    """What a good model does when it is tried; else what the other brain does."""

    def answer(request: Request) -> Answer:
        asked = str(request["messages"][-1]["content"])
        if "Count from one" in asked:
            return Answer(content="one two three four five six seven eight nine ten")
        if "colour is this picture" in asked:
            return Answer(content="Red.")
        if FUNCTION.name in json.dumps(request.get("tools") or request.get("response_format") or ""):
            return call(FUNCTION.name, number=NUMBER)
        return otherwise(request)

    return answer


@dataclass
class Kind:
    """What is particular about a server. `says` are answers by path, `key` the one that it wants; its error says which
    key it was given, as some do."""

    models: Iterable[str] = ("llama3.2", "nomic-embed-text")
    key: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    listing: dict[str, Any] | None = None


def ollama(*models: str, window: int = 8192) -> Kind:
    """As Ollama answers: its list tells no windows, its own API does."""
    names = models or ("llama3.2", "nomic-embed-text")
    loaded = [{"name": name, "model": name, "context_length": window} for name in names]
    return Kind(
        models=names, says={"/api/ps": {"models": loaded}, "/api/show": {"capabilities": ["completion", "tools"]}}
    )


class ModelServer(ScriptedServer):
    """`seen` are the headers of each request, in small letters."""

    def __init__(self, kind: Kind, brain: Brain | None = None, *, port: int = 0) -> None:
        super().__init__(brain or in_trials(), port=port)
        self.kind = kind
        self.seen: list[dict[str, str]] = []
        handler: Any = self._server.RequestHandlerClass
        self._server.RequestHandlerClass = type("Handler", (_Handler, handler), {"of": self})


class _Handler(BaseHTTPRequestHandler):
    of: ModelServer

    def do_GET(self) -> None:
        if self._refused():
            return
        kind = self.of.kind
        if self.path in kind.says:
            self._json(200, kind.says[self.path])  # type: ignore[attr-defined]
        elif self.path == "/v1/models":
            names = [{"id": name, "object": "model", "owned_by": "library"} for name in kind.models]
            self._json(200, kind.listing or {"object": "list", "data": names})  # type: ignore[attr-defined]
        else:
            self._send(404, "404 page not found")  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        if self._refused():
            return
        if self.path in self.of.kind.says:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._json(200, self.of.kind.says[self.path])  # type: ignore[attr-defined]
        elif not self.path.startswith("/v1/"):
            self._send(404, "404 page not found")  # type: ignore[attr-defined]
        else:
            super().do_POST()  # type: ignore[misc]

    def _refused(self) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.of.seen.append(headers)
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not self.of.kind.key or given == self.of.kind.key:
            return False
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        error = {"message": f"Incorrect API key provided: {given}.", "code": "invalid_api_key"}
        self._json(401, {"error": error})  # type: ignore[attr-defined]
        return True
