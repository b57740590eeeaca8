"""What nobody should send, and does, against the running product: never a 500, always JSON that says what is wrong."""

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import until
from tests.product import Newcomer, Product

pytestmark = pytest.mark.usefixtures("nothing_fails")

JSON = {"Content-Type": "application/json"}
DEEP = 10_000  # levels
LONG = 10_000  # characters
SURROGATE = "\ud800"


@pytest.fixture
def agent(http: httpx.Client) -> str:
    return str(http.post("/v1/agents", json={"name": "Sam", "memory_blocks": []}).json()["id"])


@pytest.fixture
def folder(http: httpx.Client) -> str:
    return str(http.post("/v1/folders", json={"name": "Logs"}).json()["id"])


def refused(answer: httpx.Response, *statuses: int) -> Any:
    """What it says of it."""
    assert answer.status_code in statuses, answer.text
    body = answer.json()
    detail = body["error"]["message"] if "/openai/" in str(answer.url) else body["detail"]
    assert detail
    return detail


# Bodies

BROKEN = {
    "broken": b'{"name":',
    "no JSON": b"name=Sam",
    "a NUL": b"\x00",
    "Latin-1": b'{"name":"\xe9"}',
    "NaN": b'{"metadata":{"a":NaN}}',
    "infinity": b'{"metadata":{"a":[1e400]}}',
    "a number of 5,000 digits": b'{"context_window_limit":' + b"9" * 5000 + b"}",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and without an end": b'{"metadata":' + b"[" * DEEP,
    "deep in what is kept": b'{"metadata":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
}
NO_OBJECT = {"a list": b"[1]", "a text": b'"x"', "null": b"null", "a number": b"1", "true": b"true", "nothing": b""}


@pytest.mark.parametrize("path", ["/v1/agents", "/v1/blocks", "/v1/messages/search", "/openai/v1/chat/completions"])
def test_what_is_no_json_is_a_400_and_what_is_no_object_a_422(http: httpx.Client, path: str) -> None:
    for name, raw in BROKEN.items():
        assert "cannot be read" in refused(http.post(path, content=raw, headers=JSON), 400), name
    for name, raw in NO_OBJECT.items():
        refused(http.post(path, content=raw, headers=JSON), 400 if "openai" in path else 422), name


WRONG = [
    {"name": 5},
    {"name": ["Sam"]},
    {"name": ""},
    {"name": " "},
    {"name": "x" * LONG},
    {"model": "x" * LONG},
    {"tags": "x"},
    {"tags": ["x" * LONG]},
    {"tags": ["x"] * 1000},
    {"metadata": [1]},
    {"context_window_limit": -1},
    {"context_window_limit": 10**30},
    {"context_window_limit": 8192.5},
    {"context_window_limit": True},
    {"llm_config": {"model": "m", "context_window": 1}},
    {"llm_config": 5},
    {"timezone": "Mars/Olympus"},
    {"timezone": "../../etc/passwd"},
    {"system": "\x00"},
    {"description": "x" * 300_000},
    {"unknown": 1},
    {"\x00": 1},
    {SURROGATE: 1},
]


def test_wrong_values_and_unknown_fields_are_named_and_change_nothing(http: httpx.Client, agent: str) -> None:
    before = http.get(f"/v1/agents/{agent}").json()
    for body in WRONG:
        raw = json.dumps(body).encode()
        (fault, *_more) = refused(http.patch(f"/v1/agents/{agent}", content=raw, headers=JSON), 422)
        assert fault["loc"][0] == "body"
        assert fault["msg"]
        assert not fault["msg"].startswith("Value error")
        refused(http.post("/v1/agents", content=raw, headers=JSON), 422)
    assert http.get(f"/v1/agents/{agent}").json() == before
    assert [row["name"] for row in http.get("/v1/agents").json()] == ["Sam"]


def test_texts_that_no_database_holds_come_out_as_it_can(http: httpx.Client, agent: str) -> None:
    odd = f"a\x00b{SURROGATE}c"

    def sent(method: str, path: str, **body: Any) -> Any:
        answer = http.request(method, path, content=json.dumps(body).encode(), headers=JSON)
        assert answer.status_code == 200, answer.text
        return answer.json()

    changed = sent(
        "PATCH", f"/v1/agents/{agent}", name=odd, description=odd, tags=[odd], system=odd, metadata={odd: odd}
    )
    assert {changed["name"], changed["description"], changed["system"], *changed["tags"]} == {"ab?c"}
    assert changed["metadata"] == {"ab?c": "ab?c"}
    assert sent("POST", "/v1/blocks", label="l", value=odd, description=odd, metadata={odd: [odd]})["value"] == "ab?c"
    assert sent("POST", f"/v1/agents/{agent}/archival-memory", text=odd, tags=[odd])[0]["text"] == "ab?c"
    assert sent("POST", "/v1/archives", name=f"Logs {odd}", description=odd)["name"] == "Logs ab?c"
    said = sent("POST", f"/v1/agents/{agent}/messages", input=f"I {odd}")["messages"][-1]
    assert said["content"] == "You said: *I ab?c*"
    for path in ("/v1/messages/search", "/v1/passages/search"):
        sent("POST", path, query=odd)
    assert sent("POST", "/v1/commands/match", text=odd)["message"] == "ab?c"
    chat = {"model": "ab?c", "messages": [{"role": "user", "content": odd}]}
    assert sent("POST", "/openai/v1/chat/completions", **chat)["choices"]


CHATS: list[Any] = [
    {},
    {"model": "Sam"},
    {"model": "Sam", "messages": []},
    {"model": "Sam", "messages": "x"},
    {"model": "Sam", "messages": [{}]},
    {"model": "Sam", "messages": [{"role": "user"}]},
    {"model": "Sam", "messages": [{"role": ["user"], "content": "x"}]},
    {"model": "Sam", "messages": [{"role": "user", "content": [1]}]},
    {"model": "Sam", "messages": [{"role": "user", "content": []}]},
    {"model": "Sam", "messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]},
    {"model": "Sam", "messages": [{"role": "user", "content": [{"type": "text", "text": {"a": 1}}]}]},
    {"model": "Sam", "messages": [{"role": "user", "content": "x" * 500_000}]},
    {"model": "Sam", "messages": [{"role": "user", "content": " "}]},
    {"model": "Sam", "messages": [{"role": "user", "content": "x"}], "n": 10**30},
    {"model": "Sam", "messages": [{"role": "user", "content": "x"}], "stream": "maybe"},
    {"model": "Sam", "messages": [{"role": "user", "content": "x"}], "stream_options": []},
    {"model": "Sam", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": ["x"]}},
    {"model": {}, "messages": [{"role": "user", "content": "x"}]},
    {"model": "Sam", "input": []},
    {"model": "Sam", "input": [{}]},
    {"model": "Sam", "input": 5},
    {"model": "Sam", "input": ""},
    {"model": "Sam", "input": "x", "text": {"format": 5}},
    {"model": "Sam", "input": "x", "text": {"format": {"type": ["x"]}}},
    {"model": "Sam", "input": "x", "text": 5},
]


@pytest.mark.usefixtures("agent")
def test_openais_doors_refuse_in_openais_shape(http: httpx.Client) -> None:
    for body in CHATS:
        path = "/openai/v1/responses" if "input" in body else "/openai/v1/chat/completions"
        refused(http.post(path, json=body), 400)
    assert http.get("/v1/runs").json() == []


def test_a_huge_body_is_a_413(http: httpx.Client) -> None:
    block = {"label": "x", "value": "x" * 17_000_000}
    refused(http.post("/v1/blocks", json=block), 413)
    refused(http.post("/v1/blocks", json=block, headers={"Idempotency-Key": "k"}), 413)
    refused(http.post("/openai/v1/responses", json={"model": "x", "input": block["value"]}), 413)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/xml", "application/json; charset=x", "multipart/form-data"]
)
def test_json_is_read_whatever_it_is_called(http: httpx.Client, kind: str) -> None:
    answer = http.post("/v1/blocks", content=b'{"label": "l", "value": "v"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "line", ["", "x", "/", "/\x00", "/nothing", "/memory x", "/pop -1", "/pop 1e5", "/pop " + "9" * 30]
)
def test_what_is_no_command_is_refused(http: httpx.Client, agent: str, line: str) -> None:
    refused(http.post(f"/v1/agents/{agent}/commands", json={"line": line}), 422)


# Addresses


@pytest.mark.parametrize("path", ["//v1//agents", "/v1//agents///", "/v1/agents/", "/v1/agents"])
def test_more_slashes_than_one_are_one(product: Product, http: httpx.Client, path: str) -> None:
    assert http.get(product.url + path).json() == []


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/openai/v1/", "/v1/nowhere", "/v1/agents/%2F", "/v1/agents/a%2Fb", "/v1/agents/..%2f.."),
        *("/v1/agents/%00", "/v1/agents/%ff", "/v1/agents/%zz", "/v1/agents/é", "/v1/agents/%20", "/v1/tools/%00"),
        *("/v1/agents/agent-1", "/v1/agents/agent-" + "0" * 32, "/v1/agents/" + "a" * 20_000, "/v1/blocks/agent-1"),
        *("/v1/runs/run-9223372036854775808", "/v1/runs/run-" + "9" * 5000, "/v1/runs/run-%D9%A1", "/v1/steps/step--1"),
        *("/v1/blocks/block-1.5", "/v1/blocks/x", "/openai/v1/models/%2F", "/openai/v1/models/" + "x" * LONG),
        *("/openai/v1/responses/resp_run-" + "9" * 18, "/openai/v1/responses/%00"),
    ],
)
def test_what_is_not_there_is_a_404(product: Product, http: httpx.Client, path: str) -> None:
    refused(http.get(product.url + path), 404)


