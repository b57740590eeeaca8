"""A conversation as Claude exports it: a list of messages, of which a newer export says what each one answers."""

from collections.abc import Iterator
from typing import Any

from agents.ingest.conversations import ASSISTANT, PERSON, Conversation, Said, named, shortened, time_of

SERVICE = "Claude"
CODE = ("repl", "analysis_tool")  # tools whose code and results the page shows
PARENT = "parent_message_uuid"

Raw = dict[str, Any]


def read(raw: Raw) -> Conversation:
    """What was said in it."""
    messages = [message for message in _items(raw.get("chat_messages")) if message.get("sender")]
    said = [message for entry in _branch(messages, raw.get("current_leaf_message_uuid")) if (message := _said(entry))]
    return Conversation.of(SERVICE, raw.get("uuid"), raw.get("name"), time_of(raw.get("created_at")), said)


def _branch(messages: list[Raw], leaf: Any) -> list[Raw]:
    """From the first message to the last; all of them where nothing is said of branches."""
    if not any(message.get(PARENT) for message in messages):
        return messages
    by_key = {str(message.get("uuid")): message for message in messages}
    at = str(leaf) if str(leaf) in by_key else str(messages[-1].get("uuid"))
    branch: list[Raw] = []
    while at in by_key:
        message = by_key.pop(at)
        branch.append(message)
        at = str(message.get(PARENT))
    return branch[::-1]


def _said(message: Raw) -> Said | None:
    blocks = list(_items(message.get("content")))
    text = "\n".join(filter(None, map(_block, blocks))) if blocks else str(message.get("text") or "")
    files = named(item.get("file_name") for item in _items(message.get("files")))
    pasted = map(_attached, _items(message.get("attachments")))
    text = "\n".join(filter(None, [*files, *pasted, text.strip()]))
    speaker = PERSON if message["sender"] == "human" else ASSISTANT
    return Said(speaker, time_of(message.get("created_at")), text) if text else None


def _attached(item: Raw) -> str:
    content = item.get("extracted_content")
    name = " ".join(named([item.get("file_name") or "pasted text"]))
    return f"{name} {shortened('', content)}" if isinstance(content, str) and content.strip() else name


def _block(block: Raw) -> str:
    kind, given = block.get("type"), block.get("input")
    if kind == "text":
        return str(block.get("text") or "").strip()
    if kind == "tool_use" and isinstance(given, dict):
        if block.get("name") == "artifacts":
            return shortened(
                f"Artifact: {given.get('title') or given.get('id') or ''}", str(given.get("content") or "")
            )
        return shortened("Code", str(given.get("code") or "")) if block.get("name") in CODE else ""
    if kind == "tool_result" and block.get("name") in CODE:
        return shortened("Result", "\n".join(str(item.get("text") or "") for item in _items(block.get("content"))))
    return ""


def _items(values: Any) -> Iterator[Raw]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else iter(())
