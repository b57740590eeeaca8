"""A scripted model behind a real OpenAI-compatible HTTP server, with faults on demand.

It stands in for the model alone: everything up to the socket is the real thing. Used by the tests, by benchmarks, and
by anyone who wants to see memweb move without a model:

    with ScriptedServer(brain=[say("Hello!")]) as server:   # or a function from request to Answer
        OPENAI_BASE_URL = server.url
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agents.llm.types import INNER_THOUGHTS, REQUEST_HEARTBEAT

Request = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to answer. Text goes out in pieces of `piece` characters, `pause` seconds apart.

    `status` other than 200, or a `content_type`, sends `body` instead; `events` are sent as they are, one by one, a
    dict as JSON. `drop_after` closes the connection after so many pieces,
    `hang_after` goes silent there until the client leaves; `hang_up` closes it without a word.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()  # (name, raw JSON arguments)
    finish_reason: str = ""
    status: int = 200
    body: str = ""
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    events: tuple[dict[str, Any] | str, ...] = ()
    piece: int = 12
    pause: float = 0.0
    drop_after: int | None = None
    hang_after: int | None = None
    hang_up: bool = False
    cached_tokens: int = 0
    prompt_tokens: int | None = None  # else a quarter of the request's characters


Brain = Callable[[Request], Answer]


def say(message: str, *, thoughts: str = "I answer.", heartbeat: bool = False, **how: Any) -> Answer:
    """An answer that speaks; `how` are further fields of it."""
    return replace(call("send_message", thoughts=thoughts, heartbeat=heartbeat, message=message), **how)


def call(name: str, *, thoughts: str = "I act.", heartbeat: bool = True, pause: float = 0, **arguments: Any) -> Answer:
    """An answer that calls a function."""
    whole = {INNER_THOUGHTS: thoughts, **arguments, REQUEST_HEARTBEAT: heartbeat}
    return Answer(calls=((name, json.dumps(whole, ensure_ascii=False)),), pause=pause)


def last_event(request: Request) -> dict[str, Any]:
    """The newest packaged event or result in a request: what the model is to react to."""
    for message in reversed(request["messages"]):
        content = message.get("content") or ""
        if isinstance(content, list):  # with pictures
            content = "\n".join(part.get("text", "") for part in content)
        for line in reversed(content.splitlines()):  # neighbours of one role come as one
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and message["role"] != "assistant":
                return event
    return {}


class ScriptedServer:
    """Serves on a loopback port, a free one unless `port` is given, until closed. `requests` holds every chat request;
    `left` is set when a client goes away in the middle of an answer. A brain given as a list is played in order, then
    repeats its last answer. `before_embedding` is called with the texts, and may take its time.
    """

    def __init__(self, brain: Brain | list[Answer], *, port: int = 0) -> None:
        self.brain: Brain = _Script(brain) if isinstance(brain, list) else brain
        self.requests: list[Request] = []
        self.before_embedding: Callable[[list[str]], None] = lambda _texts: None
        self.left = threading.Event()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"scripted": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, for OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Script:
    def __init__(self, answers: list[Answer]) -> None:
        self.answers, self.next = answers, 0
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self.lock:
            answer = self.answers[min(self.next, len(self.answers) - 1)]
            self.next += 1
        return answer


class _Handler(BaseHTTPRequestHandler):
    scripted: ScriptedServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            self._embeddings(request)
            return
        self.scripted.requests.append(request)
        answer = self.scripted.brain(request)
        if answer.hang_up:
            self.close_connection = True
            return
        if answer.status != 200 or answer.content_type:
            body = answer.body or json.dumps({"error": {"message": f"scripted {answer.status}"}})
            self._send(answer.status, body, answer.content_type, answer.headers)
            return
        self._stream(_fitted(answer, request), request)

    def _embeddings(self, request: Request) -> None:
        size = request.get("dimensions", 384)
        texts = request["input"]
        self.scripted.before_embedding(texts)
        vectors = [[float((len(text) * (i + 1)) % 7) + 0.1 for i in range(size)] for text in texts]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        self._json(
            200,
            {
                "object": "list",
                "model": request["model"],
                "data": data,
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            },
        )

    def _stream(self, answer: Answer, request: Request) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        try:
            for event in answer.events:
                line = event if isinstance(event, str) else f"data: {json.dumps(event)}\n\n"
                self.wfile.write(line.encode())
                self.wfile.flush()
            for number, delta in enumerate(_deltas(answer)):
                if answer.drop_after == number:
                    return
                if answer.hang_after == number:
                    self._hang()
                    return
                self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                time.sleep(answer.pause)
            if answer.events:
                return
            reason = answer.finish_reason or ("tool_calls" if answer.calls else "stop")
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
            self._event({"choices": [], "usage": _usage(answer, request)})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.scripted.left.set()

    def _hang(self) -> None:
        """Silent until the client leaves: a comment line now and then finds out."""
        while not self.scripted.closing.wait(0.05):
            self.wfile.write(b": \n\n")
            self.wfile.flush()

    def _event(self, body: dict[str, Any]) -> None:
        whole = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "scripted", **body}
        self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        self.wfile.flush()

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body))

    def _send(self, status: int, body: str, kind: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind or ("application/json" if body.startswith("{") else "text/html"))
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _fitted(answer: Answer, request: Request) -> Answer:
    """Calls in the form the request asks for: tool calls, or one JSON object where a schema is given."""
    if "response_format" not in request or not answer.calls:
        return answer
    name, raw = answer.calls[0]
    try:
        arguments = json.loads(raw)
        thoughts = arguments.pop(INNER_THOUGHTS, "")
        text = json.dumps({INNER_THOUGHTS: thoughts, "call": {"name": name, "arguments": arguments}})
    except ValueError:
        text = f'{{"{INNER_THOUGHTS}": "", "call": {{"name": "{name}", "arguments": {raw}'
    return replace(answer, content=text, calls=())


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    def pieces(text: str) -> Iterator[str]:
        return (text[start : start + answer.piece] for start in range(0, len(text), answer.piece))

    yield from ({"reasoning_content": piece} for piece in pieces(answer.reasoning))
    yield from ({"content": piece} for piece in pieces(answer.content))
    for index, (name, arguments) in enumerate(answer.calls):
        head = {"index": index, "id": f"call_{time.monotonic_ns()}_{index}", "type": "function"}
        yield {"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]}
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _usage(answer: Answer, request: Request) -> dict[str, Any]:
    prompt = answer.prompt_tokens
    if prompt is None:
        prompt = len(json.dumps([request["messages"], request.get("tools", "")])) // 4
    usage = {"prompt_tokens": prompt, "completion_tokens": 20, "total_tokens": prompt + 20}
    return {**usage, "prompt_tokens_details": {"cached_tokens": answer.cached_tokens}}