@pytest.mark.parametrize(
    "query",
    [
        *(
            "limit=0",
            "limit=-1",
            "limit=1e3",
            "limit=" + "9" * 5000,
            "limit=",
            "limit=%00",
            "order=up",
            "order_by=name",
        ),
        *("tags[]=a", "unknown=1", "%00=1", "a%ff=1", ";", "&&&=", "=", "name=" + "x" * LONG, "include=" + "x" * LONG),
        "x=" + "a" * 20_000,
        "&".join(["tags=a"] * 500),
    ],
)
def test_a_query_that_cannot_be_taken_is_refused(product: Product, http: httpx.Client, query: str) -> None:
    assert refused(http.get(f"{product.url}/v1/agents?{query}"), 422)[0]["loc"][0] == "query"


def test_a_query_of_thousands_of_names_is_refused(product: Product, http: httpx.Client) -> None:
    query = "&".join(f"a{number}=1" for number in range(2000))
    refused(http.get(f"{product.url}/v1/agents?{query}"), 400)


@pytest.mark.parametrize("query", ["name=%ff", "name=%00", "name=%ED%A0%80", "query_text=%00%25_"])
def test_a_query_of_odd_letters_finds_nothing(product: Product, http: httpx.Client, query: str) -> None:
    assert http.get(f"{product.url}/v1/agents?{query}").json() == []


