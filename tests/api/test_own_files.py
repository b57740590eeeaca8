"""memweb's own file of an agent and copies, over REST, to the running product."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.product import Product


def test_memwebs_own_file_has_everything(http: httpx.Client, letta: Any, sam: Any) -> None:
    letta.agents.messages.create(sam.id, input="I moved to Lisbon")
    archive = http.get("/v1/archives/", params={"agent_id": sam.id}).json()[0]["id"]
    folder = f"/v1/folders/folder-{archive.removeprefix('archive-')}"
    http.post(f"{folder}/upload", files={"file": ("log.txt", b"The barometer fell to 28 inches.")}).raise_for_status()
    exported = f"/v1/agents/{sam.id}/export"
    plain = http.get(exported, params={"format": "memweb"})
    packed = http.get(exported, params={"format": "memweb", "documents": "true"})
    assert plain.headers["content-length"] == str(len(plain.content)) and plain.json()["version"] == 3
    assert packed.headers["content-type"] == "application/zip"
    assert sorted(zipfile.ZipFile(io.BytesIO(packed.content)).namelist()) == ["agent.json", "documents/1/log.txt"]
    assert http.get(exported, params={"documents": "true"}).status_code == 422
    told = imported(http, packed.content, override_name="Packed", append_copy_suffix="true")
    assert told["missing"] == [] and letta.agents.retrieve(told["agent_ids"][0]).name == "Packed_copy"
    told = imported(http, plain.content, name="Plain", strip_messages="true")
    assert told["missing"][0]["files"] == ["log.txt"]
    assert list(letta.agents.messages.list(told["agent_ids"][0])) == []
    raw = io.BytesIO(plain.content)
    (made,) = letta.agents.import_file(file=raw, append_copy_suffix=True, override_existing_tools=False).agent_ids
    assert letta.agents.retrieve(made).name == "Sam_copy"


def imported(http: httpx.Client, raw: bytes, **form: str) -> Any:
    answer = http.post("/v1/agents/import", files={"file": ("sam", raw)}, data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_broken_file_of_memwebs_own_says_why(http: httpx.Client, sam: Any) -> None:
    whole = http.get(f"/v1/agents/{sam.id}/export", params={"format": "memweb"}).json()
    for change, told in (
        ({"version": 4}, "newer memweb"),
        ({"messages": [{}]}, "messages.0.kind"),
        ({"name": "Sam"}, "Sam"),
    ):
        raw = json.dumps(whole | {"name": "New"} | change).encode()
        answer = http.post("/v1/agents/import", files={"file": ("sam.json", raw)})
        assert answer.status_code in (409, 422) and told in answer.text
    answer = http.post("/v1/agents/import", files={"file": ("sam.zip", b"PK\x03\x04 and no more")})
    assert answer.status_code == 422 and "damaged" in answer.text


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells how much memory it was at most")
def test_neither_a_large_file_nor_a_slow_client_fills_the_memory(
    product: Product, http: httpx.Client, sam: Any
) -> None:
    whole = http.get(f"/v1/agents/{sam.id}/export", params={"format": "memweb"}).json()
    notice = {"kind": "notice", "time": "2026-01-01T00:00:00Z", "content": "Fog. " * 20_000}
    raw = json.dumps(whole | {"name": "Large", "messages": [notice] * 1200}).encode()
    process = Path(f"/proc/{product.web_process()}")
    most_memory(process)
    before = most_memory(process)
    large = imported(http, raw)["agent_ids"][0]
    with http.stream("GET", f"/v1/agents/{large}/export", params={"format": "memweb"}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert http.get("/v1/health/").status_code == 200  # it answers others meanwhile
        size = len(b"".join(pieces))
    assert size > 120_000_000 and most_memory(process) - before < 80_000_000


def most_memory(process: Path) -> int:
    """In bytes, since this was asked before."""
    told = re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())
    assert told
    (process / "clear_refs").write_text("5")
    return int(told[1]) * 1024


def test_a_copy_is_made(http: httpx.Client, letta: Any, sam: Any) -> None:
    made = http.post(f"/v1/agents/{sam.id}/copy", json={"name": "Sam II"}).json()
    assert [block.value for block in letta.agents.retrieve(made["id"]).memory.blocks] == ["I am Sam.", "Name: Ann"]
    assert http.post(f"/v1/agents/{sam.id}/copy", json={"name": "Sam II"}).status_code == 409
