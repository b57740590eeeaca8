"""All of an agent goes into its file and comes out of it again, or a sentence says why not, and nothing is left."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from pytest_django import Settings

from agents import quotas, selectors, services
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage
from agents.external_context.archival_storage import Filing
from agents.ingest import working
from agents.llm.scripted import call, say
from agents.models import Agent, Archive, Block, Checkpoint, Document, FunctionSource, InstalledFunction, Passage, Quota
from agents.services import ModelChoice, agent_files, agent_reading
from agents.text.media_types import EXPORT
from tests.agents.exports import chatgpt, message, packed
from tests.conftest import ServeModel, exchange

SCRIPT = [
    call("core_memory_append", label="human", content="Name: Ann."),
    call("archival_memory_insert", content="The lamp was lit in 1871."),
    say("Noted and filed."),
    say("More."),
]
LATER = datetime(2025, 3, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def files(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def upload(archive: Archive, name: str, content: bytes) -> Document:
    document = services.document_add(archive=archive, file=SimpleUploadedFile(name, content))
    working.work(document)
    return document


@pytest.fixture
def rich(agent: Agent, serve_model: ServeModel) -> Agent:
    """An agent with something of everything."""
    serve_model(SCRIPT)
    exchange(agent, "I am Ann")
    services.checkpoint_create(agent=agent, name="before the storm")
    exchange(agent, "And more")
    services.queue_flush(agent=agent)
    human = agent.blocks.get(label="human")
    services.block_edit(block=human, value="Name: Ann. Likes tea.\n", from_revision=2, editor=agent.owner)
    services.block_restore(revision=human.revisions.get(number=2), from_revision=3, editor=agent.owner)
    services.block_note(block=human, tags=["person"])
    services.agent_describe(agent=agent, description="Keeps the light", tags=["sea"], metadata={"n": [1]})
    services.functions_choose(agent=agent, names={"send_message", "archival_memory_search", "elsewhere"})
    logs = services.archive_create(owner=agent.owner, name="Ship logs")
    services.archive_describe(archive=logs, description="Of all ships")
    services.archive_attach(agent=agent, archive=logs)
    services.passages_add(archive=logs, filings=[Filing(text="The Zephyr sank.", tags=["loss"], created_at=LATER)])
    upload(agent.archive, "log.txt", b"The barometer fell to 28 inches.")
    talk = chatgpt("Boats", message("user", "My boat is called Zephyrine."))
    export = upload(logs, "chats.zip", packed(talk))
    assert export.media_type == EXPORT
    for document in Document.objects.filter(status="queued"):
        working.work(document)
    agent.refresh_from_db()
    return agent


def written(agent: Agent, *, documents: bool = False) -> bytes:
    file = services.agent_write(agent=agent, documents=documents)
    raw = file.file.read()
    file.close()
    assert len(raw) == file.size
    return raw


def changed(raw: bytes, **change: Any) -> bytes:
    return json.dumps(json.loads(raw) | change).encode()


def repacked(raw: bytes, **change: bytes | None) -> bytes:
    """A zip with other members, or without those that are None."""
    with zipfile.ZipFile(io.BytesIO(raw)) as old:
        members: dict[str, bytes | None] = {**{name: old.read(name) for name in old.namelist()}, **change}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            if content is not None:
                new.writestr(name, content)
    return file.getvalue()


def same(first: bytes, second: bytes) -> bool:
    """But for what is another person's here: who edited, whose archive already has that name."""
    one, two = (json.loads(raw) for raw in (first, second))
    for file in (one, two):
        for revision in file["history"]:
            revision.pop("by")
    return bool(one == two)


def test_everything_comes_along_in_a_zip(rich: Agent, bob: User) -> None:
    raw = written(rich, documents=True)
    again = services.agent_import(owner=bob, raw=raw)
    for document in Document.objects.filter(archive__owner=bob, status="queued"):
        working.work(document)
    again.refresh_from_db()
    assert same(written(rich), written(again))
    assert selectors.context_view(again).main.prompt.messages() == selectors.context_view(rich).main.prompt.messages()
    for query, text in (
        ("barometer", "28 inches"),
        ("Zephyrine", "My boat"),
        ("Zephyr sank", "sank"),
        ("lamp", "1871"),
    ):
        assert any(text in hit.row.text for hit in archival_storage.find(again, query).hits)
    assert not selectors.documents_without_files(again)
    talk = Document.objects.get(archive__owner=bob, name="Boats")
    assert (talk.status, talk.said_at) == (
        "ready",
        Document.objects.get(archive__owner=rich.owner, name="Boats").said_at,
    )