CURSORS = ["x", "message-0.0-", "agent-" + "0" * 31, "agent-" + "0" * 32, "run--1", "x" * 201]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_none_is_named(product: Product, http: httpx.Client, agent: str, cursor: str) -> None:
    for path in ("/v1/agents", f"/v1/agents/{agent}/messages", "/v1/blocks", "/v1/runs", "/v1/tools"):
        for name in ("after", "before"):
            refused(http.get(f"{product.url}{path}?{name}={cursor}"), 404, 422)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "BREW"])
def test_another_method_is_a_405_that_names_it(http: httpx.Client, method: str) -> None:
    for path in ("/v1/agents", "/v1/tags", "/v1/health", "/openai/v1/models", "/v1/openapi.json", "/v1/docs"):
        answer = http.request(method, path)
        if method != "HEAD":
            assert method in refused(answer, 405)
        assert answer.status_code == (200 if method == "HEAD" and path in ("/v1/openapi.json", "/v1/docs") else 405)


# Times


@pytest.mark.parametrize(
    "time",
    [
        *("0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-01-01", "10000-01-01"),
        *("2026-02-30", "2026-11-26T25:00:00", "2026-11-26T00:00:00+25:00", "12345", "1e10", "now", "", "\x00"),
    ],
)
def test_a_time_that_there_is_not_everywhere_is_refused(http: httpx.Client, agent: str, time: str) -> None:
    memory = f"/v1/agents/{agent}/archival-memory"
    refused(http.post(memory, json={"text": "x", "created_at": time}), 422)
    refused(http.get(f"{memory}/search", params={"query": "x", "start_datetime": time}), 422)
    refused(http.get("/v1/steps", params={"end_date": time}), 422)
    refused(http.post("/v1/messages/search", json={"query": "x", "start_date": time}), 422)
    assert http.get(memory).json() == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0001-01-02T00:00:00Z", "0001-01-02T00:00:00+00:00"),
        ("9999-12-30T00:00:00", "9999-12-30T00:00:00+00:00"),
        ("2026-11-27T01:00:00+14:00", "2026-11-26T11:00:00+00:00"),
        ("2026-11-26", "2026-11-26T00:00:00+00:00"),
    ],
)
def test_a_time_of_any_zone_and_century_is_kept(http: httpx.Client, agent: str, written: str, read: str) -> None:
    memory = f"/v1/agents/{agent}/archival-memory"
    (passage,) = http.post(memory, json={"text": "the lamp", "created_at": written}).json()
    assert passage["created_at"] == read
    found = http.get(f"{memory}/search", params={"query": "lamp", "start_datetime": written, "end_datetime": written})
    assert [row["timestamp"] for row in found.json()["results"]] == [read]
    http.patch(f"/v1/agents/{agent}", json={"timezone": "Pacific/Kiritimati"})
    answer = http.post(f"/v1/agents/{agent}/messages", json={"input": "look up the lamp"}).json()
    returned = next(m for m in answer["messages"] if m["message_type"] == "tool_return_message")
    assert (returned["status"], "the lamp" in returned["tool_return"]) == ("success", True)


