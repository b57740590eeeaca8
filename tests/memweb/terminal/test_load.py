"""`memweb load` with an export of another service: checked whole, then sent in parts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memweb import history
from tests.agents.exports import many, packed, written
from tests.memweb.client.conftest import Asked
from tests.memweb.terminal.conftest import FewLines
from tests.memweb.terminal.test_plain import memweb_does


@pytest.fixture
def sent(memweb: FewLines) -> list[Asked]:
    """What is uploaded."""
    uploads: list[Asked] = []

    def answer(asked: Asked) -> Any:
        if asked.path.endswith("/upload"):
            uploads.append(asked)
            return {
                "id": f"file-{len(uploads)}",
                "source_id": "folder-1",
                "file_name": asked.params["name"],
                "processing_status": "completed",
            }
        return [{"id": "archive-1", "name": "old"}] if "after" not in asked.params else []

    memweb.server.answer = answer
    return uploads


def conversations_in(asked: Asked) -> list[Any]:
    body = asked.raw.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    return list(json.loads(body))


def test_an_export_goes_in_parts_and_other_files_whole(home: Path, sent: list[Asked], tmp_path: Path) -> None:
    talks = many(900, 16)
    export, note = tmp_path / "chats.zip", tmp_path / "note.txt"
    export.write_bytes(packed(*talks))
    note.write_text("A lamp.")
    done = memweb_does(home, "load", str(export), str(note), "--archive", "old")
    assert done.returncode == 0, done.stderr
    assert "900 conversations are in what was loaded." in done.stdout
    *parts, last = sent
    assert [asked.params["name"] for asked in parts] == [f"chats-{n:03}.json" for n in range(len(parts))]
    assert len(parts) > 1 and last.params["name"] == "note.txt"
    assert all(len(asked.raw) < history.PART + 1000 for asked in parts)
    assert [raw for asked in parts for raw in conversations_in(asked)] == talks


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (written(*many(900, 16))[:-9], "It is not valid JSON, or was cut off"),
        (written(*many(900, 16), {"id": 5}), "Entry 901 of the list is no conversation"),
    ],
)
def test_nothing_is_sent_of_a_broken_export(
    home: Path, sent: list[Asked], tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "chats.json"
    file.write_bytes(content)
    done = memweb_does(home, "load", str(file), "--archive", "old")
    assert done.returncode == 1 and f"Error: {file}: {reason}" in done.stderr
    chinese = memweb_does(home, "load", str(file), "--archive", "old", LANG="zh_CN.UTF-8")
    assert re.search("[\u4e00-\u9fff]", chinese.stderr) and not sent