def test_the_history_of_a_block_is_seen(rich: Agent, bob: User) -> None:
    again = services.agent_import(owner=bob, raw=written(rich))
    block = again.blocks.get(label="human")
    there = rich.blocks.get(label="human")
    rows = list(selectors.revisions_page(block, 1).page)
    assert [row.number for row in rows] == [4, 3, 2, 1] and block.revision == 4
    assert [row.value for row in rows] == list(there.revisions.values_list("value", flat=True))
    assert [row.created_at for row in rows] == list(there.revisions.values_list("created_at", flat=True))
    assert [row.editor_name for row in rows] == ["person", "person", "Sam", "import"]  # alice is nobody's name here
    assert (rows[0].restores, block.value, block.tags) == (2, there.value, ["person"])
    own = services.agent_import(owner=rich.owner, raw=written(rich), name="Sam II")
    assert own.blocks.get(label="human").revisions.all()[0].editor_name == "alice"
    services.block_undo(revision=block.revisions.get(number=2), editor=bob)  # it goes on from there
    block.refresh_from_db()
    assert block.revision == 5


def test_a_checkpoint_that_came_along_is_restored(rich: Agent, bob: User) -> None:
    again = services.agent_import(owner=bob, raw=written(rich))
    checkpoint = again.checkpoints.get()
    assert checkpoint.created_at == rich.checkpoints.get().created_at
    restored = services.checkpoint_restore(checkpoint=checkpoint, name="Before")
    assert restored.blocks.get(label="human").value.endswith("Name: Ann.")
    said = restored.messages.filter(kind="user_message").values_list("content", flat=True)
    assert list(said) == ["I am Ann"]


def test_without_documents_it_is_known_which_are_to_be_uploaded_again(rich: Agent, bob: User, media: Path) -> None:
    before = files(media)
    again = services.agent_import(owner=bob, raw=written(rich))
    missing = selectors.documents_without_files(again)
    assert [document.name for document in missing] == ["log.txt", "Boats"] and files(media) == before
    services.document_retry(document=missing[0])
    assert len(selectors.documents_without_files(again)) == 2
    upload(again.archive, "log.txt", b"The barometer fell to 28 inches.")  # takes its place
    assert [document.name for document in selectors.documents_without_files(again)] == ["Boats"]


def test_an_archive_gets_a_name_that_is_free(rich: Agent, alice: User) -> None:
    again = services.agent_import(owner=alice, raw=written(rich), name="Sam II")
    attached = again.attached_archives.get()
    assert (attached.name, attached.description) == ("Ship logs (2)", "Of all ships")


def test_the_archive_of_somebody_else_stays_where_it_is(rich: Agent, bob: User) -> None:
    theirs = services.archive_create(owner=bob, name="Bob's own")
    rich.attached_archives.add(theirs)
    assert b"Bob's own" not in written(rich)


def test_the_order_of_its_keys_says_nothing(rich: Agent, bob: User) -> None:
    whole = json.loads(written(rich))
    again = services.agent_import(owner=bob, raw=json.dumps(dict(reversed(whole.items())), indent=3).encode())
    assert same(written(rich), written(again))


def test_messages_may_stay_behind(rich: Agent, bob: User) -> None:
    again = services.agent_import(owner=bob, raw=written(rich), suffix="_copy", messages=False)
    assert again.name == "Sam_copy" and not again.messages.exists() and not again.checkpoints.exists()
    assert (again.next_seq, again.queue_start, again.summary) == (1, 1, None)


def test_a_file_that_is_gone_from_the_disk_is_one_that_did_not_come_along(rich: Agent, bob: User, media: Path) -> None:
    Path(Document.objects.get(name="log.txt").file.path).unlink()
    again = services.agent_import(owner=bob, raw=written(rich, documents=True))
    assert [document.name for document in selectors.documents_without_files(again)] == ["log.txt"]