# Uploads


def test_an_upload_is_one_file_and_what_its_door_knows(http: httpx.Client, folder: str) -> None:
    def upload(**sent: Any) -> Any:
        return refused(http.post(f"/v1/folders/{folder}/upload", **sent), 400, 422)

    file = ("a.txt", b"words")
    assert upload()[0]["loc"][-1] == "file"
    assert upload(files={"other": file})[0]["loc"] == ["form", "other"] or upload()
    assert upload(files={"file": (None, b"words")})[0]["loc"][-1] == "file"
    assert "One file" in upload(files=[("file", file), ("file", ("b.txt", b"more"))])[0]["msg"]
    assert upload(files={"file": file}, data={"bogus": "1"})[0]["loc"] == ["form", "bogus"]
    assert "empty" in upload(files={"file": ("e.txt", b"")})[0]["msg"]
    upload(files={"file": ("", b"words")})
    upload(files={"file": ("x" * LONG, b"words")})
    upload(files={"file": file}, params={"name": "x" * LONG})
    upload(files={"file": file}, params={"name": ".."})
    upload(files={"file": file}, params={"duplicate_handling": "burn"})
    upload(files={"file": file}, data={f"f{number}": "1" for number in range(2000)})
    for kind in (
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=",
    ):
        upload(content=b"words", headers={"Content-Type": kind})
    assert http.get(f"/v1/folders/{folder}/files").json() == []


@pytest.mark.parametrize("name", [".txt", "../../etc/passwd", "a/b.txt", "CON.txt", "ü.txt", "none", "a\x00b.md"])
def test_a_file_of_any_name_is_kept_without_its_path(http: httpx.Client, folder: str, name: str) -> None:
    kept = []
    for text in (b"some words", b"other words"):
        answer = http.post(f"/v1/folders/{folder}/upload", files={"file": ("x.txt", text)}, params={"name": name})
        assert answer.status_code == 200, answer.text
        kept.append(answer.json()["file_name"])
    assert not any("/" in one or "\x00" in one for one in kept)
    assert len(set(kept)) == 2
    assert {Path(one).suffix for one in kept} == {Path(kept[0]).suffix}


