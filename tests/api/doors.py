"""The doors in this process: every operation of both OpenAPI documents, asked through the whole application."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from asgiref.testing import ApplicationCommunicator
from ninja import NinjaAPI

from api.urls import openai, v1
from memweb.asgi import application

Communicator: Any = ApplicationCommunicator
PATIENCE = 20  # seconds; far more than anything here takes
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="log.txt"\r\n\r\nThe lamp burns oil.\r\n--x--\r\n'
FORM_TYPE = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class Operation:
    """What one door takes. `query` and `body` are names, `needed` those that must be sent."""

    method: str
    path: str
    is_open: bool
    parts: tuple[str, ...]
    query: tuple[str, ...]
    body: tuple[str, ...]
    needed: frozenset[str]
    has_body: bool
    takes_file: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """Of a stream only the head."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, **more: str) -> Answer:
        """`more` are headers; `_` in their names is `-`."""
        headers = (
            {"Host": "127.0.0.1", "Content-Length": str(len(self.body))}
            | self.headers
            | {name.replace("_", "-"): value for name, value in more.items()}
        )
        query = urlencode(self.query, doseq=True).encode()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        communicator = Communicator(application, scope)
        await communicator.send_input({"type": "http.request", "body": self.body})
        start = await communicator.receive_output(PATIENCE)
        told = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        body, more_body = b"", told.get("content-type") != "text/event-stream"
        while more_body:
            part = await communicator.receive_output(PATIENCE)
            body, more_body = body + part.get("body", b""), part.get("more_body", False)
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(PATIENCE)
        return Answer(start["status"], told, body.decode())


def operations(*apis: NinjaAPI) -> list[Operation]:
    """All of them."""
    return [
        _operation(schema, path, method, told)
        for schema in [api.get_openapi_schema() for api in apis or (v1, openai)]
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]


def _operation(schema: Any, path: str, method: str, told: Any) -> Operation:
    asked = told.get("parameters", ())
    content = told.get("requestBody", {}).get("content", {})
    shape: Any = {}
    for kind in content.values():
        for choice in (kind["schema"], *kind["schema"].get("anyOf", ())):
            name = choice.get("$ref", "").rpartition("/")[2]
            shape = schema["components"]["schemas"][name] if name else shape
    needed = {*shape.get("required", ()), *(shape.get("oneOf") or [{}])[-1].get("required", ())}
    return Operation(
        method=method.upper(),
        path=path,
        is_open="security" not in told,
        parts=tuple(p["name"] for p in asked if p["in"] == "path"),
        query=tuple(p["name"] for p in asked if p["in"] == "query"),
        body=tuple(shape.get("properties", ())),
        needed=frozenset(needed | {p["name"] for p in asked if p["in"] == "query" and p.get("required")}),
        has_body=bool(content),
        takes_file="multipart/form-data" in content,
    )


def request(operation: Operation, things: dict[str, Any], **given: Any) -> Request:
    """A good one, made of `things`; `given` are further parameters and fields."""
    query = {name: things[name] for name in operation.query if name in operation.needed}
    body = {name: things[name] for name in operation.body if name in operation.needed}
    for name, value in given.items():
        (query if name in operation.query else body)[name] = value
    path = operation.path.format(**{part: things[part] for part in operation.parts})
    if operation.takes_file:
        return Request(operation.method, path, query, FORM, {"Content-Type": FORM_TYPE})
    raw = json.dumps(body).encode() if operation.has_body else b""
    return Request(operation.method, path, query, raw, {"Content-Type": "application/json"} if raw else {})