@pytest.mark.django_db(transaction=True)
def test_a_file_is_of_one_moment(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while it is written is not in it."""

    def edit() -> None:
        services.passage_add(archive=agent.archive, text="Too late.")
        connection.close()

    whole = agent_files.character

    def character(one: Agent) -> dict[str, Any]:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(edit).result()
        return whole(one)

    monkeypatch.setattr("agents.services.agent_writing.character", character)
    assert b"Too late." not in written(agent)
    assert agent.archive.passages.get().text == "Too late."


# What cannot be taken

ENTRY = {"kind": "user_message", "time": "2026-01-01T00:00:00Z"}
TOO_LATE = [{"kind": "user_message", "time": "9999-12-31T23:59:59-12:00"}]
REVISION = {"block": "human", "number": 1, "value": "x", "time": "2026-01-01T00:00:00Z", "editor": "user"}
DOCUMENT = {"name": "a.txt", "time": "2026-01-01T00:00:00Z", "media_type": "text/plain", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 4}, r"newer memweb \(version 4\); this one reads up to 3"),
        ({"version": 4, "dreams": [1]}, "newer memweb"),
        ({"version": "new"}, "version"),
        ({"dreams": [1]}, "dreams"),
        ({"messages": {}}, "messages is no list"),
        ({"messages": [ENTRY, {"kind": "shout"}]}, r"messages\.1\.kind"),
        ({"messages": TOO_LATE}, "cannot be imported"),
        ({"passages": [{"text": "x", "time": "2026-01-01T00:00:00Z", "archive": 7}]}, "no archive number 7"),
        ({"history": [REVISION, REVISION]}, "given twice"),
        ({"history": [REVISION | {"block": "elsewhere"}]}, "no block “elsewhere”"),
        ({"history": [REVISION | {"editor": "ghost"}]}, r"history\.0\.editor"),
        ({"checkpoints": [{"name": "x"}]}, r"checkpoints\.0"),
        ({"documents": [DOCUMENT | {"file": "documents/1/a.txt"}]}, "is not in it"),
        ({"documents": [DOCUMENT | {"file": "../../secret_key"}]}, "is not in it"),
        ({"documents": [DOCUMENT, DOCUMENT]}, "cannot be imported"),
        ({"documents": [DOCUMENT | {"sha256": "../x"}]}, r"documents\.0\.sha256"),
        ({"core_memory": [{"label": "x", "value": "y" * 9, "limit": 3}]}, "at most 3 characters"),
        ({"archives": [{"name": "Sam"}, {"name": ""}]}, "Give the archive a name"),
        ({"context_window": 12}, "context_window"),
        ({"name": ""}, "Give the agent a name"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_makes_nothing(
    rich: Agent, bob: User, media: Path, change: dict[str, Any], told: str
) -> None:
    raw, before = changed(written(rich), **change), files(media)
    with pytest.raises(InvalidInput, match=told):
        services.agent_import(owner=bob, raw=raw)
    assert nothing_of(bob) and files(media) == before


def nothing_of(owner: User) -> bool:
    kinds = [kind.objects.filter(owner=owner) for kind in (Agent, Archive, Block)]
    parts = [kind.objects.filter(archive__owner=owner) for kind in (Document, Passage)]
    return not any(rows.exists() for rows in [*kinds, *parts, Checkpoint.objects.filter(agent__owner=owner)])


def test_a_file_that_was_cut_off_makes_nothing(rich: Agent, bob: User) -> None:
    raw = written(rich)
    for end in (1, 2, len(raw) // 3, len(raw) // 2, len(raw) - 3):
        with pytest.raises(InvalidInput, match="not valid JSON, or was cut off"):
            services.agent_import(owner=bob, raw=raw[:end])
    for end in (60, len(written(rich, documents=True)) // 2):
        with pytest.raises(InvalidInput, match="damaged or was cut off"):
            services.agent_import(owner=bob, raw=written(rich, documents=True)[:end])
    assert nothing_of(bob)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"name": "a", "name": "b"}', "“name” is given twice"),
        (b'{"name": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"format": "memweb-agent", "version": 3} {}', "not valid JSON"),
        (b'{"messages": [1,]}', "not valid JSON"),
        (b"{1: 2}", "not valid JSON"),
        (b'{"context_window": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"PK\x03\x04" + b"\x00" * 100, "damaged or was cut off"),
    ],
)
def test_what_is_no_file_of_an_agent_says_what_it_is(bob: User, raw: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        services.agent_import(owner=bob, raw=raw)


def test_a_zip_that_is_wrong_says_how_and_leaves_nothing(rich: Agent, bob: User, media: Path) -> None:
    raw, before = written(rich, documents=True), files(media)
    names = zipfile.ZipFile(io.BytesIO(raw)).namelist()
    assert sorted(names) == ["agent.json", "documents/1/log.txt", "documents/2/Boats"]
    whole = zipfile.ZipFile(io.BytesIO(raw)).read("agent.json")
    late = changed(whole, messages=[*json.loads(whole)["messages"], {"kind": "shout"}])  # after the documents
    wrong: list[tuple[dict[str, bytes | None], str]] = [
        ({"agent.json": None}, "no agent.json"),
        ({"agent.json": late}, r"messages\.\d+\.kind"),
        ({"../../etc/passwd": b"x"}, "holds “../../etc/passwd”"),
        ({"/etc/passwd": b"x"}, "as no export does"),
        ({"documents/1/../../x": b"x"}, "as no export does"),
        ({"documents/1/a\\b": b"x"}, "as no export does"),
        ({"documents/1/log.txt": None}, "“documents/1/log.txt” is not in it"),
        ({"documents/1/log.txt": b""}, "“log.txt” is empty"),
        ({"documents/9/zeros": b"\x00" * 30_000_000}, "would unpack to 29 MB"),
    ]
    for change, told in wrong:
        with pytest.raises(InvalidInput, match=told):
            services.agent_import(owner=bob, raw=repacked(raw, **change))
        assert nothing_of(bob) and files(media) == before


def test_a_zip_with_a_damaged_document_leaves_nothing(rich: Agent, bob: User, media: Path) -> None:
    raw, before = bytearray(written(rich, documents=True)), files(media)
    member = zipfile.ZipFile(io.BytesIO(raw)).getinfo("documents/2/Boats")
    raw[member.header_offset + 90] ^= 0xFF
    with pytest.raises(InvalidInput, match="damaged"):
        services.agent_import(owner=bob, raw=bytes(raw))
    assert nothing_of(bob) and files(media) == before


def test_a_zip_with_far_too_many_files_is_not_looked_into(
    rich: Agent, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = written(rich, documents=True)
    monkeypatch.setattr(agent_reading, "MEMBERS", 2)
    with pytest.raises(InvalidInput, match="more than 2 files"):
        services.agent_import(owner=bob, raw=raw)
    monkeypatch.setattr(agent_reading, "LARGEST_DIRECTORY", 100)
    monkeypatch.setattr(zipfile, "ZipInfo", None)  # not one of them is made
    with pytest.raises(InvalidInput, match="more than 2 files"):
        services.agent_import(owner=bob, raw=raw)


def test_more_messages_than_a_file_may_have_are_counted_before_anything_is_made(bob: User, rich: Agent) -> None:
    entry = json.dumps(ENTRY).encode()
    most = agent_files.STREAMED["messages"][1]
    whole = json.loads(written(rich)) | {"messages": []}
    raw = json.dumps(whole).encode().replace(b'"messages": []', b'"messages": [' + entry + (b"," + entry) * most + b"]")
    with pytest.raises(InvalidInput, match="messages has more than 500,000 entries"):
        services.agent_import(owner=bob, raw=raw)
    assert nothing_of(bob)


def test_a_head_without_end_is_refused(bob: User, rich: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_reading, "LARGEST_HEAD", 100_000)
    with pytest.raises(InvalidInput, match="more of the agent than any export"):
        services.agent_import(owner=bob, raw=changed(written(rich), tags=["x" * 50_000] * 3))
    monkeypatch.setattr(agent_reading, "LARGEST", 10_000)
    with pytest.raises(InvalidInput, match="one entry in it has more than"):
        services.agent_import(owner=bob, raw=changed(written(rich), summary="x" * 600_000))


def test_quotas_hold_for_what_is_imported(rich: Agent, bob: User, media: Path) -> None:
    raw, before = written(rich, documents=True), files(media)
    for limit, told in (({"passages": 1}, "may hold 1 passage"), ({"megabytes": 0}, "may have 0 MB")):
        Quota.objects.update_or_create(user=bob, defaults={"passages": None, "megabytes": None, **limit})
        quotas.forget()
        with pytest.raises(InvalidInput, match=told):
            services.agent_import(owner=bob, raw=raw)
        assert nothing_of(bob) and files(media) == before
    quotas.forget()


# Copies


def test_a_copy_is_what_the_agent_is(rich: Agent, media: Path) -> None:
    services.agent_choose_model(agent=rich, choice=ModelChoice(model="other", context_window=9000))
    copy = services.agent_copy(agent=rich, name="Sam II")
    copy.refresh_from_db()
    one, two = (json.loads(written(agent)) for agent in (rich, copy))
    ours = json.loads(json.dumps(one).replace('"Sam"', '"Sam II"'))
    for file in (two, ours):
        file["documents"].sort(key=lambda document: document["name"])
    assert two == ours
    assert list(copy.attached_archives.all()) == list(rich.attached_archives.all())
    assert copy.checkpoints.get().name == "before the storm"
    assert selectors.context_view(copy).main.prompt.messages() == selectors.context_view(rich).main.prompt.messages()
    assert not copy.messages.filter(embedding_model="", kind="user_message").exclude(
        seq__in=rich.messages.filter(embedding_model="").values("seq")
    )
    assert "28 inches" in archival_storage.find(copy, "barometer").hits[0].row.text
    there, here = (agent.archive.documents.get(name="log.txt") for agent in (rich, copy))
    assert here.status == "ready" and here.file.name != there.file.name and here.created_at == there.created_at
    assert Path(here.file.path).read_bytes() == Path(there.file.path).read_bytes()
    assert here.passages.exclude(embedding=None).count() == there.passages.count() == 1


def test_a_copy_goes_its_own_way(rich: Agent, serve_model: ServeModel) -> None:
    copy = services.agent_copy(agent=rich, name="Sam II")
    services.agent_delete(agent=copy)
    assert Path(rich.archive.documents.get(name="log.txt").file.path).exists()
    assert rich.blocks.get(label="human").revisions.count() == 4


def test_a_copy_that_fails_leaves_no_file(rich: Agent, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(media)
    with pytest.raises(InvalidInput, match="already have an agent"):
        services.agent_copy(agent=rich, name="Sam")
    monkeypatch.setattr("agents.services.agent_parts.dispatch.embed_passages", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.agent_copy(agent=rich, name="Sam II")
    assert files(media) == before and Agent.objects.count() == 1


def test_a_restored_agent_has_functions_documents_and_history_of_then(rich: Agent) -> None:
    checkpoint = services.checkpoint_create(agent=rich, name="now")
    human = rich.blocks.get(label="human")
    services.block_edit(block=human, value="Changed.", from_revision=4, editor=rich.owner)
    upload(rich.archive, "later.txt", b"Nobody knows of this yet.")
    restored = services.checkpoint_restore(checkpoint=checkpoint, name="Sam II")
    restored.refresh_from_db()
    assert restored.attached_functions == rich.attached_functions == ["elsewhere"]
    assert restored.detached_functions == rich.detached_functions
    block = restored.blocks.get(label="human")
    assert block.revision == 4 and [r.number for r in block.revisions.all()] == [4, 3, 2, 1]
    assert [r.editor_name for r in block.revisions.all()] == ["alice", "alice", "Sam II", "import"]
    assert list(restored.archive.documents.values_list("name", flat=True)) == ["log.txt"]
    assert [one.name for one in restored.checkpoints.all()] == ["before the storm"]


def test_what_asks_first_asks_in_a_copy_and_nothing_else(agent: Agent) -> None:
    source = FunctionSource.objects.create(name="lake.py")
    for name, asks in (("depth", False), ("drain", True)):
        InstalledFunction.objects.create(source=source, name=name, ask_first=asks)
    services.functions_choose(agent=agent, names={"send_message", "depth", "drain"})
    services.function_ask_first(agent=agent, name="depth", ask=True)
    services.function_ask_first(agent=agent, name="drain", ask=False)
    copy = services.agent_copy(agent=agent, name="Sam II")
    copy.refresh_from_db()
    assert copy.ask_first == ["depth"]


def test_old_passages_and_late_ones_keep_their_time(agent: Agent, bob: User) -> None:
    late = LATER + timedelta(days=1)
    services.passages_add(archive=agent.archive, filings=[Filing(text="Old.", created_at=late)])
    again = services.agent_import(owner=bob, raw=written(agent))
    assert again.archive.passages.get().created_at == late