def test_an_agent_file_that_is_none_makes_no_agent(http: httpx.Client) -> None:
    def imported(raw: bytes, **form: Any) -> Any:
        return refused(http.post("/v1/agents/import", files={"file": ("a.af", raw)}, data=form), 422)

    for raw in (*BROKEN.values(), *NO_OBJECT.values()):
        imported(raw)
    for agent in (
        {},
        {"name": 5},
        {"name": "x" * LONG},
        {"name": "Sam", "messages": [{"role": "user", "content": "x", "created_at": "0001-01-01T00:00:00+14:00"}]},
        {"name": "Sam", "messages": [{"role": "user", "content": "x", "created_at": "9999-12-31T23:59:59-14:00"}]},
        {"name": "Sam", "messages": 7},
        {"name": "Sam", "block_ids": {}},
    ):
        imported(json.dumps({"agents": [agent]}).encode())
    good = json.dumps({"agents": [{"name": "Sam"}]}).encode()
    assert imported(good, bogus="1")[0]["loc"] == ["form", "bogus"]
    assert imported(good, append_copy_suffix="perhaps")
    refused(http.post("/v1/agents/import"), 422)
    assert http.get("/v1/agents").json() == []


# Below HTTP/1.1 as clients speak it


def spoken(product: Product, someone: Newcomer, head: str, body: bytes = b"", *, to_the_end: bool = True) -> bytes:
    """What comes back for these bytes until the server hangs up."""
    token = f"Authorization: Bearer {someone.token}\r\n" if "Authorization" not in head else ""
    with socket.create_connection(("127.0.0.1", product.port), timeout=20) as wire:
        wire.sendall(f"{head}\r\n{token}\r\n".encode() + body)
        if not to_the_end:
            wire.shutdown(socket.SHUT_WR)
        parts = []
        while part := wire.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_http_1_0_without_host_and_accept(product: Product, someone: Newcomer, agent: str) -> None:
    assert spoken(product, someone, "GET /v1/tags HTTP/1.0").endswith(b"\r\n\r\n[]")
    message = b'{"input": "hello"}'
    for path in ("messages", "messages/stream"):
        head = f"POST /v1/agents/{agent}/{path} HTTP/1.0\r\nContent-Length: {len(message)}"
        answer = spoken(product, someone, head, message)
        assert answer.startswith(b"HTTP/1.0 200 OK")
        assert b"You said: *hello*" in answer


def test_a_body_in_chunks_is_read_and_a_broken_one_is_not(product: Product, someone: Newcomer) -> None:
    head = "POST /v1/commands/match HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked"
    answer = spoken(product, someone, head, b'5\r\n{"tex\r\n7\r\nt":"x"}\r\n0\r\n\r\n')
    assert b'{"command":false,"message":"x"}' in answer
    assert spoken(product, someone, head, b"zz\r\n").startswith(b"HTTP/1.1 400")
    both = f"{head}\r\nContent-Length: 3"
    assert spoken(product, someone, both, b"0\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_body_that_ends_too_early_does_nothing(product: Product, someone: Newcomer, http: httpx.Client) -> None:
    head = "POST /v1/blocks HTTP/1.1\r\nHost: x\r\nContent-Length: 100"
    assert b"200 OK" not in spoken(product, someone, head, b'{"label":', to_the_end=False)
    assert http.get("/v1/blocks").json() == []


# Who leaves, and what dies


def test_a_client_that_leaves_while_it_waits_loses_nothing(http: httpx.Client, agent: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"/v1/agents/{agent}/messages", json={"input": "slow"}, timeout=0.3)
    until(lambda: http.get("/v1/runs").json()[0]["status"] == "completed", "the end of the run", 30)
    newest = http.get(f"/v1/agents/{agent}/messages", params={"limit": 1}).json()
    assert newest[0]["message_type"] == "assistant_message"


def test_a_web_process_that_dies_ends_the_stream_and_not_the_run(
    product: Product, http: httpx.Client, agent: str
) -> None:
    sent = {"input": "slow", "stream_tokens": True}
    with (
        pytest.raises(httpx.TransportError),
        http.stream("POST", f"/v1/agents/{agent}/messages/stream", json=sent) as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        os.kill(product.web_process(), signal.SIGKILL)
        list(lines)

    def answers() -> bool:
        try:
            return httpx.get(f"{product.url}/v1/health").status_code == 200
        except httpx.TransportError:
            return False

    until(answers, "another web process", 60)
    until(lambda: http.get("/v1/runs").json()[0]["status"] == "completed", "the end of the run", 30)
    assert "One word at a time" in http.get(f"/v1/agents/{agent}/messages", params={"limit": 1}).json()[0]["content"]
