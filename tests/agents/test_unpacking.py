"""An export in an archive: a document a conversation, all or none, and nothing twice."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from agents import quotas, services, tasks
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage
from agents.functions.archival_memory import _line
from agents.ingest import turns, unpacking, working
from agents.models import Agent, Document, Passage, Preferences, Quota
from agents.text.media_types import CONVERSATION, EXPORT
from memweb import history
from tests.agents.documents import zipped
from tests.agents.exports import START, Raw, chatgpt, chatgpt_talk, claude, many, message, packed, written
from tests.conftest import make_agent

Status = Document.Status


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(agent: Agent, content: bytes, name: str = "chats.zip") -> Document:
    return services.document_add(archive=agent.archive, file=SimpleUploadedFile(name, content))


def unpacked(agent: Agent, content: bytes, name: str = "chats.zip") -> Document:
    document = upload(agent, content, name)
    working.work(document)
    document.refresh_from_db()
    return document


def conversations(agent: Agent) -> "dict[str, Document]":
    return {row.name: row for row in agent.archive.documents.exclude(conversation="").order_by("pk")}


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_export_becomes_a_document_for_each_conversation(agent: Agent, media: Path) -> None:
    talks = [
        chatgpt_talk("Trip to Kyoto", ("user", "I am allergic to buckwheat."), ("assistant", "No soba, then.")),
        chatgpt_talk("Garden", ("user", "My roses have black spots."), at=START + timedelta(days=40)),
        chatgpt("Nothing said"),
    ]
    export = unpacked(agent, packed(*talks))
    assert (export.status, export.conversations, export.added, export.media_type) == (Status.READY, 2, 2, EXPORT)
    assert not export.file and export.size == 0
    made = conversations(agent)
    assert list(made) == ["Trip to Kyoto", "Garden"]
    assert made["Trip to Kyoto"].said_at == START + timedelta(minutes=1)
    assert {row.status for row in made.values()} == {Status.QUEUED} and len(files_in(media)) == 2
    tasks.ingest()
    for row in made.values():
        row.refresh_from_db()
        assert (row.status, row.media_type, row.passages.count()) == (Status.READY, CONVERSATION, 1)
    (hit, *_) = archival_storage.find(agent, "What can I not eat?").hits
    assert hit.row.created_at == START and hit.row.document == made["Trip to Kyoto"]
    assert _line(hit.row) == (
        "[Trip to Kyoto, 2023-05-04] Trip to Kyoto, 2023-05-04\n"
        "  User (09:30): I am allergic to buckwheat.\n  ChatGPT (09:31): No soba, then."
    )


def test_days_are_those_of_the_persons_zone(agent: Agent) -> None:
    Preferences.objects.create(user=agent.owner, browser_zone="Pacific/Kiritimati")  # 14 hours ahead
    late = START.replace(hour=20)
    unpacked(agent, written(claude("T", ("human", "Good night."), at=late)), "conversations.json")
    tasks.ingest()
    assert Passage.objects.get().text == "T, 2023-05-05\nUser (10:30): Good night."


@pytest.mark.parametrize("name", ["conversations.json", "export.txt", "export", "export.json"])
def test_it_is_known_by_its_content(agent: Agent, name: str) -> None:
    assert upload(agent, written(*many(1, 2)), name).media_type == EXPORT


def test_other_json_is_read_as_before(agent: Agent) -> None:
    assert upload(agent, b'[{"name": "lamp"}]', "conversations.json").media_type == "application/json"


def test_a_zip_by_its_name_alone_is_refused(agent: Agent) -> None:
    with pytest.raises(InvalidInput, match="is not what its name says"):
        upload(agent, b"[1]", "a.zip")


def test_another_zip_says_what_would_do(agent: Agent) -> None:
    with pytest.raises(InvalidInput, match=r"no conversations\.json in it\. Unpack other ZIP files"):
        upload(agent, zipped({"a.txt": b"a"}), "a.zip")


def test_one_too_large_for_the_page_is_for_the_terminal(agent: Agent, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1024**2
    large = written(*many(300, 30))
    with pytest.raises(InvalidInput, match=r"memweb load conversations\.json --archive NAME"):
        upload(agent, large, "conversations.json")
    with pytest.raises(InvalidInput, match="a file may have at most 1 MB"):
        upload(agent, b"a" * len(large), "a.txt")


def test_the_same_export_again_adds_nothing_and_a_newer_one_what_is_new(
    agent: Agent, media: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    talks = many(6, 4)
    content = packed(*talks)
    unpacked(agent, content)
    tasks.ingest()
    before = list(Passage.objects.order_by("pk").values_list("pk", "text"))
    again = unpacked(agent, content)
    assert (again.conversations, again.added) == (6, 0)
    assert Document.objects.filter(media_type=EXPORT).count() == 1  # in place of the first
    grown = chatgpt_talk("Talk 0", *[("user", f"Line {number}.") for number in range(7)])
    with django_capture_on_commit_callbacks(execute=True):
        newer = unpacked(agent, packed(grown, *many(7, 4)[1:]), "newer.zip")
    assert (newer.conversations, newer.added) == (7, 2)
    tasks.ingest()
    assert len(conversations(agent)) == 7 and len(files_in(media)) == 7
    kept = {pk for pk, text in before if not text.startswith("Talk 0,")}
    assert kept <= set(Passage.objects.values_list("pk", flat=True))
    assert "Line 6." in "\n".join(conversations(agent)["Talk 0"].passages.values_list("text", flat=True))
    older = unpacked(agent, packed(*talks), "older.zip")  # has less of Talk 0
    assert (older.conversations, older.added) == (6, 0)


def test_what_was_deleted_comes_back_with_the_same_export(agent: Agent) -> None:
    unpacked(agent, packed(*many(3, 2)))
    services.document_delete(document=conversations(agent)["Talk 1"])
    assert unpacked(agent, packed(*many(3, 2))).added == 1


def test_one_conversation_twice_in_an_export_is_one_document(agent: Agent) -> None:
    assert unpacked(agent, packed(*many(2, 2), many(1, 2)[0])).added == 2


def test_a_renamed_conversation_has_its_new_name(agent: Agent) -> None:
    talk = chatgpt_talk("T", ("user", "Hello."))
    unpacked(agent, written(talk), "a.json")
    unpacked(agent, written({**talk, "title": "Greeting"}), "b.json")
    assert list(conversations(agent)) == ["Greeting"]


# Nothing half done

BROKEN: list[tuple[bytes, str]] = [
    (written(*many(900, 3))[:-9], "not valid JSON, or was cut off"),
    (written(*many(900, 3), {"id": 5}), "Entry 901 of the list is no conversation"),
    (written(chatgpt("Empty")), "no conversation in it in which something was said"),
    (zipped({"conversations.json": b'[{"mapping": "' + b"a" * 60_000_000}), "or is not valid JSON"),
    (written(*many(9, 3))[:-1] + b',{"mapping":' + b'{"a":' * 500_000, "nested too deeply"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_what_is_broken_at_its_end_leaves_nothing_behind(
    agent: Agent, media: Path, content: bytes, reason: str
) -> None:
    export = unpacked(agent, content)
    assert export.status == Status.FAILED and re.search(reason, export.error)
    assert conversations(agent) == {} and len(files_in(media)) == 1  # the export itself, to try again


def test_the_reason_is_in_the_persons_language(agent: Agent) -> None:
    Preferences.objects.create(user=agent.owner, language="zh-hans")
    assert re.search("[\u4e00-\u9fff]", unpacked(agent, BROKEN[0][0]).error)


def test_a_fault_in_the_middle_leaves_no_row_and_no_file(
    agent: Agent, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked(agent, packed(*many(3, 2)))
    before = files_in(media)
    with monkeypatch.context() as patched:
        patched.setattr(archival_storage, "announce", lambda _archive: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            unpacked(agent, packed(chatgpt_talk("Talk 0", ("user", "x")), *many(9, 4)), "b.zip")
    assert sorted(conversations(agent)) == ["Talk 0", "Talk 1", "Talk 2"]
    failed = Document.objects.get(status=Status.FAILED)
    assert set(files_in(media)) == {*before, Path(failed.file.path)}
    services.document_retry(document=failed)
    tasks.ingest()
    failed.refresh_from_db()
    assert failed.status == Status.READY and len(conversations(agent)) == 9


def test_an_export_that_is_deleted_meanwhile_makes_nothing(
    agent: Agent, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = upload(agent, packed(*many(3, 2)))
    real = unpacking._documents

    def deleted_then(*given: object) -> list[Document]:
        Document.objects.all().delete()
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(unpacking, "_documents", deleted_then)
    working.work(export)
    assert not Document.objects.exists() and files_in(media) == [Path(export.file.path)]


def test_two_exports_at_once_add_a_conversation_once(
    agent: Agent, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = upload(agent, packed(*many(3, 2))), upload(agent, written(*many(4, 2)), "b.json")
    real = unpacking._documents

    def overtaken(*given: object) -> list[Document]:
        made = real(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(unpacking, "_documents", real)
        working.work(second)
        return made

    monkeypatch.setattr(unpacking, "_documents", overtaken)
    working.work(first)
    assert len(conversations(agent)) == 4 and len(files_in(media)) == 4
    first.refresh_from_db()
    assert (first.status, first.added) == (Status.READY, 0)


def test_a_quota_of_bytes_is_asked_before_anything_is_written(agent: Agent, media: Path) -> None:
    Quota.objects.create(user=agent.owner, megabytes=1)
    quotas.forget()
    export = unpacked(agent, packed(*many(300, 30)))  # packed it is small
    assert export.status == Status.FAILED and "may have 1 MB together" in export.error
    assert conversations(agent) == {} and len(files_in(media)) == 1


# By turns


def test_a_document_goes_before_the_conversations_of_its_person(agent: Agent, bob: User) -> None:
    unpacked(agent, packed(*many(5, 2)))
    own = services.document_add(archive=agent.archive, file=SimpleUploadedFile("a.txt", b"A lamp."))
    other = make_agent(bob)
    theirs = services.document_add(archive=other.archive, file=SimpleUploadedFile("b.txt", b"Rain."))
    order = []
    while document := turns.take():
        Document.objects.filter(pk=document.pk).update(status=Status.READY)
        order.append(document)
    assert order[:2] == [theirs, own] and [row.name for row in order[2:]] == [f"Talk {n}" for n in range(5)]


def test_whose_turn_it_is_takes_two_queries_however_many_wait(
    agent: Agent, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    unpacked(agent, packed(*many(50, 2)))
    with django_assert_num_queries(2):
        assert len(turns.waiting()) == 50


def test_a_conversation_of_each_shape_is_found_by_its_words(agent: Agent) -> None:
    raw: list[Raw] = [
        chatgpt("Lamp", message("user", "The Fresnel lens came from Saint-Gobain.", START.timestamp())),
        *many(40, 6),
    ]
    unpacked(agent, packed(*raw))
    unpacked(agent, written(claude("Boat", ("human", "My boat is called Zephyrine."))), "conversations.json")
    tasks.ingest()
    for query, words in (("Saint-Gobain", "Fresnel"), ("Zephyrine", "boat")):
        assert words in archival_storage.find(agent, query).hits[0].row.text


def test_the_largest_conversation_that_is_read_fits_into_an_upload(settings: Settings) -> None:
    assert max(history.PART, history.LARGEST) < settings.MAX_UPLOAD_BYTES
