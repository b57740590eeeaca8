"""Exports of ChatGPT and Claude: what was said in each conversation, on the branch that was seen last."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.exceptions import InvalidInput
from agents.ingest import conversations, exports, reading
from agents.ingest.conversations import Conversation
from agents.ingest.cutting import PASSAGE_TOKENS, Cut
from agents.text import tokens
from agents.text.media_types import CONVERSATION
from memweb import history
from tests.agents.documents import zipped
from tests.agents.exports import (
    START,
    Raw,
    chatgpt,
    chatgpt_talk,
    claude,
    many,
    message,
    node,
    packed,
    sentences,
    uuid,
    written,
)


def read(folder: Path, content: bytes) -> list[Conversation]:
    (folder / "export").write_bytes(content)
    return list(exports.conversations(str(folder / "export")))


def said(folder: Path, raw: Raw) -> list[tuple[str, str]]:
    """Who said what in the one conversation."""
    (found,) = read(folder, written(raw))
    return [(message.speaker, message.text) for message in found.said]


def cuts(folder: Path, raw: Raw) -> list[Cut]:
    (found,) = read(folder, written(raw))
    (folder / "one.json").write_text(found.as_json(), encoding="utf-8")
    return list(reading.read(str(folder / "one.json"), CONVERSATION, lambda number, pages: None))


# ChatGPT


def test_the_branch_that_was_seen_last_is_followed(tmp_path: Path) -> None:
    mapping = {
        "root": node("root", None, None, "a"),
        "a": node("a", "root", message("user", "Name a lamp.", 1.7e9), "b", "c"),
        "b": node("b", "a", message("assistant", "Argand.", 1.7e9 + 9)),
        "c": node("c", "a", message("assistant", "Davy.", 1.7e9 + 5), "d"),
        "d": node("d", "c", message("user", "Thanks.", 1.7e9 + 7)),
    }
    raw = chatgpt("Lamps", mapping=mapping, current_node="d")
    seen = [("person", "Name a lamp."), ("assistant", "Davy."), ("person", "Thanks.")]
    assert said(tmp_path, raw) == seen
    mapping["a"]["parent"] = "d"  # in a circle
    assert said(tmp_path, raw) == seen
    mapping["a"]["parent"] = "root"
    for lost in (None, "gone"):  # then the newest
        assert said(tmp_path, {**raw, "current_node": lost}) == [("person", "Name a lamp."), ("assistant", "Argand.")]


@pytest.mark.parametrize(
    "unseen",
    [
        message("system", "You are ChatGPT."),
        message("user", "Hidden.", metadata={"is_visually_hidden_from_conversation": True}),
        message("user", "", content={"content_type": "user_editable_context", "user_profile": "I am a keeper."}),
        message("assistant", "", content={"content_type": "thoughts", "thoughts": [{"content": "Hm."}]}),
        message("assistant", "", content={"content_type": "reasoning_recap", "content": "Thought for 3 s"}),
        message("assistant", "", recipient="browser", content={"content_type": "code", "text": 'search("lamps")'}),
        message("assistant", '{"prompt": "a lamp"}', recipient="dalle.text2im"),
        message("tool", "", content={"content_type": "tether_browsing_display", "result": "A page."}),
        message("tool", "Model set context updated."),
        message("assistant", ""),
        {"author": None, "content": None},
        {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": None}},
    ],
)
def test_what_the_person_did_not_see_is_left_out(tmp_path: Path, unseen: Raw) -> None:
    assert said(tmp_path, chatgpt("T", unseen, message("user", "Hello."))) == [("person", "Hello.")]


@pytest.mark.parametrize(
    ("role", "changes", "text"),
    [
        (
            "user",
            {
                "content": {
                    "content_type": "multimodal_text",
                    "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}, "My lamp."],
                },
                "metadata": {"attachments": [{"name": "lamp.jpg", "id": "file-x"}, {"id": "nameless"}]},
            },
            "[Attachment: lamp.jpg]\n[Image]\nMy lamp.",
        ),
        (
            "user",
            {
                "content": {
                    "content_type": "multimodal_text",
                    "parts": [{"content_type": "audio_transcription", "text": "Hi."}],
                }
            },
            "Hi.",
        ),
        ("assistant", {"content": {"content_type": "code", "text": "1 + 1"}, "recipient": "python"}, "[Code] 1 + 1"),
        ("tool", {"content": {"content_type": "execution_output", "text": "2" * 900}}, "[Result] " + "2" * 500 + "…"),
        (
            "tool",
            {"content": {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}]}},
            "[Image]",
        ),
        (
            "assistant",
            {"content": {"content_type": "text", "parts": ["Davy\ue200cite\ue202turn0\ue201's【3†source】."]}},
            "Davy's.",
        ),
        ("assistant", {"content": {"content_type": "text", "parts": ["One.", 7, "Two."]}}, "One.\nTwo."),
    ],
)
def test_what_they_saw_is_kept_in_a_few_words(tmp_path: Path, role: str, changes: Raw, text: str) -> None:
    speaker = "person" if role == "user" else "assistant"
    assert said(tmp_path, chatgpt("T", message(role, "", **changes))) == [(speaker, text)]


# Claude


def test_a_conversation_of_claude(tmp_path: Path) -> None:
    raw = claude("Trip", ("human", "I like Kyoto."), ("assistant", "Go in April."))
    first, second = raw["chat_messages"]
    first["attachments"] = [{"file_name": "plan.txt", "file_size": 9, "extracted_content": "Day 1: Gion"}]
    first["files"] = [{"file_name": "map.png"}]
    second["content"] += [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "tool_use", "name": "artifacts", "input": {"title": "Plan", "content": "# Kyoto"}},
        {"type": "tool_use", "name": "web_search", "input": {"query": "Kyoto"}},
        {"type": "tool_use", "name": "repl", "input": {"code": "1 + 1"}},
        {"type": "tool_result", "name": "repl", "content": [{"type": "text", "text": "2"}]},
        {"type": "tool_result", "name": "web_search", "content": [{"type": "text", "text": "A page."}]},
        None,
    ]
    assert said(tmp_path, raw) == [
        ("person", "[Attachment: map.png]\n[Attachment: plan.txt] Day 1: Gion\nI like Kyoto."),
        ("assistant", "Go in April.\n[Artifact: Plan] # Kyoto\n[Code] 1 + 1\n[Result] 2"),
    ]
    del first["content"], second["content"]  # as older exports have it
    assert [text for _, text in said(tmp_path, raw)][1] == "Go in April."


def test_a_branch_of_claude_is_followed_from_its_last_message(tmp_path: Path) -> None:
    raw = claude("T", ("human", "One?"), ("assistant", "No."), ("assistant", "Yes."), ("human", "Good."))
    keys = [entry["uuid"] for entry in raw["chat_messages"]]
    for entry, parent in zip(raw["chat_messages"], ["0000-root", keys[0], keys[0], keys[2]], strict=True):
        entry["parent_message_uuid"] = parent
    assert [text for _, text in said(tmp_path, raw)] == ["One?", "Yes.", "Good."]
    assert [text for _, text in said(tmp_path, {**raw, "current_leaf_message_uuid": keys[1]})] == ["One?", "No."]


# Dates, titles, keys


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (1683192600.5, True),
        (1683192600, True),
        (1683192600500, True),  # milliseconds
        ("2023-05-04T09:30:00.500000Z", True),
        ("2023-05-04T11:30:00+02:00", True),
        ("2023-05-04 09:30:00", True),
        (None, False),
        ("", False),
        ("yesterday", False),
        ("0001-01-01T00:00:00+14:00", False),
        (0, False),
        (-5, False),
        (1e300, False),
        (float("nan"), False),
        (True, False),
        ([], False),
    ],
)
def test_times_in_whatever_form(value: Any, known: bool) -> None:
    time = conversations.time_of(value)
    assert (time is not None and abs(time - START.timestamp()) < 1) if known else time is None


def test_a_passage_says_of_which_conversation_and_day_it_is_and_who_spoke_when(tmp_path: Path) -> None:
    late = datetime(2023, 5, 6, 8, 0, tzinfo=UTC).timestamp()
    raw = chatgpt(
        "Trip to\nKyoto",
        message("user", "I am allergic to buckwheat.", START.timestamp()),
        message("assistant", "No soba, then.", None),
        message("user", "We fly on Friday.", late),
    )
    first, second = cuts(tmp_path, raw)
    assert first == Cut(
        None,
        "2023-05-04",
        "Trip to Kyoto, 2023-05-04\nUser (09:30): I am allergic to buckwheat.\nChatGPT (09:30): No soba, then.",
        START.timestamp(),
    )
    assert second == Cut(None, "2023-05-06", "Trip to Kyoto, 2023-05-06\nUser (08:00): We fly on Friday.", late)


def test_each_part_of_a_long_answer_says_whose_it_is(tmp_path: Path) -> None:
    told = sentences("an answer", 80)
    found = cuts(tmp_path, claude("Long", ("human", "Tell."), ("assistant", told)))
    assert len(found) > 5
    for cut in found:
        assert cut.text.startswith("Long, 2023-05-04\n") and tokens.count(cut.text) <= PASSAGE_TOKENS + 5
        assert cut.text.splitlines()[1].startswith(("User (09:30): ", "Claude (09:31): ", "Claude, continued: "))
    whole = " ".join(" ".join(cut.text.splitlines()[1:]) for cut in found)
    assert all(f"{sentence}." in whole.replace("Claude, continued: ", "") for sentence in told.split(". ")[:-1])


def test_without_dates_and_titles(tmp_path: Path) -> None:
    raw = {**chatgpt("T", message("user", "Hello.")), "title": None, "create_time": None}
    assert cuts(tmp_path, raw) == [Cut(None, "", "Untitled conversation\nUser: Hello.", None)]


def test_a_conversation_is_known_again(tmp_path: Path) -> None:
    one, same = chatgpt_talk("T", ("user", "A")), chatgpt_talk("T", ("user", "A"), ("assistant", "B"))
    (first,), (second,) = read(tmp_path, written(one)), read(tmp_path, written({**same, "title": "Renamed"}))
    assert first.key == second.key == f"ChatGPT {uuid('T')}" and first.as_json() != second.as_json()
    nameless = {**one, "id": None, "conversation_id": None}
    assert read(tmp_path, written(nameless))[0].key == f"ChatGPT {START.timestamp():.0f} T"


# What the file is


@pytest.mark.parametrize("of", ["chatgpt", "claude"])
def test_thousands_of_messages_in_a_file_in_a_zip_and_in_parts(tmp_path: Path, of: str) -> None:
    talks = many(300, 12, of=of)
    parts = zipped({f"export/conversations-{n:03}.json": written(*talks[n * 100 : n * 100 + 100]) for n in (2, 0, 1)})
    for content in (written(*talks), packed(*talks), parts):
        assert history.is_export(io.BytesIO(content))
        found = read(tmp_path, content)
        assert [one.title for one in found] == [f"Talk {number}" for number in range(300)]
        assert sum(len(one.said) for one in found) == 3600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[1, 2]",
        b'[{"name": "a", "messages": []}]',
        b'[{"note": "mapping"}]',
        b'[{"deep": {"mapping": {}}}]',
        b"[" * 60_000,
        b'{"mapping": {}}',
        zipped({"notes.json": b"[]"}),
        zipped({"conversations.json.txt": b"[]"}),
        b"PK\x03\x04 not really",
    ],
)
def test_somebody_elses_file_is_no_export(content: bytes) -> None:
    file = io.BytesIO(content)
    assert not history.is_export(file) and file.tell() == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (written(*many(3, 4))[:-9], "not valid JSON, or was cut off"),
        (written(*many(3, 4)) + b"x", "not valid JSON"),
        (written(*many(1, 2)).replace(b"}", b"", 1), "not valid JSON"),
        (b'[{"mapping": {}} {"mapping": {}}]', "not valid JSON"),
        (written(many(1, 2)[0], {"id": 5}), "Entry 2 of the list is no conversation"),
        (written(many(1, 2)[0], {})[:-1] + b",[]]", "Entry 2"),
        (b'[{"mapping":' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"mapping": {}}', "not a list of conversations"),
        (packed(*many(3, 4))[:-300], "ZIP file is damaged"),
        (zipped({"conversations.json": b"<html>"}), "not a list of conversations"),
    ],
)
def test_what_is_broken_says_so(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(tmp_path, content)


def test_mapping_and_messages_of_any_shape_do_no_harm(tmp_path: Path) -> None:
    odd: list[Any] = [None, 5, "x", [], [None], {}, {"a": None}, {"a": {"message": 5, "parent": []}}]
    for value in odd:
        assert read(tmp_path, written({"mapping": value, "current_node": value})) == []
        assert read(tmp_path, written({"chat_messages": value})) == []
        assert (
            read(tmp_path, written({"chat_messages": [{"sender": "human", "content": [value], "files": value}]})) == []
        )


def test_one_conversation_is_held_at_a_time_and_none_may_be_endless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LARGEST", 1_000_000)
    bomb = zipped({"conversations.json": b'[{"mapping": {}}, {"mapping": "' + b"a" * 50_000_000})
    assert len(bomb) < 100_000
    with pytest.raises(InvalidInput, match="more than 0 MB, or is not valid JSON"):
        read(tmp_path, bomb)
    monkeypatch.setattr(history, "UNPACKED", 40_000_000)
    with pytest.raises(InvalidInput, match="would unpack to more than"):
        read(tmp_path, bomb)


def test_a_large_export_is_split_into_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PART", 50_000)
    talks = many(40, 6)
    (tmp_path / "chats.zip").write_bytes(packed(*talks))
    (tmp_path / "parts").mkdir()
    parts, count = history.split(tmp_path / "chats.zip", tmp_path / "parts")
    assert count == 40 and [part.name for part in parts][:2] == ["chats-000.json", "chats-001.json"] and len(parts) == 4
    assert all(part.stat().st_size < 60_000 and history.is_export(io.BytesIO(part.read_bytes())) for part in parts)
    assert [raw for part in parts for raw in history.conversations(part)] == talks
